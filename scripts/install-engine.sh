#!/usr/bin/env bash
# Installs the engine library, the pinned release with its integrity check, where the program looks for it:
# engine-lib/ in FLOWREEL_ENGINE_DIR, by default ~/.cache/flowreel/engine. Instant if it is there already.
set -euo pipefail

pinned="$(cd "$(dirname "$0")/../store/engine/library" && pwd)"

say() { echo "install-engine.sh: $*" >&2; }

if [ -n "${FLOWREEL_ENGINE_LIBRARY:-}" ]; then
  [ -f "$FLOWREEL_ENGINE_LIBRARY" ] && exit 0
  say "FLOWREEL_ENGINE_LIBRARY names $FLOWREEL_ENGINE_LIBRARY, which is not there; unset it to install the library"
  exit 1
fi

if [ -z "${FLOWREEL_ENGINE_DIR:-}${XDG_CACHE_HOME:-}${HOME:-}" ]; then
  say "set FLOWREEL_ENGINE_DIR to the directory that shall hold the library"
  exit 1
fi
home="${FLOWREEL_ENGINE_DIR:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/flowreel/engine}"
installed="$home/engine-lib"

# The stamp is the lock file that the library was installed by.
current() { [ -f "$installed/libchdb.so" ] && cmp -s "$pinned/package-lock.json" "$installed/package-lock.json"; }

current && exit 0

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  say "there is no engine library for $(uname -s) on $(uname -m); set store.engine = \"clickhouse\" in the configuration,"
  say "or name a libchdb.so by FLOWREEL_ENGINE_LIBRARY"
  exit 1
fi
if ! command -v npm >/dev/null; then
  say "npm is needed to install the engine library; install it (apt-get install npm), then run the same command again"
  exit 1
fi

mkdir -p "$home"
# Two builds at once install it once.
exec 9>"$home/.lock"
flock 9
current && exit 0

staging="$(mktemp -d "$home/.staging.XXXXXX")"
trap 'rm -rf "$staging"' EXIT
cp "$pinned/package.json" "$pinned/package-lock.json" "$staging/"
echo "installing the engine library in $installed (about 600 MB)"
(cd "$staging" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)

mkdir "$staging/engine-lib"
mv "$staging"/node_modules/@chdb/lib-*/libchdb.so "$staging/package-lock.json" "$staging/engine-lib/"
rm -rf "$installed"
mv "$staging/engine-lib" "$installed"
