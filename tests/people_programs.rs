//! Programs that ask on somebody's behalf, the command line, what is written down, and what never is.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use flow::clock;
use serde_json::{Value, json};
use simulator::encode::fixed::{FixedHeader, FixedRecord, FixedVersion, datagram};
use support::people::{Office, PASSWORD};
use support::{binary, eventually, printed};

#[test]
fn a_token_may_do_no_more_than_its_owner_and_ends() {
    let (office, mut admin) = Office::staffed();
    let mut engineer = office.signed_on("engineer");
    let secret = engineer.make_token("nightly", "manager", "site berlin");
    let mut program = office.program(&secret);
    let me = program.get("/api/v1/me").json();
    assert_eq!(
        (&me["name"], &me["role"]),
        (&json!("engineer"), &json!("manager"))
    );
    assert_eq!(me["scope"], "site berlin");
    assert_eq!(program.get("/api/v1/recordings").status, 200);
    assert_eq!(program.get("/api/v1/accounting").status, 403);
    // It makes nothing that outlives it, and no session.
    for (method, path) in [
        ("POST", "/api/v1/me/tokens"),
        ("POST", "/api/v1/me/password"),
        ("POST", "/api/v1/sign-off"),
        ("DELETE", "/api/v1/me/sessions"),
    ] {
        let answer = program.send(method, path, &json!({}));
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (403, None),
            "{path}"
        );
    }
    let wanted = |role: &str, scope: &str, seconds: i64| {
        let until = clock::now().offset(seconds * 1_000_000_000);
        json!({"name": "t", "role": role, "scope": scope, "expires_at": until})
    };
    for wrong in [
        wanted("admin", "", 60),
        wanted("manager", "site", 60),
        wanted("manager", "", -60),
        wanted("manager", "", 400 * 86_400),
        json!({"name": "t", "role": "manager"}),
    ] {
        let answer = engineer.send("POST", "/api/v1/me/tokens", &wrong);
        assert_eq!(answer.status, 400, "{wrong}");
    }
    // Its owner is narrowed and demoted, and so is it.
    let change = json!({"role": "end_user", "scope": "app erp"});
    assert_eq!(
        admin
            .send("PATCH", "/api/v1/accounts/engineer", &change)
            .status,
        200
    );
    let me = program.get("/api/v1/me").json();
    assert_eq!(me["role"], "end_user");
    let scope = me["scope"].as_str().unwrap();
    for part in ["app erp", "site berlin", "ip 127.0.0.1"] {
        assert!(scope.contains(part), "{scope}");
    }
    // It ends by hand.
    let listed = engineer.get("/api/v1/me/tokens");
    assert!(!listed.text.contains(&secret), "{}", listed.text);
    let path = format!("/api/v1/me/tokens/{}", listed.json()[0]["number"]);
    assert_eq!(admin.send("DELETE", &path, &json!({})).status, 404);
    assert!(program.is_known());
    assert_eq!(engineer.send("DELETE", &path, &json!({})).status, 204);
    assert!(!program.is_known());
    // And by itself.
    let answer = engineer.send("POST", "/api/v1/me/tokens", &wanted("end_user", "", 2));
    let mut program = office.program(answer.json()["secret"].as_str().unwrap());
    eventually("the token has ended", || {
        (!program.is_known()).then_some(())
    });
    for wrong in ["flr_", "", "flr_AAAA", &secret[4..]] {
        assert!(!office.program(wrong).is_known(), "{wrong}");
    }
}

#[test]
fn a_token_makes_no_account_beyond_its_owner() {
    let (office, mut admin) = Office::staffed();
    let make = |token: &str, name: &str| {
        let wanted = json!({"name": name, "role": "admin", "password": PASSWORD});
        office
            .program(token)
            .send("POST", "/api/v1/accounts", &wanted)
            .status
    };
    assert_eq!(make(&admin.make_token("less", "engineer", ""), "a"), 403);
    assert_eq!(
        make(&admin.make_token("narrow", "admin", "site berlin"), "b"),
        403
    );
    let whole = admin.make_token("whole", "admin", "");
    assert_eq!(make(&whole, "c"), 201);
    admin.make_account("boss", "admin");
    let change = json!({"role": "engineer"});
    let mut boss = office.signed_on("boss");
    assert_eq!(
        boss.send("PATCH", "/api/v1/accounts/admin", &change).status,
        200
    );
    assert_eq!(make(&whole, "d"), 403);
    let names: Vec<Value> = boss
        .get("/api/v1/accounts")
        .json()
        .as_array()
        .unwrap()
        .clone();
    let names: Vec<&str> = names
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(
        !names.iter().any(|name| ["a", "b", "d"].contains(name)),
        "{names:?}"
    );
}

fn ask(office: &Office, environment: &[(&str, &str)], more: &[&str]) -> Output {
    Command::new(binary())
        .args([
            "exporters",
            "--format",
            "json",
            "--server",
            &office.server.url(),
        ])
        .args(more)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_command_line_is_known_by_a_token_or_on_the_servers_own_machine() {
    let (office, mut admin) = Office::staffed();
    let data_dir = office.data_dir();
    let data_dir = data_dir.to_str().unwrap();
    let nobody = tempfile::tempdir().unwrap();
    let nobody = nobody.path().to_str().unwrap();
    let elsewhere = ("FLOWREEL_DATA_DIR", nobody);
    let refused = ask(&office, &[elsewhere], &[]);
    let errors = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{errors}");
    assert!(errors.contains("FLOWREEL_TOKEN"), "{errors}");
    printed(&ask(&office, &[("FLOWREEL_DATA_DIR", data_dir)], &[]));
    let token = admin.make_token("cli", "engineer", "");
    printed(&ask(&office, &[elsewhere, ("FLOWREEL_TOKEN", &token)], &[]));
    let file = Path::new(nobody).join("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let file = file.to_str().unwrap();
    printed(&ask(&office, &[elsewhere], &["--token-file", file]));
    printed(&ask(
        &office,
        &[elsewhere, ("FLOWREEL_TOKEN_FILE", file)],
        &[],
    ));
    let missing = ask(&office, &[elsewhere], &["--token-file", "/no/such"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/no/such"));
    // The file is for one user, for one run of the server.
    let path = office.data_dir().join("operator.token");
    let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
    let old = std::fs::read_to_string(&path).unwrap();
    let office = office.restart();
    assert!(!office.program(old.trim()).is_known());
    let new = std::fs::read_to_string(&path).unwrap();
    assert!(office.program(new.trim()).is_known());
}

#[test]
fn the_operators_token_is_shown_to_no_other_program_of_this_machine() {
    let office = Office::open();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap();
        // Nor where it sends whoever asks.
        let answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let output = Command::new(binary())
        .args(["exporters", "--server", &url])
        .env("FLOWREEL_DATA_DIR", office.data_dir())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let asked = asked.join().unwrap().to_lowercase();
    assert!(asked.contains("get /api/v1/exporters"), "{asked}");
    assert!(!asked.contains("authorization"), "{asked}");
}

#[test]
fn what_is_done_is_written_down_and_a_changed_log_is_found_out() {
    let (office, mut admin) = Office::staffed();
    assert_eq!(
        office
            .visitor()
            .sign_on("manager", "a wrong password")
            .status,
        401
    );
    assert_eq!(office.visitor().sign_on("my-own-password", "x").status, 401);
    let mut manager = office.signed_on("manager");
    assert_eq!(manager.get("/metrics").status, 403);
    let rules = json!({"application": [{"name": "erp", "ports": [4711]}]});
    let mut engineer = office.signed_on("engineer");
    let token = engineer.make_token("ci", "engineer", "");
    assert_eq!(
        office
            .program(&token)
            .send("PUT", "/api/v1/rules", &rules)
            .status,
        200
    );
    assert_eq!(
        manager.send("POST", "/api/v1/sign-off", &json!({})).status,
        204
    );

    let entries = admin.get("/api/v1/audit?limit=1000").json();
    let entries = entries.as_array().unwrap();
    let of = |what: &str| -> Vec<&Value> {
        entries
            .iter()
            .filter(|entry| entry["what"] == what)
            .collect()
    };
    assert!(entries.iter().all(|entry| entry["address"] == "127.0.0.1"));
    assert_eq!(of("welcomed")[0]["who"], "admin");
    let made: Vec<&Value> = of("account_made")
        .iter()
        .map(|entry| &entry["object"])
        .collect();
    assert_eq!(
        made,
        [
            "engineer",
            "help_desk",
            "application_owner",
            "manager",
            "end_user"
        ]
    );
    let failed: Vec<&Value> = of("sign_on_failed")
        .iter()
        .map(|entry| &entry["object"])
        .collect();
    assert_eq!(failed, ["", "manager"]);
    let refused = of("refused")[0];
    assert_eq!(
        (&refused["who"], &refused["object"]),
        (&json!("manager"), &json!("GET /metrics"))
    );
    let changed = of("rules_changed")[0];
    assert_eq!(changed["who"], "engineer");
    assert!(changed["token"].is_number() && changed["account"].is_number());
    assert_eq!(of("signed_off")[0]["who"], "manager");
    assert_eq!(of("signed_on").len(), 2);
    let asked = admin.get("/api/v1/audit?who=manager&what=refused").json();
    assert_eq!(asked.as_array().unwrap().len(), 1);
    assert_eq!(admin.get("/api/v1/audit?what=nonsense").status, 400);

    let data_dir = office.data_dir();
    let check = || support::flowreel(&["audit", "check", "--data-dir", data_dir.to_str().unwrap()]);
    let said = printed(&check());
    assert!(
        said.contains(&format!("{} entries", entries.len())),
        "{said}"
    );
    office.server.stop();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", data_dir.join("catalog.db").display());
        let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
        for statement in [
            "DROP TRIGGER audit_is_not_changed",
            "UPDATE audit SET who = 'manager' WHERE what = 'rules_changed'",
        ] {
            sqlx::query(statement).execute(&pool).await.unwrap();
        }
        pool.close().await;
    });
    let found = check();
    let errors = String::from_utf8(found.stderr).unwrap();
    assert_eq!(found.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains(&format!("entry {}", changed["number"])),
        "{errors}"
    );
}

#[test]
fn recordings_bear_the_name_of_who_has_signed_on_and_are_written_down() {
    let office = Office::with_a_store();
    let mut admin = office.first_admin();
    admin.make_account("engineer", "engineer");
    let mut engineer = office.signed_on("engineer");
    let header = FixedHeader {
        unix_seconds: u32::try_from(clock::now().seconds()).unwrap(),
        ..FixedHeader::default()
    };
    let flow = datagram(FixedVersion::V5, header, &[FixedRecord::default()]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&flow, office.server.udp()).unwrap();
    eventually("the datagram is on tape", || {
        let books = engineer.get("/api/v1/accounting").json();
        (books["datagrams"]["stored"] == 1).then_some(())
    });
    // Whoever else they say that they are.
    let to = clock::now();
    let from = to - std::time::Duration::from_secs(60);
    let cut = json!({"name": "friday", "from": from, "to": to, "by": "somebody else"});
    let cut = engineer.send("POST", "/api/v1/recordings", &cut);
    assert_eq!(cut.status, 201, "{}", cut.text);
    assert_eq!(cut.json()["cut_by"], "engineer");
    let note = json!({"text": "slow here", "by": "somebody else"});
    let noted = engineer.send("POST", "/api/v1/recordings/friday/notes", &note);
    assert_eq!(noted.json()["notes"][0]["written_by"], "engineer");
    let operator = std::fs::read_to_string(office.data_dir().join("operator.token")).unwrap();
    let note = json!({"text": "fast here", "by": "night shift"});
    let mut operator = office.program(operator.trim());
    let noted = operator.send("POST", "/api/v1/recordings/friday/notes", &note);
    assert!(
        noted.text.contains("\"written_by\":\"night shift\""),
        "{}",
        noted.text
    );
    let views = json!({"a": {"top": {"dimension": "clients"}}});
    let play = json!({"recording": "friday", "views": views});
    assert_eq!(engineer.send("POST", "/api/v1/players", &play).status, 201);
    for what in ["recording_cut", "note_written", "replayed"] {
        let path = format!("/api/v1/audit?who=engineer&what={what}");
        let entries = admin.get(&path).json();
        assert_eq!(entries[0]["object"], "friday", "{what}: {entries}");
    }
}

#[test]
fn who_is_refused_often_does_not_fill_the_log() {
    let (office, mut admin) = Office::staffed();
    let mut manager = office.signed_on("manager");
    for _ in 0..200 {
        assert_eq!(manager.get("/metrics").status, 403);
    }
    let entries = admin.get("/api/v1/audit?what=refused&limit=1000").json();
    let count = entries.as_array().unwrap().len();
    assert!((20..100).contains(&count), "{count}");
    // What was left out is counted in the next that is written.
    let counted = eventually("the next is written", || {
        assert_eq!(manager.get("/metrics").status, 403);
        let entries = admin.get("/api/v1/audit?what=refused&limit=1").json();
        entries[0]["detail"]["left_out_before"].as_u64()
    });
    assert!(counted > 0);
}

#[test]
fn no_secret_is_in_a_log() {
    let (office, mut admin) = Office::staffed();
    let link = std::fs::read_to_string(office.data_dir().join("operator.token")).unwrap();
    let mut secrets = vec![link.trim().to_owned(), PASSWORD.to_owned(), admin.secret()];
    let wrong = "a wrong password 4711";
    assert_eq!(office.visitor().sign_on("manager", wrong).status, 401);
    let mut manager = office.signed_on("manager");
    let token = manager.make_token("ci", "manager", "");
    assert!(office.program(&token).is_known());
    let other = "another long sentence";
    secrets.extend([wrong.to_owned(), manager.secret(), token, other.to_owned()]);
    let change = json!({"old": PASSWORD, "new": other});
    assert_eq!(
        manager.send("POST", "/api/v1/me/password", &change).status,
        200
    );
    let reset = json!({"password": "yet another sentence"});
    let path = "/api/v1/accounts/manager/password";
    assert_eq!(admin.send("POST", path, &reset).status, 204);
    secrets.extend([manager.secret(), "yet another sentence".to_owned()]);
    let audit = admin.get("/api/v1/audit?limit=1000").text;
    let database = std::fs::read(office.data_dir().join("catalog.db")).unwrap();
    let behind = std::fs::read(office.data_dir().join("catalog.db-wal")).unwrap_or_default();
    let stored = String::from_utf8_lossy(&[database, behind].concat()).into_owned();
    let log = office.log();
    assert!(log.contains("DEBUG"), "{log}");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is logged");
        assert!(
            !audit.contains(secret.as_str()),
            "{secret} is in the audit log"
        );
        assert!(!stored.contains(secret.as_str()), "{secret} is stored");
    }
    // What a new server prints for the first admin is on standard output only.
    let empty = Office::open();
    let link = empty.link().unwrap();
    assert!(!empty.log().contains(&link));
}
