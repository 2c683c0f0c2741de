//! A way to the engine that breaks: after so many requests no answer comes any more, as if the program had been killed
//! when the engine had just done what it was asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A socket in front of the engine's.
pub(crate) struct Cut {
    folder: TempDir,
    requests: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Cut {
    /// Passes on `answers_max` requests with their answers, and one more without.
    pub(crate) fn after(answers_max: u32, engine: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let requests = Arc::new(AtomicU32::new(0));
        let counted = requests.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (engine, counted) = (engine.clone(), counted.clone());
                tokio::spawn(async move {
                    // An error is a connection that one of both ended.
                    let _ = pass(client, &engine, &counted, answers_max).await;
                });
            }
        });
        Self {
            folder,
            requests,
            task,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Whether a request has been left without an answer.
    pub(crate) fn has_cut(&self, answers_max: u32) -> bool {
        self.requests.load(Ordering::SeqCst) > answers_max
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut client: UnixStream,
    engine: &Path,
    requests: &AtomicU32,
    answers_max: u32,
) -> std::io::Result<()> {
    let mut engine = UnixStream::connect(engine).await?;
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            octets = client.read(&mut asked) => {
                let octets = &asked[..octets?];
                // RFC 9112 §3: a request begins with its method; statements are posted.
                if octets.starts_with(b"POST ") && requests.fetch_add(1, Ordering::SeqCst) > answers_max {
                    return Ok(());
                }
                if octets.is_empty() {
                    return Ok(());
                }
                engine.write_all(octets).await?;
            }
            octets = engine.read(&mut answered) => {
                let octets = &answered[..octets?];
                if octets.is_empty() || requests.load(Ordering::SeqCst) > answers_max {
                    return Ok(());
                }
                client.write_all(octets).await?;
            }
        }
    }
}
