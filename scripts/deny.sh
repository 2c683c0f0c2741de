#!/usr/bin/env bash
# Checks licences, bans and sources of everything that is linked in; advisories too where their database can be fetched.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=${FLOWREEL_TOOLS_DIR:-$HOME/.cache/flowreel/tools}
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -qF "$version"; then
  echo "building cargo-deny $version (once, a few minutes)"
  cargo install --quiet --locked --no-default-features --root "$tools" --target-dir "$tools/build" "cargo-deny@$version"
  rm -rf "$tools/build"
fi

deny() { "$tools/bin/cargo-deny" --log-level error "$@"; }

deny check licenses bans sources
# A database that can't be fetched is no finding.
if timeout 20 "$tools/bin/cargo-deny" --log-level off fetch db >/dev/null 2>&1; then
  deny --offline check advisories
else
  echo "advisories: not checked, their database can't be fetched from here"
fi
