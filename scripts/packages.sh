#!/usr/bin/env bash
# Makes sure that Debian packages are installed: `packages.sh build` or `packages.sh build test`.
# As root it installs what is missing; as anybody else it says what to install and stops.
set -euo pipefail

build=(gcc libpcap-dev make pkg-config)
test=(fprobe iproute2 nfdump softflowd)

wanted=()
for set in "$@"; do
  case "$set" in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    *) echo "packages.sh: unknown set '$set'; there are: build, test" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  echo "packages.sh: this is not a Debian system; install what stands for: ${wanted[*]}" >&2
  exit 1
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "Flowreel needs Debian packages that are not installed here: ${missing[*]}" >&2
  echo "Install them as root (apt-get install ${missing[*]}), then run the same command again." >&2
  exit 1
fi

echo "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Another package manager may hold the lock for a while, as on a machine that has just been started.
apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
"${apt[@]}" update >/dev/null
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
