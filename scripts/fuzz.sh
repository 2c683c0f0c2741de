#!/usr/bin/env bash
# Fuzzes every target in turn for FUZZ_SECONDS (300) altogether; FUZZ_TARGETS names some of them.
# A finding ends it with the input that shows it.
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

read -ra targets <<<"${FUZZ_TARGETS:-decode tape capture filter config}"
seconds=$((${FUZZ_SECONDS:-300} / ${#targets[@]}))
python3 scripts/fuzz-corpus.py ../shared/captures docs fuzz/corpus
# No sanitizer: but for its C libraries, which it would not see either, this code has nothing that only one could find.
# What counts are panics, overflows, assertions and inputs that take long, and these come twice as fast without.
flags=(--sanitizer none --fuzz-dir fuzz)
for target in "${targets[@]}"; do
  corpus=fuzz/corpus/$target
  mkdir -p "$corpus"
  features=()
  [ "$target" != config ] || features=(--features config)
  cargo fuzz run "${flags[@]}" "${features[@]}" "$target" "$corpus" -- \
    -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
done
