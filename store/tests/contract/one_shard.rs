//! A cluster of one shard in the embedded engine: Distributed tables over local ones, with macros and a cluster by
//! configuration, as on a real one.
//!
//! The engine as a library has no port for other servers, hence no `ON CLUSTER`, and replicated tables stay read-only. So a
//! socket in front of it takes both out of the statements; everything else is what a cluster would be told. The cluster that
//! `FLOWREEL_TEST_CLICKHOUSE_CLUSTER` names is told all of it.

use std::path::Path;

use store::Config;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::places::Running;

/// Its name in the engine's configuration.
const NAME: &str = "one_shard";

/// Of the engine: a cluster whose only server is this one, by the port that it would have.
const SERVER: &str = "<clickhouse>
    <tcp_port>9000</tcp_port>
    <macros><shard>1</shard><replica>a</replica></macros>
    <remote_servers><one_shard><shard><internal_replication>true</internal_replication>
        <replica><host>127.0.0.1</host><port>9000</port></replica>
    </shard></one_shard></remote_servers>
</clickhouse>
";

/// Of its user: what the embedded store never needs.
const USER: &str = "<clickhouse><users><default><grants>
    <query>GRANT ALL ON *.*</query>
</grants></default></users></clickhouse>
";

/// The engine and the way to it.
pub(crate) struct OneShard {
    engine: Running,
    _folder: TempDir,
    url: String,
}

impl OneShard {
    /// `None` where no library is installed.
    pub(crate) async fn start() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        for (place, text) in [("engine.d", SERVER), ("engine-users.d", USER)] {
            let place = folder.path().join("data").join(place);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join("cluster.xml"), text).unwrap();
        }
        let engine = Running::start_in(folder.path()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let socket = engine.socket();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let socket = socket.clone();
                // An error is a connection that one of both ended.
                tokio::spawn(async move { pass(client, &socket).await.ok() });
            }
        });
        Some(Self {
            engine,
            _folder: folder,
            url,
        })
    }

    /// Runs a statement past the store.
    pub(crate) async fn run(&self, statement: &str) -> String {
        self.engine.run(statement).await
    }

    pub(crate) fn config(&self, database: String) -> Config {
        Config {
            engine: store::config::Engine::Clickhouse,
            url: Some(self.url.clone()),
            cluster: Some(NAME.to_owned()),
            database,
            ..Config::default()
        }
    }
}

/// Requests and answers in turn; statements that make or change tables are gathered whole, and changed.
async fn pass(mut client: TcpStream, socket: &Path) -> std::io::Result<()> {
    let mut engine = UnixStream::connect(socket).await?;
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut begins = true;
    loop {
        tokio::select! {
            octets = client.read(&mut asked) => {
                let octets = &asked[..octets?];
                if octets.is_empty() {
                    return Ok(());
                }
                if begins {
                    let request = whole(octets.to_vec(), &mut client).await?;
                    engine.write_all(&changed(request)).await?;
                } else {
                    engine.write_all(octets).await?;
                }
                begins = false;
            }
            octets = engine.read(&mut answered) => {
                let octets = &answered[..octets?];
                if octets.is_empty() {
                    return Ok(());
                }
                begins = true;
                client.write_all(octets).await?;
            }
        }
    }
}

/// RFC 9112 §6.2: a body of a known length is read to its end. One in chunks is data, and is passed on as it comes.
async fn whole(mut request: Vec<u8>, client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut more = vec![0; 1 << 16];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = length_of(head);
            if length.is_none_or(|length| body.len() >= length) {
                return Ok(request);
            }
        }
        let octets = client.read(&mut more).await?;
        if octets == 0 {
            return Ok(request);
        }
        request.extend(&more[..octets]);
    }
}

fn length_of(head: &str) -> Option<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, length) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

fn changed(request: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&request).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return request;
    };
    let changes = ["CREATE ", "ALTER ", "DELETE ", "DROP "];
    if length_of(head).is_none() || !changes.iter().any(|word| body.starts_with(word)) {
        return request;
    }
    let body = body.replace(&format!(" ON CLUSTER {NAME}"), "");
    let body = match body.split_once("ENGINE = Replicated") {
        Some((before, after)) => {
            let (engine, rest) = after.split_once('(').unwrap();
            let (place, rest) = rest.split_once(')').unwrap();
            // The first two arguments are where in Keeper the replicas meet.
            let own: Vec<&str> = place.split(", ").skip(2).collect();
            format!("{before}ENGINE = {engine}({}){rest}", own.join(", "))
        }
        None => body,
    };
    let lines = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("content-length"));
    let lines: Vec<&str> = lines.collect();
    let head = lines.join("\r\n");
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
