#!/usr/bin/env bash
# Prints what is measured in docs/performance.md: each stage by itself, beside a peer where there is one, then the road
# from UDP to stored. Builds nothing: `make bench` has done that.
set -euo pipefail
cd "$(dirname "$0")/.."

release=${CARGO_TARGET_DIR:-target}/release
examples=$release/examples
say() { printf '\n== %s\n' "$*"; }

say "machine: $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2-)"
say "decoding, beside netflow_parser on the same octets"
"$examples/decode_speed"
say "normalising"
"$examples/normalise_speed"
say "the tape: append and read back"
"$examples/tape_speed"
say "sending"
"$examples/wire_speed"
say "top 10 applications over 20 million flows"
"$examples/top_speed"
say "UDP in to stored and visible, beside nfcapd"
"$examples/end_to_end_speed" "${BENCH_SECONDS:-10}" "${BENCH_FLOWS_PER_SECOND:-200000}"
