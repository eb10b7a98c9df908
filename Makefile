# The front door. CMake does the building (CMakePresets.json), scripts/ the rest.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

all:
	@scripts/build release $(TARGETS)

# The gateway and the hello_world service, with the README's configuration, or another one and the
# address for nodes in it. Ctrl-C ends both, and so does the end of make, however it comes.
run:
	@scripts/run $(CONFIG) $(ADDRESS)

# Every layer of tests. Installs what is missing first.
test:
	@scripts/test

# Our gateway beside nginx and HAProxy; writes docs/performance.md.
bench:
	@scripts/setup bench
	@$(MAKE) --no-print-directory all
	@node bench/bench.mjs
	@node bench/node.mjs

# The share of lines that the tests run, per room.
coverage:
	@scripts/setup coverage
	@scripts/coverage

# Every fuzz target for FUZZ_SECONDS.
fuzz:
	@scripts/setup dev
	@scripts/fuzz $(FUZZ_SECONDS)

# The tables of keys in docs/configuration.md and the manual page, out of src/gateway/config/keys.h.
reference:
	@scripts/build release reference

format:
	@scripts/sources | xargs -r clang-format -i

lint:
	@scripts/setup dev
	@scripts/lint

install: all
	@cmake --install build/release --prefix $(PREFIX)

clean:
	@rm -rf build

.PHONY: all run test bench coverage fuzz reference format lint install clean
