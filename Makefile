# Everything that a fresh Debian or Ubuntu with git, Rust and Python 3 needs, one command each.
# Recipes name no absolute path: the checkout may lie in a folder with spaces in its name.

PREFIX ?= ~/.local
DESTDIR ?=

# Where the built program lies is then known, whatever cargo's own settings say.
export CARGO_TARGET_DIR ?= target
# rustup's folder, which a terminal older than rustup does not have on its PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin
# As they were typed: $(value) leaves a dollar sign in a file's name alone.
export STEADYMASK_VIDEO := $(value VIDEO)
export STEADYMASK_PREFIX := $(value PREFIX)
export STEADYMASK_DESTDIR := $(value DESTDIR)
# Where make was called, which `make -C` does not change.
export STEADYMASK_CALLER := $(value PWD)
# For assets/setup/libtorch.py.
export CUDA

.PHONY: help setup build run test check install uninstall clean
.NOTPARALLEL:

help:
	@echo 'make run [VIDEO=clip.mp4]    set up, build, open the window'
	@echo 'make test                    set up, build, run every test'
	@echo 'make check                   formatting and lints; spelling and licences, with the tools for them'
	@echo 'make build                   set up, build the program'
	@echo 'make setup                   Debian packages and libtorch alone'
	@echo 'make install [PREFIX=~/.local] [DESTDIR=]    program, libraries, models, desktop entry'
	@echo 'make uninstall [PREFIX=~/.local] [DESTDIR=]'
	@echo 'make clean                   delete what was built; .deps and models/ stay'
	@echo
	@echo 'CUDA=1 fetches the CUDA half of libtorch (2.5 GB), CUDA=0 leaves it out;'
	@echo 'without either it comes where an NVIDIA card is.'

setup:
	@assets/setup/setup.sh

build: setup
	cargo build --release --locked

run: build
	@assets/setup/models.sh "$$CARGO_TARGET_DIR/release/steadymask"
	@assets/setup/open.sh "$$CARGO_TARGET_DIR/release/steadymask"

# The engine and the command line must build without the window.
# `test --no-run` also leaves the program itself, which makes the networks for the tests.
test:
	@assets/setup/setup.sh test
	cargo check --locked --no-default-features --lib --bins
	cargo test --workspace --locked --no-run
	@assets/setup/models.sh "$$CARGO_TARGET_DIR/debug/steadymask"
	cargo test --workspace --locked

check:
	@assets/setup/setup.sh test
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps --locked
	@if command -v typos >/dev/null; then typos; else \
		echo 'make check: spelling is left out; cargo install typos-cli --locked'; fi
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check bans licenses sources; else \
		echo 'make check: licences and advisories are left out; cargo install cargo-deny --locked'; fi
	@if command -v cargo-deny >/dev/null; then \
		if cargo deny fetch db; then cargo deny --locked --offline check advisories; else \
		echo 'make check: advisories are left out; their list could not be fetched'; fi; fi

# `sudo make install` after `make run`: root has no cargo, and builds nothing here.
install:
	@if [ -z "$$SUDO_USER" ] || [ ! -x "$$CARGO_TARGET_DIR/release/steadymask" ]; then \
		$(MAKE) --no-print-directory build && \
		{ assets/setup/models.sh "$$CARGO_TARGET_DIR/release/steadymask" || \
		echo 'make install: going on without networks'; }; fi
	@python3 assets/setup/install.py install "$$CARGO_TARGET_DIR/release/steadymask"

uninstall:
	@python3 assets/setup/install.py uninstall

clean:
	cargo clean
