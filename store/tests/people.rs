//! People in the catalog, on real files: accounts, sessions, tokens, the first admin, and a log that cannot be changed unnoticed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use flow::Timestamp;
use serde_json::json;
use sqlx::SqlitePool;
use store::catalog::{
    Account, AccountChange, Act, AuditQuery, Broken, Catalog, CatalogError, Deed, Identity,
    NewAccount, NewSession, NewToken, Role,
};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const DAY: Duration = Duration::from_secs(86_400);

async fn fresh() -> (TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&folder.path().join("catalog.db"))
        .await
        .unwrap();
    (folder, catalog)
}

fn new(name: &str, role: Role) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        shown_name: name.to_uppercase(),
        email: None,
        role,
        scope: String::new(),
        password: Some("hash".to_owned()),
        made_by: "operator".to_owned(),
    }
}

async fn made(catalog: &Catalog, name: &str, role: Role) -> Account {
    catalog.add_account(&new(name, role), NOW).await.unwrap()
}

fn wrong<T: std::fmt::Debug>(result: Result<T, CatalogError>) -> String {
    match result.unwrap_err() {
        CatalogError::Wrong(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_signs_on_elsewhere_has_one_account_and_takes_nobodys() {
    let (_folder, catalog) = fresh().await;
    made(&catalog, "anna", Role::Admin).await;
    let at = |issuer: &str, subject: &str| Identity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
    };
    let one = at("https://login.example", "7");
    let said = |name: &str, role| NewAccount {
        password: None,
        ..new(name, role)
    };
    let taken = catalog.take_in(&one, &said("anna", Role::Admin), NOW).await;
    assert!(matches!(taken, Err(CatalogError::Taken { .. })));
    let ben = catalog
        .take_in(&one, &said("ben", Role::Manager), NOW)
        .await;
    let ben = ben.unwrap();
    assert_eq!((ben.name.as_str(), ben.role), ("ben", Role::Manager));
    // Another name and role later: it is the same account, under its first name.
    let said_later = said("benjamin", Role::Engineer);
    let later = catalog.take_in(&one, &said_later, NOW).await.unwrap();
    assert_eq!((later.number, later.name.as_str()), (ben.number, "ben"));
    assert_eq!(
        (later.role, later.shown_name.as_str()),
        (Role::Engineer, "BENJAMIN")
    );
    // The same word of another provider is somebody else.
    let other = at("https://other.example", "7");
    let taken = catalog
        .take_in(&other, &said("ben", Role::Manager), NOW)
        .await;
    assert!(matches!(taken, Err(CatalogError::Taken { .. })));
    assert!(wrong(catalog.set_password("ben", "hash").await).contains("OpenID"));

    let session = NewSession {
        digest: [1; 32],
        account: ben.number,
        address: None,
        agent: "",
    };
    catalog.begin_session(&session, NOW).await.unwrap();
    let out = catalog.shut_out(&one).await.unwrap();
    assert_eq!(out.map(|it| it.name).as_deref(), Some("ben"));
    assert_eq!(catalog.session(&[1; 32]).await.unwrap(), None);
    assert_eq!(
        catalog
            .shut_out(&at("https://login.example", "8"))
            .await
            .unwrap(),
        None
    );
    let long = at("https://login.example", &"x".repeat(256));
    wrong(
        catalog
            .take_in(&long, &said("carla", Role::Manager), NOW)
            .await,
    );
}

#[tokio::test]
async fn accounts_are_told_apart_by_name_and_say_what_can_be() {
    let (_folder, catalog) = fresh().await;
    let anna = made(&catalog, "anna", Role::Engineer).await;
    assert_eq!(
        catalog.account("anna").await.unwrap(),
        Some((anna.clone(), Some("hash".to_owned())))
    );
    assert_eq!(catalog.account("Anna").await.unwrap(), None);
    let again = catalog.add_account(&new("anna", Role::Admin), NOW).await;
    assert!(matches!(again, Err(CatalogError::Taken { .. })));
    let long = "x".repeat(101);
    for name in [
        "",
        " ",
        "Anna",
        "an na",
        "a\u{1b}[2J",
        "a\u{202e}b",
        "operator",
        &long,
    ] {
        wrong(catalog.add_account(&new(name, Role::Manager), NOW).await);
    }
    let scope = |role, scope: &str| NewAccount {
        scope: scope.to_owned(),
        ..new("ben", role)
    };
    let why = wrong(
        catalog
            .add_account(&scope(Role::Manager, "site"), NOW)
            .await,
    );
    assert!(why.starts_with("the scope"), "{why}");
    wrong(
        catalog
            .add_account(&scope(Role::Admin, "site berlin"), NOW)
            .await,
    );
    let email = NewAccount {
        email: Some("a@b.example\r\nBcc: c@d.example".to_owned()),
        ..new("ben", Role::Manager)
    };
    wrong(catalog.add_account(&email, NOW).await);
    assert_eq!(catalog.accounts().await.unwrap(), [anna]);
}

#[tokio::test]
async fn a_change_is_whole_and_leaves_an_admin() {
    let (_folder, catalog) = fresh().await;
    made(&catalog, "anna", Role::Admin).await;
    let change = |role, disabled| AccountChange {
        role,
        disabled,
        ..AccountChange::default()
    };
    wrong(
        catalog
            .change_account("anna", &change(Some(Role::Manager), None))
            .await,
    );
    wrong(
        catalog
            .change_account("anna", &change(None, Some(true)))
            .await,
    );
    let (anna, _) = catalog.account("anna").await.unwrap().unwrap();
    assert_eq!((anna.role, anna.disabled), (Role::Admin, false));
    made(&catalog, "ben", Role::Admin).await;
    let change = AccountChange {
        role: Some(Role::ApplicationOwner),
        scope: Some("app erp".to_owned()),
        email: Some("anna@example.org".to_owned()),
        ..AccountChange::default()
    };
    let changed = catalog.change_account("anna", &change).await.unwrap();
    assert_eq!(
        (changed.role, changed.scope.as_str()),
        (Role::ApplicationOwner, "app erp")
    );
    let unknown = catalog.change_account("carl", &change).await;
    assert!(matches!(unknown, Err(CatalogError::Unknown { .. })));
}

fn session(digest: u8, account: u32) -> NewSession<'static> {
    NewSession {
        digest: [digest; 32],
        account,
        address: Some("10.1.2.3".to_owned()),
        agent: "Browser\u{1b}[2J",
    }
}

#[tokio::test]
async fn sessions_end_alone_all_together_and_with_the_account() {
    let (_folder, catalog) = fresh().await;
    let (anna, ben) = (
        made(&catalog, "anna", Role::Admin).await,
        made(&catalog, "ben", Role::EndUser).await,
    );
    let first = catalog
        .begin_session(&session(1, ben.number), NOW)
        .await
        .unwrap();
    for digest in [2, 3] {
        catalog
            .begin_session(&session(digest, ben.number), NOW + DAY)
            .await
            .unwrap();
    }
    catalog
        .begin_session(&session(4, anna.number), NOW)
        .await
        .unwrap();
    let (found, whose) = catalog.session(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((found.number, &whose), (first, &ben));
    assert_eq!(found.agent, "Browser[2J");
    assert!(catalog.session(&[9; 32]).await.unwrap().is_none());
    // Of others nobody ends any.
    assert_eq!(
        catalog
            .end_sessions(anna.number, Some(first))
            .await
            .unwrap(),
        0
    );
    catalog
        .expire_sessions(NOW + Duration::from_secs(1), NOW)
        .await
        .unwrap();
    assert!(catalog.session(&[1; 32]).await.unwrap().is_none());
    assert_eq!(catalog.sessions(ben.number).await.unwrap().len(), 2);
    assert_eq!(catalog.set_password("ben", "other").await.unwrap(), 2);
    catalog
        .begin_session(&session(5, ben.number), NOW)
        .await
        .unwrap();
    let disabled = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    catalog.change_account("ben", &disabled).await.unwrap();
    assert!(catalog.session(&[5; 32]).await.unwrap().is_none());
}

#[tokio::test]
async fn of_many_sessions_the_least_recently_seen_ends() {
    let (_folder, catalog) = fresh().await;
    let anna = made(&catalog, "anna", Role::Admin).await;
    for digest in 0..60 {
        let at = NOW + Duration::from_secs(u64::from(digest));
        catalog
            .begin_session(&session(digest, anna.number), at)
            .await
            .unwrap();
    }
    assert_eq!(catalog.sessions(anna.number).await.unwrap().len(), 50);
    assert!(catalog.session(&[9; 32]).await.unwrap().is_none());
    assert!(catalog.session(&[10; 32]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_token_ends_by_time_by_hand_and_with_its_owner() {
    let (_folder, catalog) = fresh().await;
    let anna = made(&catalog, "anna", Role::Admin).await;
    let ben = made(&catalog, "ben", Role::Engineer).await;
    let token = |digest, owner: &Account, name: &str| NewToken {
        digest: [digest; 32],
        owner: owner.number,
        name: name.to_owned(),
        role: Role::Manager,
        scope: "site berlin".to_owned(),
        expires_at: NOW + DAY,
    };
    let nightly = catalog
        .add_token(&token(1, &ben, "nightly"), NOW)
        .await
        .unwrap();
    let taken = catalog.add_token(&token(2, &ben, "nightly"), NOW).await;
    assert!(matches!(taken, Err(CatalogError::Taken { .. })));
    let last = NOW + DAY - Duration::from_nanos(1);
    assert_eq!(
        catalog.token(&[1; 32], last).await.unwrap(),
        Some((nightly.clone(), ben.clone()))
    );
    assert_eq!(catalog.token(&[1; 32], NOW + DAY).await.unwrap(), None);
    // Of others nobody ends any.
    assert!(
        !catalog
            .revoke_token(anna.number, nightly.number)
            .await
            .unwrap()
    );
    assert!(
        catalog
            .revoke_token(ben.number, nightly.number)
            .await
            .unwrap()
    );
    assert_eq!(catalog.token(&[1; 32], NOW).await.unwrap(), None);
    catalog
        .add_token(&token(3, &ben, "other"), NOW)
        .await
        .unwrap();
    let disabled = |disabled| AccountChange {
        disabled: Some(disabled),
        ..AccountChange::default()
    };
    catalog
        .change_account("ben", &disabled(true))
        .await
        .unwrap();
    catalog
        .change_account("ben", &disabled(false))
        .await
        .unwrap();
    assert_eq!(catalog.token(&[3; 32], NOW).await.unwrap(), None);
}

#[tokio::test]
async fn the_welcome_makes_one_account_and_only_the_first() {
    let (_folder, catalog) = fresh().await;
    let admin = new("anna", Role::Admin);
    assert!(catalog.renew_welcome(&[1; 32], NOW).await.unwrap());
    // The next start prints another one.
    assert!(catalog.renew_welcome(&[2; 32], NOW).await.unwrap());
    assert!(!catalog.is_welcome(&[1; 32]).await.unwrap());
    assert!(
        catalog
            .use_welcome(&[1; 32], &admin, NOW)
            .await
            .unwrap()
            .is_none()
    );
    // What was written wrongly can be mended.
    let misspelt = new("An na", Role::Admin);
    wrong(catalog.use_welcome(&[2; 32], &misspelt, NOW).await);
    assert!(catalog.is_welcome(&[2; 32]).await.unwrap());
    let uses = (0..8).map(|number| {
        let catalog = catalog.clone();
        let admin = new(&format!("anna{number}"), Role::Admin);
        tokio::spawn(async move { catalog.use_welcome(&[2; 32], &admin, NOW).await.unwrap() })
    });
    let mut made = 0;
    for used in uses.collect::<Vec<_>>() {
        made += usize::from(used.await.unwrap().is_some());
    }
    assert_eq!((made, catalog.accounts().await.unwrap().len()), (1, 1));
    assert!(!catalog.renew_welcome(&[3; 32], NOW).await.unwrap());
    assert!(!catalog.is_welcome(&[3; 32]).await.unwrap());
}

fn deed(what: Act, object: &str) -> Deed {
    Deed {
        who: "anna".to_owned(),
        account: Some(1),
        token: None,
        address: Some("10.1.2.3".to_owned()),
        what,
        object: object.to_owned(),
        detail: json!({}),
    }
}

/// A log of so many entries, closed, and its file opened without our program.
async fn log(entries: u32) -> (TempDir, SqlitePool) {
    let (folder, catalog) = fresh().await;
    for number in 0..entries {
        let deed = deed(Act::RecordingCut, &number.to_string());
        catalog.write_down(&deed, NOW).await.unwrap();
    }
    assert_eq!(catalog.check_audit().await.unwrap().broken, None);
    catalog.close().await;
    let url = format!("sqlite:{}", folder.path().join("catalog.db").display());
    (folder, SqlitePool::connect(&url).await.unwrap())
}

/// What our program finds after these statements, by somebody who may write to the file.
async fn found_after(entries: u32, statements: &[&'static str]) -> Option<Broken> {
    let (folder, pool) = log(entries).await;
    for trigger in ["audit_is_not_changed", "audit_is_kept"] {
        let statement = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}"));
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    for statement in statements {
        sqlx::query(*statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let catalog = Catalog::open(&folder.path().join("catalog.db"))
        .await
        .unwrap();
    catalog.check_audit().await.unwrap().broken
}

#[tokio::test]
async fn a_log_that_was_changed_is_found_out() {
    let changed = |number| Some(Broken::Changed { number });
    let missing = |number| Some(Broken::Missing { number });
    assert_eq!(found_after(9, &[]).await, None);
    for statement in [
        "UPDATE audit SET object = 'other' WHERE number = 5",
        "UPDATE audit SET who = '' WHERE number = 5",
        "UPDATE audit SET at = at + 1 WHERE number = 5",
        "UPDATE audit SET account = NULL WHERE number = 5",
        "UPDATE audit SET address = NULL WHERE number = 5",
        "UPDATE audit SET detail = '{ }' WHERE number = 5",
        "UPDATE audit SET digest = zeroblob(32) WHERE number = 5",
    ] {
        assert_eq!(
            found_after(9, &[statement]).await,
            changed(5),
            "{statement}"
        );
    }
    for (number, statement) in [
        (1, "DELETE FROM audit WHERE number = 1"),
        (5, "DELETE FROM audit WHERE number = 5"),
        (9, "DELETE FROM audit WHERE number = 9"),
        (1, "DELETE FROM audit"),
    ] {
        assert_eq!(
            found_after(9, &[statement]).await,
            missing(number),
            "{statement}"
        );
    }
    let swapped = [
        "UPDATE audit SET number = 99 WHERE number = 4",
        "UPDATE audit SET number = 4 WHERE number = 5",
        "UPDATE audit SET number = 5 WHERE number = 99",
    ];
    assert_eq!(found_after(9, &swapped).await, changed(4));
    let closed_up = [
        "DELETE FROM audit WHERE number = 4",
        "UPDATE audit SET number = number - 1 WHERE number > 4",
        "UPDATE sqlite_sequence SET seq = 8 WHERE name = 'audit'",
    ];
    assert_eq!(found_after(9, &closed_up).await, changed(4));
    let beheaded = [
        "UPDATE audit_head SET number = 4, digest = (SELECT digest FROM audit WHERE number = 4)",
        "DELETE FROM audit WHERE number <= 4",
    ];
    assert_eq!(
        found_after(9, &beheaded).await,
        Some(Broken::Beheaded { number: 4 })
    );
}

#[tokio::test]
async fn rows_of_the_log_stay_as_they_are() {
    let (_folder, pool) = log(3).await;
    for statement in [
        "UPDATE audit SET object = 'other' WHERE number = 2",
        "DELETE FROM audit WHERE number = 3",
        "DELETE FROM audit_head",
    ] {
        let error = sqlx::query(statement).execute(&pool).await.unwrap_err();
        assert!(error.to_string().contains("the audit log"), "{error}");
    }
    let kept: u32 = sqlx::query_scalar("SELECT count(*) FROM audit")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(kept, 3);
}

/// By Python's `hashlib.sha256(before + json.dumps(row, ensure_ascii=False, separators=(',', ':')).encode())`.
#[tokio::test]
async fn digests_are_those_that_others_compute() {
    let (_folder, catalog) = fresh().await;
    let cut = Deed {
        detail: json!({ "filter": "app \"erp\"" }),
        ..deed(Act::RecordingCut, "fri\tday ü")
    };
    catalog.write_down(&cut, NOW).await.unwrap();
    let check = catalog.check_audit().await.unwrap();
    assert_eq!(
        (check.entries, check.last, check.digest.as_str()),
        (
            1,
            1,
            "684dad606c6c49d333c23723eae5a4b395b2fa1d47618e4f189ed1045dd03c34"
        )
    );
    let failed = Deed {
        who: String::new(),
        account: None,
        address: None,
        ..deed(Act::SignOnFailed, "")
    };
    let later = NOW + Duration::from_secs(1);
    catalog.write_down(&failed, later).await.unwrap();
    assert_eq!(
        catalog.check_audit().await.unwrap().digest,
        "5ab8c38da8da16fca71269ef16cfd912a74ed0d0fd9160a07ed078d08e847a1c"
    );
}

#[tokio::test]
async fn a_long_log_loses_its_oldest_and_says_so() {
    let (_folder, catalog) = fresh().await;
    for number in 0..20 {
        let deed = deed(Act::RecordingCut, &number.to_string());
        catalog.write_down(&deed, NOW).await.unwrap();
    }
    catalog.shorten_audit(20, NOW).await.unwrap();
    assert_eq!(catalog.check_audit().await.unwrap().entries, 20);
    for kept in [8, 5] {
        catalog.shorten_audit(kept, NOW).await.unwrap();
        let check = catalog.check_audit().await.unwrap();
        assert_eq!((check.broken, check.entries), (None, u64::from(kept)));
        catalog
            .write_down(&deed(Act::Replayed, "after"), NOW)
            .await
            .unwrap();
    }
    let query = AuditQuery {
        limit: 100,
        ..AuditQuery::default()
    };
    let entries = catalog.audit(&query).await.unwrap();
    let acts: Vec<Act> = entries.iter().map(|entry| entry.what).collect();
    use Act::{LogShortened as Shortened, RecordingCut as Cut, Replayed};
    assert_eq!(acts, [Replayed, Shortened, Replayed, Shortened, Cut, Cut]);
    assert_eq!(entries[1].detail["through"], 18);
}

#[tokio::test]
async fn entries_are_found_by_who_what_and_number_and_long_ones_are_cut() {
    let (_folder, catalog) = fresh().await;
    let long = Deed {
        detail: json!({ "text": "x".repeat(10_000) }),
        ..deed(Act::NoteWritten, &"ü".repeat(1000))
    };
    catalog.write_down(&long, NOW).await.unwrap();
    for who in ["anna", "ben"] {
        let deed = Deed {
            who: who.to_owned(),
            ..deed(Act::Refused, "GET /metrics")
        };
        catalog.write_down(&deed, NOW).await.unwrap();
    }
    let asked = async |who: Option<&str>, what, before| {
        let query = AuditQuery {
            before,
            who: who.map(str::to_owned),
            what,
            limit: 100,
        };
        let found = catalog.audit(&query).await.unwrap();
        found.iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(asked(None, None, None).await, [3, 2, 1]);
    assert_eq!(asked(Some("anna"), None, None).await, [2, 1]);
    assert_eq!(asked(Some("anna"), Some(Act::Refused), None).await, [2]);
    assert_eq!(asked(None, None, Some(3)).await, [2, 1]);
    let cut = catalog
        .audit(&AuditQuery {
            before: Some(2),
            limit: 1,
            ..AuditQuery::default()
        })
        .await
        .unwrap();
    assert_eq!(cut[0].object.chars().count(), 300);
    assert_eq!(cut[0].detail["octets_left_out"], 10_011);
}
