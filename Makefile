# SPDX-License-Identifier: Apache-2.0
# One file, no recursion into directories. Rooms are found by wildcard: a new user/<room>/*.c or tests/unit/*_test.c needs no
# line here. `make help` lists the targets.

BUILD   ?= build
# the verifiers accept what clang 16 makes of these programs
CLANG   ?= clang-16
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
prefix  ?= /usr/local
bindir  ?= $(prefix)/bin
unitdir ?= $(prefix)/lib/systemd/system
mandir  ?= $(prefix)/share/man
DESTDIR ?=
# make V=1 shows the commands
V       ?=
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo '  $(1)	$(2)')
# Sanitizers (make asan, make fuzz) build the same rules into a tree of their own.
SANITIZE ?=
export BUILD # for the suites

WARN     := -Wall -Wextra -Werror
CPPFLAGS := -D_GNU_SOURCE -I. -Iuser -I$(BUILD)/bpf
CFLAGS   := -std=gnu11 -O2 -g $(WARN) -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong
LDFLAGS  := -pie -Wl,--as-needed,--gc-sections,-z,relro,-z,now
ifeq ($(SANITIZE),)
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
CFLAGS   += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS  += -fsanitize=$(SANITIZE)
endif
# -g for BTF; v3 because older defaults have no atomics that return
BPFFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Ivmlinux/x86 -I. -Ibpf -Wall -Werror

# ---- rooms: what each one stands on; the arrows of the house, as the linker sees them ----
ROOMS := base policy event journal sink kernel sandbox engine cli
with_base    := base
with_policy  := policy base
with_event   := event base
with_journal := journal event base
with_sink    := sink journal event base
with_kernel  := kernel policy base
with_sandbox := sandbox kernel policy base
with_engine  := engine sandbox sink kernel journal event policy base
with_cli     := cli engine journal event policy base

sources = $(filter-out user/$(1)/main.c user/cli/view.c,$(wildcard user/$(1)/*.c))
PRESENT := $(foreach r,$(ROOMS),$(if $(call sources,$(r)),$(r)))
LIBS    := $(PRESENT:%=$(BUILD)/lib/lib%.a)
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# The archives for a list of rooms, in link order (users first), each once, only those that exist.
archives = $(foreach r,cli engine sandbox sink kernel journal event policy base,$(if $(filter $(r),$(1)),$(if $(filter $(r),$(PRESENT)),$(BUILD)/lib/lib$(r).a)))
# Rooms that a source includes by name, with what they stand on: a test links that and nothing else.
includes = $(sort $(foreach r,$(shell sed -n 's,^[[:space:]]*\#[[:space:]]*include "\([a-z]*\)/.*,\1,p' $(1) 2>/dev/null | sort -u),$(with_$(r))))
link = $(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(1)

# --as-needed drops what a binary does not use. What people type stays light, scripts/layers checks it: two small libraries are put inside, for
# to find, map and bind them costs each start more than all else that the program does before its first request.
LIGHT_LIBS := -Wl,-Bstatic -lyaml -ljansson -Wl,-Bdynamic
VIEW_LIBS  := -lcrypto -lzmq -lyaml -ljansson -lz
ALL_LIBS   := -lbpf -lelf -lz -lzmq -lcurl -lssl -lcrypto -lyaml -lseccomp -ljansson

# ---- what there is to build ----
BPF_SRC  := $(wildcard bpf/*.bpf.c tests/bpf/*.bpf.c)
SKELS    := $(patsubst %.bpf.c,$(BUILD)/bpf/%.skel.h,$(notdir $(BPF_SRC)))
BINS     := $(if $(wildcard user/cli/main.c),$(BUILD)/bailiff) $(if $(wildcard user/engine/main.c),$(BUILD)/bailiffd) \
            $(if $(wildcard user/cli/view.c),$(BUILD)/bailiff-view)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*_test.c))
REPLAYS  := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
E2E      := $(wildcard tests/e2e/*_test.sh tests/e2e/*_test.py)
# Guest suites, and tools that they start; what else is in tests/vm is code that suites share. So for tests/bench.
VM       := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/vm/*_vm.c tests/vm/*_tool.c tests/bpf/*_test.c))
BENCH    := $(patsubst tests/%.c,$(BUILD)/%,$(wildcard tests/bench/*_bench.c tests/bench/*_tool.c))
SHARED   := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %_vm.c %_tool.c %_bench.c,$(wildcard tests/vm/*.c tests/bench/*.c)))

vpath %.bpf.c bpf tests/bpf

SHELL := /bin/bash
.DEFAULT_GOAL := all
.SECONDEXPANSION:
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all skeletons tests benches deps install test demo bench docs lint asan fuzz soak agents help clean

all: $(LIBS) $(BINS) ## build the programs into build/

skeletons: $(SKELS) ## the kernel programs alone, as headers

tests: all $(UNIT) $(REPLAYS) $(VM) $(BENCH) ## build what the tests run, without running it

deps: ## install from Debian what building and testing need (as root)
	scripts/deps build test

install: all ## install into $(DESTDIR)$(prefix)
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(unitdir)
	$(if $(BINS),install -m 755 $(BINS) $(DESTDIR)$(bindir))
	sed 's,@bindir@,$(bindir),' integrations/systemd/bailiff.service >$(DESTDIR)$(unitdir)/bailiff.service
	chmod 644 $(DESTDIR)$(unitdir)/bailiff.service
	for section in 1 5 8; do install -D -m 644 -t $(DESTDIR)$(mandir)/man$$section docs/man/*.$$section || exit; done

# Sets up by itself: a second make, since what is missing may be what this one needs to build.
test: ## everything: unit, replay, end-to-end, guests of every kernel (sets itself up)
	@scripts/deps --check build test || scripts/deps build test
	@$(MAKE) --no-print-directory -j2 tests
	@rm -f $(BUILD)/test-vm-deaths
	@scripts/vmtests --plan >$(BUILD)/vm-plan
	@export BAILIFF_VM_DEATHS=$(abspath $(BUILD)/test-vm-deaths); readarray -t boots <$(BUILD)/vm-plan; tests/run \
		--jobs 2 --limit 400 $(UNIT) $(REPLAYS) \
		--jobs 1 --limit 400 $(E2E) \
		--jobs 2 --limit 1800 "$${boots[@]}"

demo: ## the main job on real input, here or in a guest (KERNEL=6.1: in a guest with that kernel)
	@scripts/demo $(if $(KERNEL),--kernel $(KERNEL))

bench: ## what it costs, beside limits and peers, in a guest that counts instructions (KERNEL=6.1, or all; else 6.12)
	@scripts/deps --check build test || scripts/deps build test
	@$(MAKE) --no-print-directory -j2 benches
	@scripts/bench $(KERNEL)
benches: all $(BENCH) ## build what bench runs, without running it

docs: $(BUILD)/events-doc $(BUILD)/bailiff ## write docs/events.md and the schemas in docs/ from the tables
	$(BUILD)/events-doc >docs/events.md
	$(BUILD)/bailiff policy schema >docs/bailiff-policy.schema.json
	$(BUILD)/bailiff policy schema --binding >docs/bailiff-binding.schema.json

lint: ## the walls of the house, its hand, and what analysers find
	scripts/lint

# A tree of its own with address, leak and undefined-behaviour checks; the same suites but the guests'.
asan: ## unit, replay and end-to-end under sanitizers
	@scripts/deps --check build test || scripts/deps build test
	@$(MAKE) --no-print-directory -j2 BUILD=build-asan SANITIZE=address,undefined sanitized
sanitized: all $(UNIT) $(REPLAYS)
	@ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 tests/run \
		--jobs 2 --limit 900 $(UNIT) $(REPLAYS) --jobs 1 --limit 900 $(E2E)

TIME ?= 60
fuzz: ## fuzz one parser: T=name TIME=seconds (new inputs in build/fuzzing/new)
	@[ -f tests/fuzz/$(T)_fuzz.c ] || { echo 'make fuzz T=... is one of: $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))'; exit 1; }
	@scripts/deps --check build fuzz || scripts/deps build fuzz
	@$(MAKE) --no-print-directory -j2 BUILD=build/fuzzing CC=$(CLANG) SANITIZE=fuzzer-no-link,address,undefined build/fuzzing/fuzz/$(T)_fuzz
	@mkdir -p build/fuzzing/new/$(T)
	build/fuzzing/fuzz/$(T)_fuzz -max_total_time=$(TIME) -timeout=60 -artifact_prefix=build/fuzzing/ \
		build/fuzzing/new/$(T) tests/fuzz/corpus/$(T) $(if $(filter policy format,$(T)),tests/policies/good tests/policies/bad) $(if $(filter binding,$(T)),tests/bindings/good tests/bindings/bad)

soak: TIME = 600
soak: ## days of a host in little, for TIME=seconds here and in a guest of every kernel
	@scripts/deps --check build test || scripts/deps build test
	@$(MAKE) --no-print-directory -j2 all
	@scripts/soak $(TIME)

# Not in test: a download of 420 MB, a disk of 1.1 GB, and ten minutes a kernel.
agents: ## real programs under the presets made for them: npm, Codex, Claude Code, the Agents SDK; in guests of every kernel
	@scripts/deps --check build test || scripts/deps build test
	@command -v npm >/dev/null || scripts/deps agents
	@$(MAKE) --no-print-directory -j2 all
	@tests/run --jobs 1 --limit 1800 $(foreach k,$(shell scripts/kernels --list),"scripts/vmtests $k agents_disk.sh")

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

clean: ## remove everything built
	rm -rf build build-asan

# ---- kernel programs: source, object, skeleton ----
$(BUILD)/bpf/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(BPFFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@.debug $<
	$(Q)$(BPFTOOL) gen object $@ $@.debug	# without DWARF: BTF stays
	@rm $@.debug

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

# ---- user space ----
# Skeletons have to exist before anything is compiled that might include one; afterwards the .d files know who does.
$(call objects,$(wildcard user/kernel/*.c tests/vm/*.c tests/bpf/*_test.c tests/bench/*.c)): | $(SKELS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Compiled in by name (.incbin), which the .d files do not see.
$(BUILD)/obj/user/policy/presets.o: $(wildcard user/policy/presets/*.yaml)

# The list of members is a prerequisite, so that a file taken away leaves the archive too.
$(BUILD)/lib/lib%.a: $$(call objects,$$(call sources,%)) $(BUILD)/lib/%.members
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $(filter %.o,$^)

$(BUILD)/lib/%.members: FORCE
	@mkdir -p $(@D)
	@echo '$(call sources,$*)' | cmp -s - $@ || echo '$(call sources,$*)' >$@

$(BUILD)/bailiff: $(BUILD)/obj/user/cli/main.o $(call archives,$(with_cli))
	$(call say,LD,$@)
	$(call link,$(LIGHT_LIBS))

$(BUILD)/bailiff-view: $(BUILD)/obj/user/cli/view.o $(call archives,$(with_cli))
	$(call say,LD,$@)
	$(call link,$(VIEW_LIBS))

$(BUILD)/bailiffd: $(BUILD)/obj/user/engine/main.o $(call archives,$(with_engine))
	$(call say,LD,$@)
	$(call link,$(ALL_LIBS))

$(BUILD)/events-doc: $(BUILD)/obj/user/event/main.o $(call archives,$(with_event))
	$(call say,LD,$@)
	$(call link,$(LIGHT_LIBS))

# ---- tests: each links the rooms that it includes ----
$(BUILD)/tests/%_test: $(BUILD)/obj/tests/unit/%_test.o $$(call archives,$$(call includes,tests/unit/%_test.c))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,$(ALL_LIBS))

$(BUILD)/tests/fuzz/%_fuzz: $(BUILD)/obj/tests/fuzz/%_fuzz.o $(BUILD)/obj/tests/fuzz/main.o $$(call archives,$$(call includes,tests/fuzz/%_fuzz.c))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,$(ALL_LIBS))

$(BUILD)/fuzz/%_fuzz: $(BUILD)/obj/tests/fuzz/%_fuzz.o $$(call archives,$$(call includes,tests/fuzz/%_fuzz.c))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,-fsanitize=fuzzer $(ALL_LIBS))

$(BUILD)/vm/%_vm: $(BUILD)/obj/tests/vm/%_vm.o $(BUILD)/lib/libshared.a \
		$$(call archives,$$(sort $(with_kernel) $$(call includes,tests/vm/%_vm.c)))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,$(ALL_LIBS))

$(BUILD)/lib/libshared.a: $(SHARED)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $(SHARED)

$(BUILD)/vm/% $(BUILD)/bpf/% $(BUILD)/bench/%: $(BUILD)/obj/tests/$$(notdir $$(@D))/%.o $(BUILD)/lib/libshared.a $(LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(call link,$(ALL_LIBS))

# What exec costs is measured with a program that costs nothing itself.
$(BUILD)/bench/nothing_tool: LDFLAGS := -static

FORCE:
.PHONY: FORCE

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
