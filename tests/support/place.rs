//! Where a data directory is: a folder, or a small disk of its own that can be filled.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::eventually;

/// A data directory, which is kept if the test fails.
pub(crate) struct Place {
    folder: Option<tempfile::TempDir>,
    disk: Option<Disk>,
    inside: PathBuf,
}

/// A file system in memory, mounted in a name space that a sleeping process holds.
struct Disk {
    holder: Child,
}

impl Place {
    /// A folder on the machine's disk.
    pub(crate) fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("data");
        Self {
            folder: Some(folder),
            disk: None,
            inside,
        }
    }

    /// A disk of so many MiB. `None` where this machine does not let us mount one, which is an error in CI.
    pub(crate) fn disk(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path().join("disk");
        std::fs::create_dir(&mount).unwrap();
        let script = "mount -t tmpfs -o size=$1m,mode=700 flowreel-test \"$2\" && mkdir \"$2/data\" && exec cat";
        let size = mebibytes.to_string();
        let mount_text = mount.to_str().unwrap();
        // As root a name space for mounts is enough; others get one in which they are root.
        let user: &[&str] = match nix::unistd::geteuid().is_root() {
            true => &[],
            false => &["--user", "--map-root-user"],
        };
        let mut holder = Command::new("unshare")
            .args(user)
            .args(["--mount", "sh", "-c", script, "sh", &size, mount_text])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let inside = mount.join("data");
        let outside = through(&holder, &inside);
        let made = eventually("the small disk is there", || match holder.try_wait() {
            Ok(None) => outside.is_dir().then_some(true),
            _ => Some(false),
        });
        if !made {
            assert!(
                std::env::var_os("CI").is_none(),
                "CI must let us mount a tmpfs in a name space of our own"
            );
            eprintln!("skipped: this machine does not let us mount a small disk");
            return None;
        }
        Some(Self {
            folder: Some(folder),
            disk: Some(Disk { holder }),
            inside,
        })
    }

    /// Its path for the server.
    pub(crate) fn inside(&self) -> &Path {
        &self.inside
    }

    /// Its path for the test.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.disk {
            Some(disk) => through(&disk.holder, &self.inside),
            None => self.inside.clone(),
        }
    }

    /// What a command is put behind so that it sees the disk.
    pub(crate) fn entrance(&self) -> Vec<OsString> {
        let Some(disk) = &self.disk else {
            return Vec::new();
        };
        let target = disk.holder.id().to_string();
        let mut words = vec!["nsenter", "--target", &target, "--mount"];
        if !nix::unistd::geteuid().is_root() {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.into_iter().map(OsString::from).collect()
    }

    /// Fills the disk to its last octet.
    pub(crate) fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        for size in [1 << 20, 4096] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path().with_file_name("ballast")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(folder) = self.folder.take() else {
            return;
        };
        if std::thread::panicking() {
            let kept = folder.keep();
            if self.disk.is_some() {
                let copied = Command::new("cp")
                    .arg("-a")
                    .arg(self.path())
                    .arg(kept.join("data"))
                    .status();
                eprintln!("copied from the small disk: {copied:?}");
            }
            eprintln!(
                "the data directory is kept: {}",
                kept.join("data").display()
            );
        }
        if let Some(mut disk) = self.disk.take() {
            let _ = disk.holder.kill();
            let _ = disk.holder.wait();
        }
    }
}

/// A path as a process sees it.
fn through(process: &Child, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", process.id()));
    root.join(path.strip_prefix("/").unwrap())
}
