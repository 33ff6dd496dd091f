# pthfs: everything is built from here. `make help` lists the targets.
#
# Sources are globbed by room (src/<room>/*.c): adding a file touches no list. Objects go to
# build/<variant>/, so that the plain, the sanitized and the fuzzing build stand side by side.
# Local wishes (CC, CFLAGS, PREFIX) may stand in config.mk.

-include config.mk

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
# mount(8) looks for its helpers here and nowhere else.
MOUNTDIR ?= /usr/sbin

comma := ,
SAN ?=
# FAULTS=1: calls that change something can be counted and failed (src/io/sys.c), for tests/crash.
FAULTS ?=
VARIANT := $(if $(SAN),san-$(subst $(comma),-,$(SAN)),release)$(if $(FAULTS),-faults)
B := build/$(VARIANT)

ROOMS := util io box graph pickle model format overlay tree view engine check volume inspect fs cli
CC ?= cc
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wformat=2 -Wno-unused-parameter
PKGS := fuse3 libzip zlib libdeflate
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong
ALL_CFLAGS = -std=gnu17 $(WARN) $(if $(WERROR),-Werror) -fvisibility=hidden $(HARDEN) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer) \
	$(if $(FAULTS),-DPTHFS_FAULTS) \
	-Iinclude -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=312 \
	-DPTHFS_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS)) -pthread $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),-fsanitize=$(SAN)) -pthread $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS)) -lm

SRC := $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.c))
OBJ := $(SRC:src/%.c=$(B)/%.o)
LIB := $(B)/libpthfs.a
BIN := $(B)/pthfs
UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: FORCE all help unit fuzz-replay crash model lint check test bench demo install uninstall fmt clean

all: $(BIN)

help:
	@sed -n 's/^## //p' Makefile

$(LIB): $(filter-out $(B)/cli/main.o,$(OBJ))
	@rm -f $@
	$(AR) rcs $@ $^

$(BIN): $(B)/cli/main.o $(LIB)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The loops over elements: gcc makes vector code of them at -O3 only. a * b + c is rounded twice
# everywhere, so that numbers are the same to the bit on every processor and card.
$(B)/engine/%.o $(B)/check/%.o: ALL_CFLAGS += $(if $(filter -O2,$(CFLAGS)),-O3) -ffp-contract=off

# The kernels of cards (src/engine/card.cu), where there is an nvcc; CUDA=0: not even then. Code for
# the cards that it knows, of this list, and PTX of the oldest, from which drivers make code for those
# to come. Drivers and CUDA's headers are not needed: the binary looks for a driver when it runs.
NVCC ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA ?= $(if $(NVCC),1,0)
FATBIN := $(dir $(B))cuda/card.fatbin
NVCCFLAGS ?= -O3 -std=c++17 -allow-unsupported-compiler -Xfatbin -compress-all
CARDS = $(filter 50 60 70 75 80 86 89 90 100 120,$(patsubst sm_%,%,$(shell $(NVCC) --list-gpu-code)))
OLDEST = $(firstword $(CARDS))
GENCODE = $(foreach c,$(CARDS),-gencode arch=compute_$c,code=sm_$c) \
	-gencode arch=compute_$(OLDEST),code=compute_$(OLDEST)

ifneq ($(CUDA),0)
$(FATBIN): src/engine/card.cu src/engine/card.h src/engine/modulus.h include/pthfs/sum.h $(FATBIN).how
	$(NVCC) $(NVCCFLAGS) -fmad=false $(GENCODE) -Iinclude -fatbin -o $@.$$$$ $< && mv $@.$$$$ $@

$(B)/engine/fatbin.o: $(FATBIN)
$(B)/engine/fatbin.o: ALL_CFLAGS += -DPTHFS_FATBIN='"$(FATBIN)"' -DPTHFS_FATBIN_OLDEST=$(OLDEST) \
	-DPTHFS_FATBIN_TOOLKIT='"$(shell $(NVCC) --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')"'
endif

# Changes when what they are made with does, and only then.
$(FATBIN).how $(B)/engine/fatbin.how: FORCE
	@mkdir -p $(@D)
	@echo '$(CUDA) $(NVCC) $(NVCCFLAGS)' | cmp -s - $@ || echo '$(CUDA) $(NVCC) $(NVCCFLAGS)' >$@
$(B)/engine/fatbin.o: $(B)/engine/fatbin.how
FORCE:

# A driver that plays a card with the processor, for tests (tests/standin/standin.h).
STANDIN := $(B)/standin/libcuda.so.1
$(STANDIN): $(wildcard tests/standin/*) $(wildcard src/engine/card*.h) src/engine/modulus.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -ffp-contract=off -fPIC -shared -Isrc/engine -o $@ \
		$(wildcard tests/standin/*.c) $(ALL_LDFLAGS) -lm

$(B)/unit/test_engine_%: ALL_CFLAGS += -ffp-contract=off -Itests/standin \
	-DSTANDIN='"$(abspath $(STANDIN))"'
$(B)/unit/test_engine_cuda $(B)/unit/test_engine_cuda_open: $(STANDIN)

$(B)/unit/%: tests/unit/%.c tests/lib/tap.h $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/lib -o $@ $< $(LIB) $(ALL_LDFLAGS) $(LIBS)

# The replay driver: a fuzz target as an ordinary program that is given files.
$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/standalone.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/lib -o $@ $< tests/fuzz/standalone.c $(LIB) $(ALL_LDFLAGS) $(LIBS)

# Programs that tests kill and fail, and the disk that loses power.
$(B)/crash/%: tests/crash/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $< $(LIB) $(ALL_LDFLAGS) $(LIBS)

$(B)/bench/%: tests/bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $< $(LIB) $(ALL_LDFLAGS) $(LIBS)

-include $(OBJ:.o=.d)

## make               build build/release/pthfs
## make unit          the C tests of the rooms (TAP; seconds; no root)
unit: $(UNIT)
	@tests/lib/run-tap $(UNIT)

## make fuzz-replay   every fuzz target over its corpus
fuzz-replay: $(FUZZ)
	@tests/fuzz/replay $(B)/fuzz

## make crash         kill and fail every call of a commit, lose power in every state (root)
crash:
	@tests/crash/run

## make model         random operations held against a model (OPS=1000000: as many as that)
model: $(BIN)
	@PTHFS=$(BIN) $(if $(OPS),OPS=$(OPS)) tests/model/run

## make lint          rooms kept apart, lengths, banned words, shell scripts
lint:
	@tests/lint/all

## make check         lint, unit and fuzz-replay: no root, no /dev/fuse
check: lint unit fuzz-replay

## make test          everything, as tests/run does it (installs what it needs)
test:
	@tests/run

## make bench         ratios against real peers, as tables (ROWS=read, edit, card: only those)
bench: $(BIN) $(B)/bench/card
	@tests/bench/run $(if $(ROWS),--rows $(ROWS))

## make demo          contrib/demo: build, mount a small checkpoint, look at it
demo:
	@contrib/demo

## make install       to PREFIX (/usr/local); mount(8)'s helpers to MOUNTDIR; DESTDIR in front
install: $(BIN)
	install -D -m 755 $(BIN) $(DESTDIR)$(BINDIR)/pthfs
	install -D -m 644 contrib/pthfs.1 $(DESTDIR)$(MANDIR)/man1/pthfs.1
	install -D -m 644 contrib/completions/pthfs.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pthfs
	install -D -m 644 contrib/completions/_pthfs \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pthfs
	install -m 755 contrib/git/pthfs-git-diff contrib/git/pthfs-git-text $(DESTDIR)$(BINDIR)
	install -d $(DESTDIR)$(MOUNTDIR)
	ln -sf $(BINDIR)/pthfs $(DESTDIR)$(MOUNTDIR)/mount.pthfs
	ln -sf $(BINDIR)/pthfs $(DESTDIR)$(MOUNTDIR)/mount.fuse.pthfs

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/pthfs $(DESTDIR)$(BINDIR)/pthfs-git-diff \
		$(DESTDIR)$(BINDIR)/pthfs-git-text $(DESTDIR)$(MANDIR)/man1/pthfs.1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pthfs \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pthfs \
		$(DESTDIR)$(MOUNTDIR)/mount.pthfs $(DESTDIR)$(MOUNTDIR)/mount.fuse.pthfs

fmt:
	clang-format -i $(SRC) $(wildcard include/pthfs/*.h src/*/*.h tests/unit/*.c tests/lib/*.h tests/fuzz/*.c)

clean:
	rm -rf build
