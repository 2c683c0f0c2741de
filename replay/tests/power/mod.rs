//! A disk that can lose its power: it keeps a journal of all changes, and lays out in another folder what a power cut may
//! have left of them.
//!
//! What was forced to disk is there. Of the rest anything may be there: each change of a name or none, each write whole,
//! torn at any octet, or some of its pages with zeros between. Only that a rename happens whole, and that what one file lost
//! no other has, is sure; that is what POSIX promises, and less than any file system of today gives.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use replay::disk::{Change, Refusal, Watch};

/// Where a disk loses or keeps parts of a write.
const PAGE: usize = 4096;

/// One change, as it is kept.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Create(PathBuf),
    Write(PathBuf, u64, Vec<u8>),
    Resize(PathBuf, u64),
    Sync(PathBuf),
    /// Forcing to disk failed: the system takes what was written for clean, and it is not on disk.
    Forgotten(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncNames(PathBuf),
}

/// Says which change is refused, and how: it is asked with the number of the change.
pub(crate) type Refuse = Box<dyn Fn(usize, &Change<'_>) -> Option<Refusal> + Send + Sync>;

/// The journal of one folder's disk.
#[derive(Default)]
pub(crate) struct Journal {
    kept: Mutex<Vec<Kept>>,
    refuse: Mutex<Option<Refuse>>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "journal of {} changes", self.len())
    }
}

impl Journal {
    /// Changes so far.
    pub(crate) fn len(&self) -> usize {
        self.kept().len()
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap()
    }

    /// From now on some changes are refused.
    pub(crate) fn refuse(
        &self,
        refuse: impl Fn(usize, &Change<'_>) -> Option<Refusal> + Send + Sync + 'static,
    ) {
        *self.refuse.lock().unwrap() = Some(Box::new(refuse));
    }

    /// Refuses the first change whose number is not below `first`, and those after it: `many` in all.
    pub(crate) fn refuse_some(
        &self,
        first: usize,
        many: usize,
        refusal: impl Fn(&Change<'_>) -> Option<Refusal> + Send + Sync + 'static,
    ) {
        let left = std::sync::atomic::AtomicUsize::new(many);
        self.refuse(move |number, change| {
            use std::sync::atomic::Ordering::Relaxed;
            let due = number >= first && left.load(Relaxed) > 0;
            if due {
                left.fetch_sub(1, Relaxed);
            }
            due.then(|| refusal(change)).flatten()
        });
    }

    /// Nothing is refused any more.
    pub(crate) fn allow(&self) {
        *self.refuse.lock().unwrap() = None;
    }
}

impl Watch for Journal {
    fn before(&self, change: Change<'_>) -> Result<(), Refusal> {
        let number = self.len();
        let refused = match &*self.refuse.lock().unwrap() {
            Some(refuse) => refuse(number, &change),
            None => None,
        };
        let happens = match (&refused, change) {
            (None, Change::Create(path)) => Some(Kept::Create(path.to_owned())),
            (None, Change::Write(path, at, octets)) => {
                Some(Kept::Write(path.to_owned(), at, octets.to_owned()))
            }
            (Some(refusal), Change::Write(path, at, octets)) => Some(Kept::Write(
                path.to_owned(),
                at,
                octets[..refusal.written.min(octets.len())].to_owned(),
            )),
            (None, Change::Resize(path, octets)) => Some(Kept::Resize(path.to_owned(), octets)),
            (None, Change::Sync(path)) => Some(Kept::Sync(path.to_owned())),
            (Some(_), Change::Sync(path)) => Some(Kept::Forgotten(path.to_owned())),
            (None, Change::Rename(from, to)) => Some(Kept::Rename(from.to_owned(), to.to_owned())),
            (None, Change::Remove(path)) => Some(Kept::Remove(path.to_owned())),
            (None, Change::SyncNames(folder)) => Some(Kept::SyncNames(folder.to_owned())),
            (Some(_), _) => None,
        };
        self.kept().extend(happens);
        refused.map_or(Ok(()), Err)
    }
}

/// A refusal with what the system would say.
pub(crate) fn refused(errno: i32, written: usize) -> Option<Refusal> {
    Some(Refusal {
        error: io::Error::from_raw_os_error(errno),
        written,
    })
}

/// What a power cut does to changes that were not forced to disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// All are lost.
    Lost,
    /// All have happened.
    Kept,
    /// Names have changed, what is in the files has not: they are empty, or as they were.
    NamesOnly,
    /// What is in the files has changed; the names have not.
    OctetsOnly,
    /// Each by chance.
    Chance(u64),
}

/// Lays out in `to` what is left of `from` if the power goes after these changes of what `before` holds.
pub(crate) fn cut(before: &Snapshot, changes: &[Kept], fate: Fate, from: &Path, to: &Path) {
    let mut machine = Machine::new(fate);
    machine.begin_with(before, from);
    for change in changes {
        machine.follow(change);
    }
    machine.lay_out(from, to);
}

/// What is in a folder and its folders, all of it on disk.
#[derive(Debug, Default)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, Vec<u8>>);

impl Snapshot {
    pub(crate) fn take(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = PathBuf::from(path.file_name().unwrap());
            if path.is_dir() {
                let inner = Self::take(&path).0.into_iter();
                files.extend(inner.map(|(inner, octets)| (name.join(inner), octets)));
            } else {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
        Self(files)
    }

    /// Lays it out in another folder.
    pub(crate) fn lay_out(&self, folder: &Path) {
        for (name, octets) in &self.0 {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), octets).unwrap();
        }
    }
}

#[derive(Debug, Default)]
struct File {
    /// On disk for sure.
    safe: Vec<u8>,
    pending: Vec<Octets>,
}

#[derive(Debug)]
enum Octets {
    Write(usize, Vec<u8>),
    Resize(usize),
}

/// What changes at once in the folder: each of these names then stands for this file, or for none.
type Names = Vec<(PathBuf, Option<usize>)>;

#[derive(Debug)]
struct Machine {
    files: Vec<File>,
    /// As the running program sees them.
    names: BTreeMap<PathBuf, usize>,
    safe_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<Names>,
    fate: Fate,
    chance: u64,
}

impl Machine {
    fn new(fate: Fate) -> Self {
        let seed = if let Fate::Chance(seed) = fate {
            seed
        } else {
            0
        };
        Self {
            files: Vec::new(),
            names: BTreeMap::new(),
            safe_names: BTreeMap::new(),
            pending_names: Vec::new(),
            fate,
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    fn chance(&mut self, below: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        usize::try_from(self.chance >> 11).unwrap() % below.max(1)
    }

    fn begin_with(&mut self, before: &Snapshot, root: &Path) {
        for (name, octets) in &before.0 {
            self.names.insert(root.join(name), self.files.len());
            self.files.push(File {
                safe: octets.clone(),
                pending: Vec::new(),
            });
        }
        self.safe_names.clone_from(&self.names);
    }

    fn follow(&mut self, change: &Kept) {
        match change {
            Kept::Create(path) => {
                let file = self.file(path);
                self.files[file].pending.push(Octets::Resize(0));
            }
            Kept::Write(path, at, octets) => {
                let file = self.file(path);
                let at = usize::try_from(*at).unwrap();
                self.files[file]
                    .pending
                    .push(Octets::Write(at, octets.clone()));
            }
            Kept::Resize(path, octets) => {
                let file = self.file(path);
                let octets = usize::try_from(*octets).unwrap();
                self.files[file].pending.push(Octets::Resize(octets));
            }
            Kept::Sync(path) => {
                // Through a handle, the name may be gone.
                if let Some(file) = self.names.get(path).map(|file| &mut self.files[*file]) {
                    for octets in std::mem::take(&mut file.pending) {
                        apply(&mut file.safe, &octets);
                    }
                }
            }
            Kept::Forgotten(path) => {
                if let Some(file) = self.names.get(path) {
                    self.files[*file].pending.clear();
                }
            }
            Kept::Rename(from, to) => {
                let file = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), file);
                self.pending_names
                    .push(vec![(from.clone(), None), (to.clone(), Some(file))]);
            }
            Kept::Remove(path) => {
                self.names.remove(path);
                self.pending_names.push(vec![(path.clone(), None)]);
            }
            Kept::SyncNames(folder) => {
                let here = |names: &mut Names| names[0].0.parent() == Some(folder);
                for names in self.pending_names.extract_if(.., here) {
                    rename(&mut self.safe_names, names);
                }
            }
        }
    }

    /// The file of this name, made if it is not there.
    fn file(&mut self, path: &Path) -> usize {
        if let Some(file) = self.names.get(path) {
            return *file;
        }
        let file = self.files.len();
        self.files.push(File::default());
        self.names.insert(path.to_owned(), file);
        self.pending_names.push(vec![(path.to_owned(), Some(file))]);
        file
    }

    fn lay_out(mut self, from: &Path, to: &Path) {
        for names in std::mem::take(&mut self.pending_names) {
            let happened = match self.fate {
                Fate::Lost | Fate::OctetsOnly => false,
                Fate::Kept | Fate::NamesOnly => true,
                Fate::Chance(_) => self.chance(2) == 0,
            };
            if happened {
                rename(&mut self.safe_names, names);
            }
        }
        for number in 0..self.files.len() {
            self.settle(number);
        }
        for (path, file) in &self.safe_names {
            let path = to.join(path.strip_prefix(from).unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &self.files[*file].safe).unwrap();
        }
    }

    /// What is in a file after the power cut.
    fn settle(&mut self, number: usize) {
        let pending = std::mem::take(&mut self.files[number].pending);
        match self.fate {
            Fate::Lost | Fate::NamesOnly => {}
            Fate::Kept | Fate::OctetsOnly => {
                for octets in &pending {
                    apply(&mut self.files[number].safe, octets);
                }
            }
            Fate::Chance(_) => {
                let in_order = self.chance(2) == 0;
                let kept = self.chance(pending.len() + 1);
                for (at, octets) in pending.iter().enumerate() {
                    let happened = match in_order {
                        true => at < kept,
                        false => self.chance(2) == 0,
                    };
                    if happened {
                        apply(&mut self.files[number].safe, octets);
                    } else if self.chance(2) == 0 {
                        self.tear(number, octets);
                    }
                    if in_order && !happened {
                        break;
                    }
                }
            }
        }
    }

    /// A part of one write: up to some octet, or some of its pages, with its whole length.
    fn tear(&mut self, number: usize, octets: &Octets) {
        let Octets::Write(at, octets) = octets else {
            return;
        };
        if self.chance(2) == 0 {
            let kept = self.chance(octets.len() + 1);
            let part = Octets::Write(*at, octets[..kept].to_vec());
            apply(&mut self.files[number].safe, &part);
            return;
        }
        let end = at + octets.len();
        let mut from = *at;
        while from < end {
            let to = ((from / PAGE + 1) * PAGE).min(end);
            if self.chance(2) == 0 {
                let part = Octets::Write(from, octets[from - at..to - at].to_vec());
                apply(&mut self.files[number].safe, &part);
            }
            from = to;
        }
        let safe = &mut self.files[number].safe;
        if safe.len() < end {
            safe.resize(end, 0);
        }
    }
}

fn apply(file: &mut Vec<u8>, octets: &Octets) {
    match octets {
        Octets::Resize(length) => file.resize(*length, 0),
        Octets::Write(at, octets) => {
            let end = at + octets.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[*at..end].copy_from_slice(octets);
        }
    }
}

fn rename(folder: &mut BTreeMap<PathBuf, usize>, names: Names) {
    for (path, file) in names {
        match file {
            Some(file) => drop(folder.insert(path, file)),
            None => drop(folder.remove(&path)),
        }
    }
}
