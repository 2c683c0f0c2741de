# The commands of this project. Each does the set-up that it needs; CI runs `make test`.

RELEASE := $(or $(CARGO_TARGET_DIR),target)/release/flowreel

.PHONY: demo test check bench bless pictures fuzz torture setup-build setup-test setup-fuzz

# Builds, starts everything, plays two hours of history and goes on live. Ctrl-C ends it.
# `make demo ARGS="--http 127.0.0.1:9090"` hands flags on; `flowreel demo --help` names them.
demo: setup-build
	cargo build --release --locked
	$(RELEASE) demo $(ARGS)

# What CI runs: everything that `check` looks at, then every test.
test: setup-build setup-test check
	npm --prefix ui/web test --silent
	cargo test --workspace --locked --no-fail-fast
	npm --prefix ui/web run e2e --silent

# Formatting, lints, types of the pages, licences, crate edges: quick enough to run before each commit.
check: setup-build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	npm --prefix ui/web run check --silent
	scripts/deny.sh

# Speed, beside a peer in the same run. Takes a few minutes and wants a quiet machine.
bench: setup-build setup-test
	cargo build --release --locked --workspace --examples --bins
	scripts/bench.sh

# Takes what the code says now as the golden answers; read the diff before you commit it.
bless: setup-build
	FLOWREEL_BLESS=1 INSTA_UPDATE=always cargo test --workspace --locked

# Takes the pictures of the docs, of the demo's pages in both themes; look at them before you commit them.
pictures: setup-build setup-test
	@scripts/packages.sh pictures
	cargo build --release --locked
	FLOWREEL_PICTURES=1 FLOWREEL=$(abspath $(RELEASE)) npm --prefix ui/web run e2e --silent -- pictures
	pngquant --force --ext .png --strip --speed 1 --quality 70-95 docs/pictures/*.png

# Fuzzes decoder, tape, captures, filters and configuration, five minutes altogether; FUZZ_SECONDS=36000 for a night.
# What every `make test` has of it: the tests named fuzzed.
fuzz: setup-build setup-fuzz
	scripts/fuzz.sh

# Injures the product by chance for an hour and kills it 500 times; TORTURE_SECONDS, TORTURE_KILLS and TORTURE_SEED say
# otherwise. A failure says which exporter or bucket differs, and keeps the data directory.
torture: setup-build setup-test
	TORTURE_SECONDS=$${TORTURE_SECONDS:-3600} TORTURE_SEED=$${TORTURE_SEED:-$$(date +%s)} \
		cargo test --release --locked --test torture -- --nocapture
	TORTURE_KILLS=$${TORTURE_KILLS:-500} TORTURE_SEED=$${TORTURE_SEED:-$$(date +%s)} \
		cargo test --release --locked --test faults_process case_46 -- --nocapture

setup-build:
	@scripts/packages.sh build
	@scripts/install-engine.sh
	@scripts/build-pages.sh

setup-test:
	@scripts/packages.sh test
	@scripts/install-readers.sh

setup-fuzz:
	@scripts/packages.sh fuzz
