#!/usr/bin/env bash
# Installs DuckDB for tests, the pinned release with its integrity check: readers/ in FLOWREEL_TOOLS_DIR, by default
# ~/.cache/flowreel/tools. Instant if it is there already.
set -euo pipefail

pinned="$(cd "$(dirname "$0")/../tests/readers" && pwd)"
tools=${FLOWREEL_TOOLS_DIR:-$HOME/.cache/flowreel/tools}
installed="$tools/readers"

# The stamp is the lock file that it was installed by.
current() { cmp -s "$pinned/package-lock.json" "$installed/package-lock.json"; }

if ! current; then
  mkdir -p "$tools"
  # Two builds at once install it once.
  exec 9>"$tools/.readers.lock"
  flock 9
  if ! current; then
    staging="$(mktemp -d "$tools/.staging.XXXXXX")"
    trap 'rm -rf "$staging"' EXIT
    cp "$pinned/package.json" "$pinned/.npmrc" "$staging/"
    cp "$pinned/package-lock.json" "$staging/"
    echo "installing DuckDB for tests in $installed (about 70 MB)"
    (cd "$staging" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
    rm -rf "$installed"
    mv "$staging" "$installed"
  fi
fi
cp "$pinned/question.mjs" "$installed/"
