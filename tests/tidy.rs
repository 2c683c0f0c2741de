//! Tidy is a test: who may import whom, docs name files that exist, scripts are complete.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each crate may depend on. Any other edge fails.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("flow", &[]),
    ("collector", &["flow"]),
    ("replay", &["flow"]),
    ("store", &["flow"]),
    ("store/engine", &[]),
    ("api", &["flow", "store", "replay"]),
    ("simulator", &["flow"]),
    ("ui", &["flow"]),
    (
        ".",
        &[
            "flow",
            "collector",
            "replay",
            "store",
            "engine",
            "api",
            "simulator",
            "ui",
        ],
    ),
];

/// Which of our crates each crate's own tests may use besides: to make input, or to run the real thing.
const TESTS_MAY_IMPORT: &[(&str, &[&str])] =
    &[("collector", &["simulator"]), ("store", &["engine"])];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    fs::read_to_string(&path)
        .unwrap()
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn crates_import_only_whom_they_may() {
    let names: Vec<String> = MAY_IMPORT
        .iter()
        .map(|(folder, _)| {
            manifest(folder)["package"]["name"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let members = manifest(".")["workspace"]["members"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(
        members + 1,
        names.len(),
        "a crate is missing in the table of this test"
    );
    let nothing = &[][..];
    for (folder, allowed) in MAY_IMPORT {
        let for_tests = TESTS_MAY_IMPORT.iter().find(|(tested, _)| tested == folder);
        let for_tests = for_tests.map_or(nothing, |(_, names)| *names);
        for (table, allowed) in [
            ("dependencies", *allowed),
            ("build-dependencies", nothing),
            ("dev-dependencies", &[*allowed, for_tests].concat()),
        ] {
            let manifest = manifest(folder);
            let Some(found) = manifest.get(table).and_then(toml::Value::as_table) else {
                continue;
            };
            for name in found.keys().filter(|name| names.contains(name)) {
                assert!(
                    allowed.contains(&name.as_str()),
                    "{folder}: {name} in [{table}]"
                );
            }
        }
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for (folder, _) in MAY_IMPORT
        .iter()
        .filter(|(folder, _)| *folder != "store/engine")
    {
        assert_eq!(
            manifest(folder)["lints"]["workspace"].as_bool(),
            Some(true),
            "{folder}"
        );
    }
}

#[test]
fn only_the_engine_may_be_unsafe() {
    let mut found = BTreeMap::new();
    for file in sources(root()) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let uses = code
            .filter(|line| line.contains("unsafe {") || line.contains("unsafe fn"))
            .count();
        if uses > 0 && !file.starts_with(root().join("store/engine")) {
            found.insert(file, uses);
        }
    }
    found.remove(&root().join("tests/tidy.rs"));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn docs_name_files_that_exist() {
    let mut documents: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    documents.extend(
        fs::read_dir(root().join("docs"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    for document in documents
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
    {
        for (line, path) in named_files(&fs::read_to_string(document).unwrap()) {
            let beside = document.parent().unwrap().join(&path);
            let exists = root().join(&path).exists() || beside.exists();
            assert!(exists, "{}:{line} names {path}", document.display());
        }
    }
}

/// Paths in backticks with a folder and an ending, and the targets of relative links.
fn named_files(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let quoted = line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| looks_like_a_path(word));
        let linked = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next());
        let linked = linked.filter(|target| !target.is_empty() && !target.contains("://"));
        found.extend(
            quoted
                .chain(linked)
                .map(|path| (index + 1, path.to_owned())),
        );
    }
    found
}

fn looks_like_a_path(word: &str) -> bool {
    let plain = word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let ours = [
        "flow/",
        "collector/",
        "replay/",
        "store/",
        "api/",
        "src/",
        "simulator/",
        "ui/",
        "docs/",
        "scripts/",
        "tests/",
    ];
    plain && ours.iter().any(|folder| word.starts_with(folder))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found
}
