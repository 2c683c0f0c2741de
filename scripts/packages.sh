#!/usr/bin/env bash
# Makes sure that Debian packages are installed: `packages.sh build test fuzz pictures`, or some of these.
# As root it installs what is missing; as anybody else it says what to install and stops.
# It never starts a service: nfdump's would take UDP port 2055, which is ours, and fprobe's would watch eth0.
set -euo pipefail

build=(gcc libpcap-dev make pkg-config)
test=(chromium fonts-dejavu-core fprobe iproute2 libfaketime nfdump python3 softflowd tshark) # softflowd's package holds softflowctl too
fuzz=(g++ python3)
pictures=(pngquant)
services=(fprobe nfdump softflowd)

wanted=()
for set in "$@"; do
  case "$set" in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    fuzz) wanted+=("${fuzz[@]}") ;;
    pictures) wanted+=("${pictures[@]}") ;;
    *) echo "packages.sh: unknown set '$set'; there are: build, test, fuzz, pictures" >&2; exit 2 ;;
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
  echo "Run $0 $* as root, then the same command again: it installs them without starting the services" >&2
  echo "that some of them bring." >&2
  exit 1
fi

# While packages are set up, their services ask this file whether they may start (invoke-rc.d(8)); 101 is no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

echo "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Another package manager may hold the lock for a while, as on a machine that has just been started.
apt=(apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
"${apt[@]}" update >/dev/null
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null

# Nor at the next start of the machine. Those that were here before stay as they are.
for package in "${missing[@]}"; do
  case " ${services[*]} " in
    *" $package "*) update-rc.d "$package" disable >/dev/null 2>&1 || true ;;
  esac
done
