//! The catalog on real files: order, persistence, all or nothing, newer versions, hostile names.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;

use flow::application::ApplicationRule;
use flow::site::{ExporterName, InterfaceName, Rules, Site};
use flow::{Feed, Timestamp};
use store::Slice;
use store::catalog::{
    Catalog, CatalogError, ImportCounts, ImportState, Note, Recording, RecordingCounts,
    RecordingState, RulesError, Viewer, check_rules, merge,
};
use store::question::{Scope, Window};
use tempfile::TempDir;

fn application(name: &str, port: &str) -> ApplicationRule {
    ApplicationRule {
        name: name.into(),
        ports: vec![port.parse().unwrap()],
        ..ApplicationRule::default()
    }
}

fn site(name: &str, subnets: &[&str]) -> Site {
    Site {
        name: name.into(),
        subnets: subnets
            .iter()
            .map(|subnet| subnet.parse().unwrap())
            .collect(),
    }
}

fn exporter(address: &str, name: &str) -> ExporterName {
    ExporterName {
        address: address.parse().unwrap(),
        name: name.into(),
        sampling_interval: Some(1000),
        interfaces: vec![InterfaceName {
            index: 4,
            name: "uplink".into(),
        }],
    }
}

fn names(rules: &Rules) -> Vec<&str> {
    rules
        .applications
        .iter()
        .map(|rule| rule.name.as_str())
        .collect()
}

async fn fresh() -> (TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&folder.path().join("catalog.sqlite"))
        .await
        .unwrap();
    (folder, catalog)
}

#[tokio::test]
async fn rules_keep_their_order_through_changes_and_a_restart() {
    let (_folder, catalog) = fresh().await;
    for name in ["orders", "billing", "web", "billing2"] {
        catalog
            .put_application(application(name, "443"))
            .await
            .unwrap();
    }
    catalog
        .put_application(application("billing", "8443/tcp"))
        .await
        .unwrap();
    catalog.move_application("web", 0).await.unwrap();
    catalog.move_application("orders", 99).await.unwrap();
    catalog.delete_application("billing2").await.unwrap();
    catalog
        .put_site(site("berlin", &["10.1.0.0/16", "2001:db8:1::/48"]))
        .await
        .unwrap();
    catalog
        .put_exporter_name(exporter("::ffff:10.0.0.1", "core-1"))
        .await
        .unwrap();
    catalog
        .put_exporter_name(exporter("10.0.0.1", "core-one"))
        .await
        .unwrap();
    let rules = catalog.rules().await.unwrap();
    assert_eq!(names(&rules), ["web", "billing", "orders"]);
    assert_eq!(rules.applications[1], application("billing", "8443/tcp"));
    assert_eq!(rules.exporters, [exporter("10.0.0.1", "core-one")]);
    let id = catalog.collector_id().await.unwrap();
    assert_eq!(id.len(), 16);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    catalog.close().await;

    let again = Catalog::open(catalog.path()).await.unwrap();
    assert_eq!(again.rules().await.unwrap(), rules);
    assert_eq!(again.collector_id().await.unwrap(), id);
    assert_eq!(again.rules_version().await.unwrap(), 11);
    let mode = std::fs::metadata(again.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_name_may_have_several_rules_and_put_makes_them_one() {
    let (_folder, catalog) = fresh().await;
    let applications = vec![
        application("first", "1"),
        application("web", "80"),
        application("other", "2"),
        application("web", "8080"),
    ];
    let rules = Rules {
        applications,
        ..Rules::default()
    };
    catalog.set_rules(rules.clone()).await.unwrap();
    assert_eq!(catalog.rules().await.unwrap(), rules);
    catalog.move_application("web", 0).await.unwrap();
    let moved = catalog.rules().await.unwrap();
    assert_eq!(names(&moved), ["web", "web", "first", "other"]);
    assert_eq!(moved.applications[1], application("web", "8080"));
    catalog
        .put_application(application("web", "443"))
        .await
        .unwrap();
    assert_eq!(
        names(&catalog.rules().await.unwrap()),
        ["web", "first", "other"]
    );
}

#[tokio::test]
async fn rules_that_contradict_themselves_change_nothing() {
    let (_folder, catalog) = fresh().await;
    catalog
        .put_site(site("berlin", &["10.1.0.0/16"]))
        .await
        .unwrap();
    let before = (
        catalog.rules().await.unwrap(),
        catalog.rules_version().await.unwrap(),
    );
    let refused = catalog
        .put_site(site("hamburg", &["10.1.2.3/16"]))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "subnet 10.1.0.0/16 is in site 'berlin' and in site 'hamburg'"
    );
    catalog
        .put_site(site("berlin", &["10.1.0.0/16"]))
        .await
        .unwrap();
    for unknown in [
        catalog.delete_site("paris").await,
        catalog.delete_application("x").await,
        catalog.move_application("x", 0).await,
        catalog
            .delete_exporter_name("10.0.0.1".parse().unwrap())
            .await,
    ] {
        assert!(
            matches!(unknown, Err(CatalogError::Unknown { .. })),
            "{unknown:?}"
        );
    }
    let after = (
        catalog.rules().await.unwrap(),
        catalog.rules_version().await.unwrap(),
    );
    assert_eq!(after, before);
    catalog.delete_site("berlin").await.unwrap();
    assert_eq!(catalog.rules().await.unwrap(), Rules::default());
}

#[test]
fn every_contradiction_is_named() {
    let sites = |sites: Vec<Site>| Rules {
        sites,
        ..Rules::default()
    };
    let exporters = |exporters: Vec<ExporterName>| Rules {
        exporters,
        ..Rules::default()
    };
    let app = |name: &str| Rules {
        applications: vec![application(name, "1")],
        ..Rules::default()
    };
    let mut unsampled = exporter("10.0.0.1", "a");
    unsampled.sampling_interval = Some(0);
    let mut doubled = exporter("10.0.0.1", "a");
    doubled.interfaces.push(InterfaceName {
        index: 4,
        name: "again".into(),
    });
    for (rules, message) in [
        (app(" "), "application number 1 has no name"),
        (
            app("a\nb"),
            "the name of application \"a\\nb\" is longer than 200 characters or has control characters",
        ),
        (
            sites(vec![site("a", &[]), site("a", &[])]),
            "site 'a' is there twice",
        ),
        (
            exporters(vec![
                exporter("10.0.0.1", "a"),
                exporter("::ffff:10.0.0.1", "b"),
            ]),
            "exporter '::ffff:10.0.0.1' is there twice",
        ),
        (
            exporters(vec![unsampled]),
            "the sampling interval of exporter 10.0.0.1 can't be 0; 1 means that every packet is looked at",
        ),
        (exporters(vec![doubled]), "interface '4' is there twice"),
    ] {
        assert_eq!(check_rules(&rules).unwrap_err().to_string(), message);
    }
    let long = check_rules(&app(&"ä".repeat(201))).unwrap_err();
    assert!(matches!(long, RulesError::BadName("application", _)));
    check_rules(&app(&"ä".repeat(200))).unwrap();
    let many = sites(vec![Site::default(); 10_001]);
    assert_eq!(
        check_rules(&many),
        Err(RulesError::TooMany("sites", 10_000))
    );
}

#[tokio::test]
async fn a_hostile_name_is_only_a_name() {
    let (_folder, catalog) = fresh().await;
    let hostile = [
        "'; DROP TABLE applications; --",
        "\" OR \"1\"=\"1",
        "%_?1 $1 :a @b {c:String}",
        "[1, 2]",
        "null",
        "\u{202e}gnp.exe",
        "日本語 ☃ 🦀",
        "../../etc/passwd",
        "<script>alert(1)</script>",
    ];
    for name in hostile {
        catalog
            .put_application(application(name, "1"))
            .await
            .unwrap();
        catalog.begin_import(name, Timestamp::EPOCH).await.unwrap();
        catalog.set_setting(name, &name).await.unwrap();
        assert_eq!(
            catalog.setting::<String>(name).await.unwrap().as_deref(),
            Some(name)
        );
    }
    assert_eq!(names(&catalog.rules().await.unwrap()), hostile);
    let imports = catalog.imports().await.unwrap();
    assert_eq!(
        imports
            .iter()
            .map(|import| import.name.as_str())
            .collect::<Vec<_>>(),
        hostile
    );
    for name in hostile {
        catalog.delete_application(name).await.unwrap();
    }
    assert_eq!(catalog.rules().await.unwrap(), Rules::default());
}

#[tokio::test]
async fn an_import_has_a_number_of_its_own_for_ever() {
    let (_folder, catalog) = fresh().await;
    let at = Timestamp::from_seconds;
    let first = catalog.begin_import("a.pcap", at(1)).await.unwrap();
    let second = catalog.begin_import("a.pcap", at(2)).await.unwrap();
    let third = catalog.begin_import("c.pcap", at(3)).await.unwrap();
    assert_eq!([first, second, third], [Feed(1), Feed(2), Feed(3)]);
    let counts = ImportCounts {
        datagrams: 10,
        records: 300,
        first_received_at: Some(at(-5)),
        last_received_at: Some(at(7)),
    };
    catalog.import_on_tape(first, &counts).await.unwrap();
    catalog.finish_import(first, &counts, at(10)).await.unwrap();
    catalog
        .fail_import(second, &ImportCounts::default(), "not a capture", at(11))
        .await
        .unwrap();
    let twice = catalog
        .finish_import(first, &counts, at(12))
        .await
        .unwrap_err();
    assert_eq!(twice.to_string(), "the catalog has no running import '1'");
    assert_eq!(catalog.fail_interrupted_imports(at(13)).await.unwrap(), 1);
    let imports = catalog.imports().await.unwrap();
    assert_eq!(
        imports
            .iter()
            .map(|import| import.state)
            .collect::<Vec<_>>(),
        [ImportState::Done, ImportState::Failed, ImportState::Failed]
    );
    assert_eq!(
        (imports[0].counts, imports[0].finished_at),
        (counts, Some(at(10)))
    );
    assert_eq!(
        (imports[1].error.as_deref(), imports[1].started_at),
        (Some("not a capture"), at(2))
    );
    catalog.close().await;
    let again = Catalog::open(catalog.path()).await.unwrap();
    assert_eq!(again.imports().await.unwrap(), imports);
    assert_eq!(again.begin_import("d.pcap", at(20)).await.unwrap(), Feed(4));
}

#[tokio::test]
async fn a_catalog_of_a_newer_version_is_refused_and_left_alone() {
    let (_folder, catalog) = fresh().await;
    catalog
        .put_application(application("orders", "1"))
        .await
        .unwrap();
    catalog.close().await;
    let url = format!("sqlite://{}", catalog.path().display());
    let newer = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (999, 'tomorrow', 1, x'00', 0)",
    )
    .execute(&newer)
    .await
    .unwrap();
    newer.close().await;
    let before = std::fs::read(catalog.path()).unwrap();
    let refused = Catalog::open(catalog.path()).await.unwrap_err();
    let sentence = format!(
        "the catalog {} was made by a newer Flowreel (its version is 999, this program knows 10): start the newer program, or use another data directory",
        catalog.path().display()
    );
    assert_eq!(refused.to_string(), sentence);
    assert_eq!(std::fs::read(catalog.path()).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_catalog_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let text = "this is a letter to my aunt\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let refused = Catalog::open(&path).await.unwrap_err();
    assert!(
        matches!(refused, CatalogError::Unusable { .. }),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let nowhere = Catalog::open(&folder.path().join("missing/catalog.sqlite"))
        .await
        .unwrap_err();
    assert!(
        matches!(nowhere, CatalogError::Unusable { .. }),
        "{nowhere:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_states_while_others_write() {
    let (_folder, catalog) = fresh().await;
    let (writers, changes) = (3, 20);
    let mut tasks = Vec::new();
    for writer in 0..writers {
        // Another process would open it so.
        let catalog = Catalog::open(catalog.path()).await.unwrap();
        tasks.push(tokio::spawn(async move {
            for change in 0..changes {
                let name = format!("{writer}-{change}");
                let edit = move |rules: &mut Rules| {
                    rules.applications.push(application(&name, "1"));
                    rules.sites.push(site(&name, &[]));
                };
                catalog.edit_rules(edit).await.unwrap();
            }
        }));
    }
    let reader = catalog.clone();
    let reading = tokio::spawn(async move {
        let mut seen = 0;
        while seen < writers * changes {
            let rules = reader.rules().await.unwrap();
            assert_eq!(rules.applications.len(), rules.sites.len());
            assert!(
                rules.applications.len() >= seen,
                "a reader went back in time"
            );
            seen = rules.applications.len();
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    reading.await.unwrap();
    assert_eq!(catalog.rules_version().await.unwrap(), 60);
}

#[test]
fn the_catalog_comes_before_the_config_file_and_replaces_by_name() {
    let catalog = Rules {
        applications: vec![application("web", "443"), application("orders", "1")],
        sites: vec![site("berlin", &["10.1.0.0/16"])],
        exporters: vec![exporter("10.0.0.1", "core-1")],
    };
    let config = Rules {
        applications: vec![
            application("web", "80"),
            application("mail", "25"),
            application("web", "8080"),
        ],
        sites: vec![
            site("berlin", &["10.9.0.0/16"]),
            site("hamburg", &["10.1.2.3/16", "10.2.0.0/16"]),
        ],
        exporters: vec![
            exporter("::ffff:10.0.0.1", "old"),
            exporter("10.0.0.2", "core-2"),
        ],
    };
    let merged = merge(&catalog, &config);
    assert_eq!(names(&merged), ["web", "orders", "mail"]);
    assert_eq!(merged.applications[0], application("web", "443"));
    assert_eq!(
        merged.sites,
        [
            site("berlin", &["10.1.0.0/16"]),
            site("hamburg", &["10.2.0.0/16"])
        ]
    );
    assert_eq!(
        merged.exporters,
        [
            exporter("10.0.0.1", "core-1"),
            exporter("10.0.0.2", "core-2")
        ]
    );
    check_rules(&merged).unwrap();
    assert_eq!(merge(&Rules::default(), &config), config);
}

fn recording(name: &str, id: char) -> Recording {
    Recording {
        number: 0,
        id: id.to_string().repeat(32),
        name: name.to_owned(),
        state: RecordingState::Referenced,
        slice: Slice {
            arrived: Window {
                from: Timestamp::from_seconds(100),
                to: Timestamp::from_seconds(200),
            },
            filter: flow::Filter::parse("app orders").unwrap(),
        },
        scope: Scope::default(),
        owner: None,
        cut_by: "eve".to_owned(),
        cut_at: Timestamp::from_seconds(201),
        collector: "berlin".to_owned(),
        imported_at: None,
        anonymized: false,
        enrichment: Rules {
            applications: vec![application("orders", "5432")],
            ..Rules::default()
        },
        counts: RecordingCounts::default(),
    }
}

/// Sees every flow.
const ALL: Viewer<'_> = Viewer {
    name: None,
    scope: &Scope { only: None },
};

#[tokio::test]
async fn a_recording_is_shown_to_its_cutter_and_to_whoever_sees_the_same() {
    let (_folder, catalog) = fresh().await;
    let scope = |text| Scope::of(flow::Filter::parse(text).unwrap());
    let (berlin, paris) = (scope("site berlin"), scope("site paris"));
    let of_berlin = Recording {
        scope: berlin.clone(),
        owner: Some("eve".to_owned()),
        ..recording("berlin", 'a')
    };
    // From before there were accounts, or from elsewhere.
    let of_nobody = recording("nobody's", 'b');
    for one in [&of_berlin, &of_nobody] {
        catalog.add_recording(one).await.unwrap();
    }
    let (eve, mallory) = (Some("eve"), Some("mallory"));
    let shown = [
        ("berlin", eve, &berlin, true),
        ("berlin", mallory, &berlin, true),
        ("berlin", eve, &paris, true),
        ("berlin", mallory, &paris, false),
        ("berlin", None, &paris, false),
        ("nobody's", eve, &berlin, false),
        ("nobody's", None, &paris, false),
        ("nobody's", eve, ALL.scope, true),
        ("berlin", None, ALL.scope, true),
    ];
    for (recording, name, scope, is_shown) in shown {
        let found = catalog.recording(recording, Viewer { name, scope }).await;
        assert_eq!(found.is_ok(), is_shown, "{recording} {name:?} {scope:?}");
        if let Err(error) = found {
            let said = format!("the catalog has no recording '{recording}'");
            assert_eq!(error.to_string(), said);
        }
    }
    // Who sees something else by now is not told what is in it.
    let of_berlin = catalog.recording("berlin", ALL).await.unwrap();
    let tells = |name, scope| of_berlin.is_told_to(Viewer { name, scope });
    assert!(tells(mallory, &berlin) && tells(None, ALL.scope));
    assert!(!tells(eve, &paris));
}

#[tokio::test]
async fn a_recording_is_found_by_name_id_and_number_until_it_goes() {
    let (folder, catalog) = fresh().await;
    let cut = recording("friday", 'a');
    let number = catalog.add_recording(&cut).await.unwrap();
    catalog.close().await;
    let catalog = Catalog::open(&folder.path().join("catalog.sqlite"))
        .await
        .unwrap();
    let expected = Recording { number, ..cut };
    for name in ["friday", &"a".repeat(32), &number.to_string()] {
        assert_eq!(catalog.recording(name, ALL).await.unwrap(), expected);
    }
    let counts = RecordingCounts {
        datagrams: 3,
        flows: 50,
        exporters: 1,
        octets: 7000,
    };
    let to = Timestamp::from_seconds(150);
    let update = catalog.update_recording(
        number,
        (RecordingState::Referenced, RecordingState::Own),
        to,
        counts,
    );
    update.await.unwrap();
    let now = catalog.recording("friday", ALL).await.unwrap();
    assert_eq!((now.state, now.counts), (RecordingState::Own, counts));
    assert_eq!(now.slice.arrived.to, to);

    let update = catalog.update_recording(
        number,
        (RecordingState::Own, RecordingState::Deleting),
        to,
        counts,
    );
    update.await.unwrap();
    let error = catalog.recording("friday", ALL).await.unwrap_err();
    assert_eq!(error.to_string(), "the catalog has no recording 'friday'");
    catalog.forget_recording(number).await.unwrap();
    assert!(catalog.recordings().await.unwrap().is_empty());
    // Its number never comes again: folders and databases bear it.
    let next = catalog.add_recording(&recording("monday", 'b')).await;
    assert_eq!(next.unwrap(), number + 1);
}

#[tokio::test]
async fn a_recording_without_a_name_of_its_own_is_refused() {
    let (_folder, catalog) = fresh().await;
    catalog
        .add_recording(&recording("friday", 'a'))
        .await
        .unwrap();
    let refused = async |name: &str, id| {
        let added = catalog.add_recording(&recording(name, id)).await;
        added.unwrap_err().to_string()
    };
    assert_eq!(
        refused("friday", 'b').await,
        "the catalog has a recording 'friday' already"
    );
    assert!(refused("other", 'a').await.contains("the id 'aaaa"));
    for name in ["", " friday", "two\nlines", &"x".repeat(201)] {
        assert!(
            refused(name, 'c')
                .await
                .contains("is none: write 1 to 200 characters")
        );
    }
}

#[tokio::test]
async fn notes_are_in_the_order_of_their_moments_and_go_with_the_recording() {
    let (_folder, catalog) = fresh().await;
    let number = catalog
        .add_recording(&recording("friday", 'a'))
        .await
        .unwrap();
    let note = |at, text: &str| Note {
        at: Timestamp::from_seconds(at),
        written_by: "eve".to_owned(),
        written_at: Timestamp::from_seconds(300),
        text: text.to_owned(),
    };
    for one in [note(150, "later"), note(120, "<b>&amp;</b> \u{202e}")] {
        catalog.add_note(number, &one).await.unwrap();
    }
    let notes = catalog.notes(number).await.unwrap();
    assert_eq!(
        notes,
        [note(120, "<b>&amp;</b> \u{202e}"), note(150, "later")]
    );
    for text in [" ", &"x".repeat(10_001)] {
        let error = catalog.add_note(number, &note(1, text)).await.unwrap_err();
        assert_eq!(error.to_string(), "a note has 1 to 10000 octets");
    }
    catalog.forget_recording(number).await.unwrap();
    assert!(catalog.notes(number).await.unwrap().is_empty());
}
