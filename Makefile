# A short front for Meson: make, make test, make check, make torture, make bench, make install.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix=$(PREFIX) --libexecdir=libexec -Dunitdir=$(UNITDIR) >/dev/null

# Installs what the tests need, then runs every test: style, units (plain and sanitized), end to end.
test:
	@tests/run

# The quick part of it: style and units of the build that is here.
check: all
	@tests/checks/run && meson test -C $(BUILD) --print-errorlogs

# Random verbs and random kills, 1,000 rounds of a seed that it prints: make torture TORTURE="--seed 7 --rounds 5000"
TORTURE ?=
torture: all
	@BUILD=$(BUILD) tests/torture/run $(TORTURE)

bench: all
	@bench/run

install: all
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	@rm -rf $(BUILD) build-asan

.PHONY: all test check torture bench install clean
