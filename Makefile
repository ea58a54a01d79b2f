# The only commands that anybody has to know. `make` alone lists them.
.PHONY: help run demo image packages test e2e bench openapi lint ci
.DEFAULT_GOAL := help

help: ## List the commands
	@grep -E '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

run: ## Start the emulator with the quickstart, on localhost:5000; PORT=5001 takes another port
	cargo run --profile quick --bin sealock -- serve $(if $(PORT),--listen 127.0.0.1:$(PORT))

demo: ## Tell the whole story in under a minute, without Docker; PAUSE=1 waits for Enter after each scene
	cargo build --profile quick --bin sealock
	cargo run --profile quick --example demo

image: ## Build the container images sealock:VERSION and sealock:latest, without pulling anything; BUILDER=podman takes podman
	cargo build --release --bin sealock
	BUILDER=$(BUILDER) packages/image/build target/release/sealock

packages: ## Build the Python wheel with the binary, for Linux with glibc 2.17 or newer
	packages/python/build

test: ## Run all Rust tests
	# With --tests, so that the tests reuse these crates: alone, the binary takes fewer features of them.
	cargo build --workspace --bins --tests
	cargo test --workspace

e2e: ## Fail and cut the power at each operation of the store, fuzz each parser, drive real clients, and check the Python package (Debian, root: installs them)
	tests/blob-format/check
	cargo test --workspace --test behaviour -- --ignored faults power
	if cargo fuzz --version >/dev/null 2>&1; then fuzz/run 15; else echo "fuzz: skipped, cargo-fuzz is not installed"; fi
	# With -p, as the wheel's build selects it: with the workspace, the binary's crates take more features, and are built again.
	cargo build --profile quick -p sealock --bin sealock
	SEALOCK=target/quick/sealock tests/clients/run
	SEALOCK=target/quick/sealock tests/browser/run
	PROFILE=quick PLAIN=1 packages/python/check

bench: ## Measure Sealock beside other registries, in ratios; SECTIONS="transfer small ..." measures a part, PEERS="NAME=URL ..." adds registries
	tests/bench/run $(SECTIONS)

openapi: ## Write docs/openapi.json and the reference of the control API from the types of crates/api
	cargo run -p sealock-api --example openapi docs

lint: ## Check format, lints, documentation, and dependencies if cargo-deny is installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --quiet
	if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; fi

ci: lint test e2e ## Everything that must pass
