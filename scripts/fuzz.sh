#!/usr/bin/env bash
# Fuzzes every target in turn for FUZZ_SECONDS (60) altogether. A finding ends it with the input that shows it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.13.2
tools=${FLOWREEL_TOOLS_DIR:-$HOME/.cache/flowreel/tools}
if ! "$tools/bin/cargo-fuzz" --version 2>/dev/null | grep -qF "$version"; then
  echo "building cargo-fuzz $version (once)"
  cargo install --quiet --locked --root "$tools" "cargo-fuzz@$version"
fi
export PATH="$tools/bin:$PATH"
# libFuzzer's flags are unstable options of a compiler that is stable here.
export RUSTC_BOOTSTRAP=1

targets=(decode filter)
seconds=$((${FUZZ_SECONDS:-60} / ${#targets[@]}))
for target in "${targets[@]}"; do
  corpus=fuzz/corpus/$target
  mkdir -p "$corpus"
  if [ "$target" = decode ]; then
    python3 scripts/fuzz-corpus.py ../shared/captures "$corpus"
  fi
  cargo fuzz run --fuzz-dir fuzz "$target" "$corpus" -- -max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1
done
