//! Every fault case has a test, and `docs/faults.md` says where.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const CASES: u32 = 52;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

/// Files of this checkout that have a test function of each case.
fn tests() -> BTreeMap<u32, Vec<String>> {
    let mut paths = Vec::new();
    sources(&root(), &mut paths);
    let mut tests = BTreeMap::<u32, Vec<String>>::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        for case in text.split("fn case_").skip(1).filter_map(number) {
            let files = tests.entry(case).or_default();
            if !files.contains(&name) {
                files.push(name.clone());
            }
        }
    }
    tests
}

/// The number before the first underscore: `07_two_routers…` is 7.
fn number(text: &str) -> Option<u32> {
    text.split('_').next()?.parse().ok()
}

/// The rows of the table: the case, and the files that its last column names.
fn rows() -> BTreeMap<u32, Vec<String>> {
    let text = fs::read_to_string(root().join("docs/faults.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let case = cells.first()?.parse().ok()?;
            let files = cells.last()?.split('`').skip(1).step_by(2);
            Some((case, files.map(str::to_owned).collect()))
        })
        .collect()
}

#[test]
fn every_case_has_a_test_where_the_table_says() {
    let (tests, rows) = (tests(), rows());
    for case in 1..=CASES {
        let files = tests.get(&case).map_or(&[][..], Vec::as_slice);
        assert!(!files.is_empty(), "no test is called case_{case:02}_…");
        let named = rows
            .get(&case)
            .unwrap_or_else(|| panic!("docs/faults.md has no case {case}"));
        assert!(
            !named.is_empty(),
            "docs/faults.md names no test of case {case}"
        );
        for file in named {
            assert!(
                files.contains(file),
                "{file} has no test called case_{case:02}_…: {files:?}"
            );
        }
    }
    assert_eq!(rows.len(), usize::try_from(CASES).unwrap());
}
