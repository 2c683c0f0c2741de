//! A server on which people sign on, and somebody who asks it as a browser or a program does.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::http::{Answer, exchange};
use super::listening::Listening;
use super::{Launch, Server, eventually};

/// What everybody's password is here.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The roles, those that may least first.
pub(crate) const ROLES: [&str; 6] = [
    "end_user",
    "manager",
    "application_owner",
    "help_desk",
    "engineer",
    "admin",
];

/// A server with sign-on; mostly without a store, as what is tried is who may ask.
pub(crate) struct Office {
    pub(crate) server: Server,
    folder: tempfile::TempDir,
}

impl Office {
    /// Starts one with no account, which logs all that it may.
    pub(crate) fn open() -> Self {
        Self::with(&[])
    }

    /// The same, with these settings besides.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = start(folder.path(), "none", settings);
        Self { server, folder }
    }

    /// The same, with a store that answers.
    pub(crate) fn with_a_store() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = start(folder.path(), "embedded", &[]);
        server.wait_until_ready();
        Self { server, folder }
    }

    /// Starts one with an account of each role, which bears its name.
    pub(crate) fn staffed() -> (Self, Visitor) {
        let this = Self::open();
        let mut admin = this.first_admin();
        for role in ROLES.iter().filter(|role| **role != "admin") {
            admin.make_account(role, role);
        }
        (this, admin)
    }

    /// Makes the first account, by the link that was printed.
    pub(crate) fn first_admin(&self) -> Visitor {
        let mut admin = self.visitor();
        let link = self.link().unwrap();
        let made = json!({"token": link, "name": "admin", "password": PASSWORD});
        assert_eq!(admin.send("POST", "/api/v1/welcome", &made).status, 200);
        admin
    }

    /// Ends the server and starts it again.
    pub(crate) fn restart(self) -> Self {
        let Self { server, folder } = self;
        server.stop();
        let server = start(folder.path(), "none", &[]);
        Self { server, folder }
    }

    /// Kills the server and starts it again, with these settings.
    pub(crate) fn killed(self, settings: &[(&str, &str)]) -> Self {
        let Self { server, folder } = self;
        server.kill();
        let server = start(folder.path(), "none", settings);
        Self { server, folder }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the last start printed behind the `#` of its link.
    pub(crate) fn link(&self) -> Option<String> {
        let printed = self.printed();
        let last = printed.lines().last()?;
        Some(last.split_once("/welcome#")?.1.to_owned())
    }

    /// All that it has printed since its last start.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said.out")).unwrap()
    }

    /// All that it has logged since its last start.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said.err")).unwrap()
    }

    /// Somebody whom nobody knows.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor {
            http: self.server.running.http,
            shows: None,
        }
    }

    /// Somebody who has signed on.
    pub(crate) fn signed_on(&self, name: &str) -> Visitor {
        let mut visitor = self.visitor();
        let answer = visitor.sign_on(name, PASSWORD);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        visitor
    }

    /// A program with this token.
    pub(crate) fn program(&self, token: &str) -> Visitor {
        Visitor {
            shows: Some(("Authorization", format!("Bearer {token}"))),
            ..self.visitor()
        }
    }
}

fn start(folder: &Path, store: &str, settings: &[(&str, &str)]) -> Server {
    let usual = [
        ("FLOWREEL_SIGN_ON", "required"),
        ("FLOWREEL_STORE__ENGINE", store),
        ("FLOWREEL_LOG__LEVEL", "debug"),
    ];
    let settings = usual.iter().chain(settings);
    let launch = Launch {
        environment: settings
            .map(|(name, value)| ((*name).to_owned(), OsString::from(*value)))
            .collect(),
        said: Some(folder.join("said")),
        ..Launch::of(&folder.join("data"))
    };
    for ending in ["said.out", "said.err"] {
        let _ = std::fs::remove_file(folder.join(ending));
    }
    let server = Server::receiving(&launch, "127.0.0.1:0");
    eventually("the server says that it is there", || {
        let log = std::fs::read_to_string(folder.join("said.err")).unwrap();
        log.contains("flowreel is receiving").then_some(())
    });
    server
}

/// Somebody who asks. Cookies are kept as a browser does.
#[derive(Clone)]
pub(crate) struct Visitor {
    http: std::net::SocketAddr,
    /// The header that they are known by.
    shows: Option<(&'static str, String)>,
}

impl Visitor {
    /// Asks, with these header lines besides.
    pub(crate) fn ask_with(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut headers = more.to_vec();
        let shown = self.shows.clone();
        headers.extend(shown.iter().map(|(name, value)| (*name, value.as_str())));
        let answer = exchange(self.http, method, path, &headers, body);
        if let Some(cookie) = answer.header("set-cookie") {
            let cookie = cookie.split(';').next().unwrap();
            let is_taken = cookie.ends_with('=');
            self.shows = (!is_taken).then(|| ("Cookie", cookie.to_owned()));
        }
        answer
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask_with("GET", path, &[], b"")
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let json = [("Content-Type", "application/json")];
        self.ask_with(method, path, &json, body.to_string().as_bytes())
    }

    pub(crate) fn sign_on(&mut self, name: &str, password: &str) -> Answer {
        let body = json!({"name": name, "password": password});
        self.send("POST", "/api/v1/sign-on", &body)
    }

    /// As an admin.
    pub(crate) fn make_account(&mut self, name: &str, role: &str) {
        let wanted = json!({"name": name, "role": role, "password": PASSWORD});
        let answer = self.send("POST", "/api/v1/accounts", &wanted);
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
    }

    /// Makes a token for an hour, and returns its secret.
    pub(crate) fn make_token(&mut self, name: &str, role: &str, scope: &str) -> String {
        let until = flow::clock::now() + std::time::Duration::from_secs(3600);
        let wanted = json!({"name": name, "role": role, "scope": scope, "expires_at": until});
        let answer = self.send("POST", "/api/v1/me/tokens", &wanted);
        assert_eq!(answer.status, 201, "{name}: {}", answer.text);
        answer.json()["secret"].as_str().unwrap().to_owned()
    }

    /// Whether they are known: the status of who am I.
    pub(crate) fn is_known(&mut self) -> bool {
        let status = self.get("/api/v1/me").status;
        assert!([200, 401].contains(&status), "{status}");
        status == 200
    }

    /// Listens to a player.
    pub(crate) fn listen(&self, server: &Server, id: &str) -> Listening {
        let shown = self.shows.as_ref();
        Listening::with(
            server,
            id,
            shown.map(|(name, value)| (*name, value.as_str())),
        )
    }

    /// The secret of the cookie, or the token.
    pub(crate) fn secret(&self) -> String {
        let (_, value) = self.shows.as_ref().unwrap();
        value.rsplit(['=', ' ']).next().unwrap().to_owned()
    }
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_else(|_| panic!("{}", self.text))
    }
}
