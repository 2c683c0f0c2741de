#!/usr/bin/env bash
# Prints what is measured in docs/performance.md: each stage by itself, then the road from UDP on, each beside a peer in the
# same run where there is one. Builds nothing: `make bench` has done that. A quarter of an hour on a quiet machine;
# BENCH_SECONDS (10) is how long each load lasts, BENCH_TOP_SECONDS (60) makes the number of flows that are asked about, 300,000
# for each, and BENCH_MEMORY_SECONDS (120) how long memory is watched. `scripts/bench.sh road singles` runs these trials only.
set -euo pipefail
cd "$(dirname "$0")/.."

release=${CARGO_TARGET_DIR:-target}/release
examples=$release/examples
seconds=${BENCH_SECONDS:-10}
say() { printf '\n== %s\n' "$*"; }
trial() { "$examples/end_to_end_speed" "$@" || printf '   %s: FAILED\n' "$1"; }

say "machine: $(nproc) cores, $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2-), $(uname -r); load $(cut -d' ' -f1 /proc/loadavg)"
if (($# > 0)); then
    trial "$@" --seconds "$seconds"
    exit
fi
say "decoding into columns, beside netflow_parser on the same octets"
"$examples/decode_speed"
say "normalising"
"$examples/normalise_speed"
say "the tape: append and read back"
"$examples/tape_speed"
say "sending at a pace"
"$examples/wire_speed"
say "the sender of the loads below, alone"
trial sender --seconds 2
say "UDP in, tape, decoded, nothing stored: 2 M flows/s in full datagrams"
trial road --seconds "$seconds"
say "the same, 200,000 datagrams/s of one record"
trial singles --seconds "$seconds"
say "UDP in, stored and queryable: 500,000 flows/s, beside nfcapd"
trial stored --seconds "$seconds"
say "from arrival to an answer, at 100,000 flows/s"
trial latency --seconds 30
say "50 viewers of the live overview, at 100,000 flows/s"
trial viewers --seconds 30
say "five times 100,000 flows/s for ten seconds"
trial burst
say "resident memory at 100,000 flows/s"
trial memory --seconds "${BENCH_MEMORY_SECONDS:-120}"
say "octets a flow on disk, beside nfcapd's files"
trial size --seconds "$seconds"
say "the largest of many flows, beside nfdump -s"
trial top --seconds "${BENCH_TOP_SECONDS:-60}"
say "top 10 applications over 20 million flows"
"$examples/questions_speed" top
say "the lines of a dashboard over 30 days"
"$examples/questions_speed" month
say "a player of a recording of 10 million flows"
"$examples/player_speed"
