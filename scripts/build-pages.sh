#!/usr/bin/env bash
# Builds the pages that the binary embeds: ui/web/dist. Instant if nothing has changed. `build-pages.sh packages` installs only
# what building and checking them needs.
set -euo pipefail
cd "$(dirname "$0")/../ui/web"

if ! command -v npm >/dev/null || ! node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'; then
  echo "build-pages.sh: the pages are built with Node.js 20.19 or newer and npm; install them, then run the same command again" >&2
  exit 1
fi

# Two builds at once do it once.
exec 9>.build.lock
flock 9

# The stamp is the lock file that the packages were installed by.
if ! cmp -s package-lock.json node_modules/.installed-by; then
  echo "installing what builds the pages (about 200 MB)"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  cp package-lock.json node_modules/.installed-by
fi
[ "${1:-}" != packages ] || exit 0

# The stamp is the digest of everything that pages are made of.
made_of=$(find src public index.html openapi.json package-lock.json package.json ./*.config.* tsconfig.json -type f ! -name schema.d.ts -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
stamp=node_modules/.built-of
if [ ! -f dist/index.html ] || [ "$made_of" != "$(cat "$stamp" 2>/dev/null)" ]; then
  npm run --silent build
  printf '%s\n' "$made_of" >"$stamp"
fi
