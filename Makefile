# lua-asyncio: every command there is. `make help` lists them.

# -- what to build with: set these on the command line or in the environment --

ifndef LUA
LUA := $(shell for lua in lua5.4 lua-5.4 lua54 lua5.5 lua; do \
  $$lua -e 'os.exit(_VERSION >= "Lua 5.4")' 2>/dev/null && \
  echo $$lua && break; done)
ifeq ($(LUA),)
LUA := lua5.4
endif
endif

PKG_CONFIG ?= pkg-config
CFLAGS ?= -O3 -g
BUILD ?= build
# where clang-format's major version decides what is well formatted, take 14
CLANG_FORMAT ?= $(call first,clang-format-14 clang-format)
CLANG_TIDY ?= $(call first,clang-tidy-14 clang-tidy)
LUACHECK ?= $(call first,.rocks/bin/luacheck luacheck)
CPPCHECK ?= cppcheck
VALGRIND ?= valgrind

PREFIX ?= /usr/local
LUA_VERSION ?= 5.4
INSTALL_LMOD ?= $(PREFIX)/share/lua/$(LUA_VERSION)
INSTALL_CMOD ?= $(PREFIX)/lib/lua/$(LUA_VERSION)

# which specs `make test` and its relatives run, and more words for busted
SPEC ?=
ARGS ?=

# V=1 shows the commands of the build
V ?=
Q := $(if $(V),,@)
say := @$(if $(V),:,echo)

first = $(firstword $(foreach c,$(1),$(if $(shell command -v $(c)),$(c))) \
  $(lastword $(1)))

# -- Lua and libuv: pkg-config where it knows them, else the usual places --

LUA_PC := $(firstword $(foreach p,lua5.4 lua-5.4 lua54 lua5.5 lua, \
  $(shell $(PKG_CONFIG) --exists '$(p) >= 5.4' 2>/dev/null && echo $(p))))
UV_PC := $(shell $(PKG_CONFIG) --exists 'libuv >= 1.44' 2>/dev/null \
  && echo libuv)
HEADER_DIRS := /usr/include/lua5.4 /usr/include/lua-5.4 /usr/include/lua54 \
  /usr/local/include/lua5.4 /usr/local/include /opt/homebrew/include/lua5.4 \
  /opt/homebrew/include

ifdef LUA_INCDIR
LUA_INC := $(LUA_INCDIR)
else ifneq ($(LUA_PC),)
LUA_INC := $(patsubst -I%,%,$(shell $(PKG_CONFIG) --cflags-only-I $(LUA_PC)))
else
LUA_INC := $(firstword $(patsubst %/lua.h,%,$(wildcard $(HEADER_DIRS:=/lua.h))))
endif

ifdef UV_INCDIR
UV_INC := $(UV_INCDIR)
else ifneq ($(UV_PC),)
UV_INC := $(patsubst -I%,%,$(shell $(PKG_CONFIG) --cflags-only-I $(UV_PC)))
else
UV_INC := $(firstword $(patsubst %/uv.h,%,$(wildcard $(HEADER_DIRS:=/uv.h))))
endif

ifeq ($(origin UV_LIBS),undefined)
UV_LIBS := $(if $(UV_PC),$(shell $(PKG_CONFIG) --libs $(UV_PC)),-luv)
endif
# a module takes Lua's functions from its interpreter: only the host links Lua
ifeq ($(origin LUA_LIBS),undefined)
LUA_LIBS := $(if $(LUA_PC),$(shell $(PKG_CONFIG) --libs $(LUA_PC)),-llua5.4)
endif

# -- how to compile --

# apicheck: assertions in the API and inside, and a stack that always moves
CHECKING_LUA := -DLUA_COMPAT_5_3 -DLUA_USE_LINUX -DLUA_USE_APICHECK \
  -DLUAI_ASSERT -DHARDSTACKTESTS

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wstrict-prototypes \
  -Wmissing-prototypes -Wwrite-strings -Wvla -Wconversion
INCLUDES := $(addprefix -isystem ,$(sort $(LUA_INC) $(UV_INC)))
COMPILE = $(CC) -std=gnu11 $(WARNINGS) $(WERROR) -fPIC -fvisibility=hidden \
  $(CODE_FLAGS) $(INCLUDES) $(CPPFLAGS) $(CFLAGS)
ifeq ($(shell uname -s),Darwin)
# untested
MODULE_FLAGS := -bundle -undefined dynamic_lookup
HOST_FLAGS :=
else
MODULE_FLAGS := -shared
# Lua's functions are called through their addresses, without a stub between
CODE_FLAGS := -fno-plt
# export Lua's functions to the modules a script loads; send the core's own
# mallocs through the host, which can make them fail
HOST_FLAGS := -Wl,-E -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
HOST_CPPFLAGS := -DHOST_WRAPS_MALLOC
endif

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all \
  -fno-omit-frame-pointer

CORE := $(BUILD)/asyncio/core.so
HOST := $(BUILD)/host
SOURCES := $(wildcard csrc/*.c)
HEADERS := $(wildcard csrc/*.h)
HOST_SOURCES := $(wildcard spec/host/*.c)
MODULES := $(shell find lua -name '*.lua' 2>/dev/null)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
HOST_OBJECTS := $(HOST_SOURCES:%.c=$(BUILD)/obj/%.o)
# a Lua of our own, where one is compiled in (apicheck)
LUA_SOURCES := $(if $(OWN_LUA),$(filter-out %/lua.c %/luac.c %/onelua.c \
  %/ltests.c,$(wildcard $(OWN_LUA)/*.c)))
LUA_OBJECTS := $(LUA_SOURCES:$(OWN_LUA)/%.c=$(BUILD)/obj/lua/%.o)

# -- what the programs we run find --

export LUA_PATH := $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;
export LUA_CPATH = $(CURDIR)/$(BUILD)/?.so;;
# these would win over LUA_PATH and LUA_CPATH
VERSIONED_PATHS := LUA_PATH_5_4 LUA_CPATH_5_4 LUA_PATH_5_5 LUA_CPATH_5_5
unexport $(VERSIONED_PATHS)
# the command with which a spec runs a script in a process of its own
export ASYNCIO_TEST_LUA = $(RUN_LUA)
RUN_LUA = $(LUA)
export ASYNCIO_TEST_BUILD = $(BUILD)
# names that nobody has: not to wait where nobody answers, either
export RES_OPTIONS := timeout:1 attempts:1
export ASAN_OPTIONS := detect_leaks=1:abort_on_error=0:$(ASAN_OPTIONS)
export TSAN_OPTIONS := suppressions=$(CURDIR)/.ci/tsan:$(TSAN_OPTIONS)
export UBSAN_OPTIONS := print_stacktrace=1:$(UBSAN_OPTIONS)

SPECS = $(RUN_LUA) .ci/specs.lua $(ARGS) $(SPEC)
SUBMAKE := $(MAKE) --no-print-directory

.PHONY: all env deps demo test specs bench lint format asan tsan valgrind \
  coverage gcstress oom oom-full apicheck install uninstall clean ci help host \
  core run-valgrind
.DEFAULT_GOAL := all

# -- build --

all: core ## build the module into build/

core: $(CORE)

host: $(HOST)

$(CORE): $(OBJECTS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(COMPILE) $(MODULE_FLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(UV_LIBS)

$(HOST): $(OBJECTS) $(HOST_OBJECTS) $(LUA_OBJECTS) $(BUILD)/flags
	$(say) LINK $@
	$(Q)$(COMPILE) $(HOST_FLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(HOST_OBJECTS) \
	  $(LUA_OBJECTS) $(LUA_LIBS) $(UV_LIBS) -lm -ldl -lpthread

$(BUILD)/obj/csrc/%.o: csrc/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(BUILD)/obj/spec/host/%.o: spec/host/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(COMPILE) $(HOST_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/lua/%.o: $(OWN_LUA)/%.c $(BUILD)/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(CHECKING_LUA) -c -o $@ $<

# changes when the compiler, its flags or the list of sources change
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILE) $(MODULE_FLAGS) $(HOST_FLAGS) $(LDFLAGS) $(UV_LIBS) \
	  $(LUA_LIBS) $(SOURCES)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

FORCE:

-include $(OBJECTS:.o=.d) $(HOST_OBJECTS:.o=.d)

# -- set up --

env: ## print the exports under which require "asyncio" works
	@echo 'export LUA_PATH="$(LUA_PATH)"'
	@echo 'export LUA_CPATH="$(LUA_CPATH)"'
	@$(foreach v,$(VERSIONED_PATHS),$(if $($(v)),echo 'unset $(v)';)):

DEPS = CC='$(CC)' LUA='$(LUA)' INCLUDES='$(INCLUDES)' .ci/deps
need = @$(DEPS) --check $(1) || $(DEPS) $(1)

deps: ## install what is missing to build, to test and for `make ci`
	@$(DEPS) build test dev

# -- run --

demo: ## fetch many web pages at the same time (URLS="http://... ...")
	$(call need,build)
	+@$(SUBMAKE) all
	@$(LUA) examples/web_requests.lua $(URLS)

test: ## run the specs (SPEC=spec/x_spec.lua ARGS=--filter=name)
	$(call need,build test)
	+@$(SUBMAKE) all
	+@$(SUBMAKE) specs

specs:
	@$(SPECS)

bench: all ## measure, beside its peers (ARGS=...)
	@$(LUA) bench/run.lua $(ARGS)

# -- check --

C_FILES = $(SOURCES) $(HEADERS) \
  $(wildcard spec/host/*.[ch] bench/*.[ch] bench/*/*.[ch])
LUA_FILES = $(wildcard lua spec examples bench .ci/*.lua .luacheckrc .busted)
TIDY_FLAGS = -std=gnu11 $(INCLUDES) $(CPPFLAGS) -Icsrc
LINT_JOBS ?= 4
# it reads no headers of the system; without the versions that ours ask for it
# would meet their #error, and silently leave the whole file out
CPPCHECK_FLAGS = --quiet --std=c11 --error-exitcode=1 --inline-suppr \
  --enable=warning,performance,portability,information \
  --suppress=missingIncludeSystem --suppress=missingInclude \
  --suppress=ctunullpointer \
  --suppress=toomanyconfigs --suppress=unmatchedSuppression \
  -DLUA_VERSION_NUM=504 -DUV_VERSION_HEX=0x012c02 -Icsrc

lint: ## clang-format, clang-tidy, cppcheck and luacheck: all fatal
	$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)
	$(CPPCHECK) $(CPPCHECK_FLAGS) $(filter %.c,$(C_FILES))
	printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -P $(LINT_JOBS) -I FILE \
	  $(CLANG_TIDY) --quiet FILE -- $(TIDY_FLAGS)
	$(LUACHECK) --quiet $(LUA_FILES)
	.ci/check-sizes $(C_FILES) $(MODULES) $(wildcard spec/*.lua)

format: ## format the C sources in place
	$(CLANG_FORMAT) -i $(C_FILES)

ASAN := BUILD=build/asan CC=gcc CFLAGS='-O1 -g $(SANITIZE)' \
  RUN_LUA=$(CURDIR)/build/asan/host
asan: ## the specs under AddressSanitizer and UBSan, leaks fatal
	+@$(SUBMAKE) $(ASAN) core host
	+@$(SUBMAKE) $(ASAN) specs

# the specs of what has threads; those of the others would find nothing. Calls are
# not traced: a Lua that is not instrumented leaves them by longjmp unseen.
TSAN := BUILD=build/tsan CC=gcc CFLAGS='-O1 -g -fsanitize=thread \
  --param=tsan-instrument-func-entry-exit=0' \
  RUN_LUA=$(CURDIR)/build/tsan/host
TSAN_SPECS = $(or $(SPEC),$(filter-out %_examples_spec.lua,$(sort $(wildcard \
  spec/thread*_spec.lua spec/executor*_spec.lua spec/channel*_spec.lua))))
tsan: ## the specs of threads under ThreadSanitizer
	+@mkdir -p build/tsan; echo 'int main(void) { return 0; }' | \
	  gcc -fsanitize=thread -x c -o build/tsan/probe - && build/tsan/probe || \
	  { echo 'skipped: ThreadSanitizer does not work here'; exit 0; }; \
	$(SUBMAKE) $(TSAN) core host && \
	SOAK_JOBS=$${SOAK_JOBS:-500} $(SUBMAKE) $(TSAN) SPEC='$(TSAN_SPECS)' specs

valgrind: all host ## the specs under valgrind, leaks fatal
	+@$(SUBMAKE) run-valgrind

run-valgrind:
	@ASYNCIO_TEST_VALGRIND=yes G_SLICE=always-malloc $(VALGRIND) --quiet \
	  --leak-check=full --errors-for-leak-kinds=definite,indirect \
	  --error-exitcode=99 \
	  --keep-debuginfo=yes --child-silent-after-fork=yes $(HOST) .ci/specs.lua $(ARGS) $(SPEC)

# each file by itself, since what the collector does grows with the heap
gcstress: all ## the specs under the most eager collectors
	@status=0; for mode in incremental generational; do \
	  for spec in $(or $(SPEC),$(wildcard spec/*_spec.lua)); do \
	    ASYNCIO_TEST_GC=$$mode $(RUN_LUA) .ci/specs.lua $(ARGS) $$spec || \
	      status=1; \
	  done; \
	done; exit $$status

oom: ## a script of everything, with each allocation failing in turn
	+@$(SUBMAKE) $(ASAN) core host
	@.ci/oom build/asan/host $(OOM)

oom-full: ## the same, leaving out no allocation
	+@$(SUBMAKE) oom OOM=full

# Lua with its own assertions on; LUA_SRC may name a directory of its sources
LUA_SRC ?= build/lua-source
APICHECK = BUILD=build/apicheck OWN_LUA=$(LUA_SRC) LUA_INCDIR=$(LUA_SRC) \
  LUA_LIBS= RUN_LUA=$(CURDIR)/build/apicheck/host \
  LUA_PATH='$(LUA_PATH)$(call default,path)' \
  LUA_CPATH='$(CURDIR)/build/apicheck/?.so;;$(call default,cpath)'
# where the system's Lua finds its modules, busted among them
default = $(shell env -u LUA_PATH -u LUA_CPATH $(LUA) -e 'print(package.$(1))')
apicheck: ## the specs on a Lua that checks every use of its C API
	+@.ci/lua-source $(LUA_SRC) || exit 0; \
	$(SUBMAKE) $(APICHECK) core host && $(SUBMAKE) $(APICHECK) specs

COVERAGE := BUILD=build/coverage CC=gcc CFLAGS='-O0 -g --coverage'
coverage: ## line coverage of csrc by the specs, into build/coverage/
	+@$(SUBMAKE) $(COVERAGE) core
	@find build/coverage -name '*.gcda' -exec rm {} +
	+@$(SUBMAKE) $(COVERAGE) specs
	@.ci/coverage build/coverage

ci: ## everything that must hold before a change goes in
	@$(DEPS) --check build test dev || $(DEPS) build test dev
	+@MAKE='$(MAKE)' .ci/stages

# -- install --

install: all ## install into PREFIX (DESTDIR is honoured)
	mkdir -p '$(DESTDIR)$(INSTALL_CMOD)/asyncio'
	install -m 755 $(CORE) '$(DESTDIR)$(INSTALL_CMOD)/asyncio/core.so'
	@for file in $(MODULES); do \
	  to="$(DESTDIR)$(INSTALL_LMOD)/$${file#lua/}"; \
	  mkdir -p "$$(dirname "$$to")" && echo "install $$to" && \
	  install -m 644 "$$file" "$$to" || exit; \
	done

uninstall: ## remove what install put there
	rm -f '$(DESTDIR)$(INSTALL_CMOD)/asyncio/core.so'
	@for file in $(MODULES); do \
	  to="$(DESTDIR)$(INSTALL_LMOD)/$${file#lua/}"; \
	  echo "rm -f $$to" && rm -f "$$to" || exit; \
	done
	@-find '$(DESTDIR)$(INSTALL_LMOD)/asyncio' \
	  '$(DESTDIR)$(INSTALL_CMOD)/asyncio' -type d -empty -delete 2>/dev/null

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' Makefile | \
	  awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
