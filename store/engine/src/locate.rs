//! Where the engine library is.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::EngineError;

/// The library's file name.
const FILE: &str = "libchdb.so";

/// Finds the engine library.
///
/// Looked at, in this order: the file that `FLOWREEL_ENGINE_LIBRARY` names (nothing else then); next to the running
/// program and in `engine-lib/` there; `engine-lib/` under `FLOWREEL_ENGINE_DIR`, or else under
/// `$XDG_CACHE_HOME/flowreel/engine` or `~/.cache/flowreel/engine`, where `scripts/install-engine.sh` puts it.
///
/// # Errors
///
/// [`EngineError::NotInstalled`] with the places and the command that installs it; fatal at start.
pub fn locate() -> Result<PathBuf, EngineError> {
    let program = env::current_exe().ok();
    first_existing(places(program.as_deref(), |name| env::var_os(name)))
}

fn first_existing(looked: Vec<PathBuf>) -> Result<PathBuf, EngineError> {
    match looked.iter().find(|path| path.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(EngineError::NotInstalled { looked }),
    }
}

fn places(program: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let variable = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(named) = variable("FLOWREEL_ENGINE_LIBRARY") {
        return vec![named];
    }
    let mut looked = Vec::new();
    if let Some(folder) = program.and_then(Path::parent) {
        looked.push(folder.join(FILE));
        looked.push(folder.join("engine-lib").join(FILE));
    }
    let cache = variable("FLOWREEL_ENGINE_DIR").or_else(|| {
        variable("XDG_CACHE_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".cache")))
            .map(|cache| cache.join("flowreel").join("engine"))
    });
    looked.extend(cache.map(|cache| cache.join("engine-lib").join(FILE)));
    looked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(variables: &[(&str, &str)]) -> Vec<String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let places = places(Some(Path::new("/opt/bin/flowreel")), variable);
        places
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn the_variable_that_names_the_file_is_the_only_place() {
        let variables = [("FLOWREEL_ENGINE_LIBRARY", "/x/a.so"), ("HOME", "/root")];
        assert_eq!(looked(&variables), ["/x/a.so"]);
    }

    #[test]
    fn then_next_to_the_program_then_the_cache() {
        assert_eq!(
            looked(&[("HOME", "/home/ann"), ("FLOWREEL_ENGINE_LIBRARY", "")]),
            [
                "/opt/bin/libchdb.so",
                "/opt/bin/engine-lib/libchdb.so",
                "/home/ann/.cache/flowreel/engine/engine-lib/libchdb.so",
            ]
        );
        let moved = looked(&[
            ("HOME", "/home/ann"),
            ("FLOWREEL_ENGINE_DIR", "/var/engine"),
        ]);
        assert_eq!(
            moved.last().map(String::as_str),
            Some("/var/engine/engine-lib/libchdb.so")
        );
    }

    #[test]
    fn the_error_names_the_places_and_the_command() {
        let error = first_existing(vec!["/nowhere/a".into(), "/nowhere/b".into()]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("/nowhere/a, /nowhere/b"), "{text}");
        assert!(text.contains("scripts/install-engine.sh"), "{text}");
    }
}
