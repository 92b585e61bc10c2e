# make run      a demonstration mail system on this machine, in the foreground
# make test     lint, and all tests but the long ones
# Both need Python 3.11 or newer and the network for the first time, and nothing else.

# The system's own Python where it will do, else the first in PATH: distributions build theirs optimised, and mail
# costs a sixth less CPU by it (docs/performance.rst).
SYSTEM := /usr/bin/python3
PYTHON ?= $(shell $(SYSTEM) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
            && echo $(SYSTEM) || echo python3)
VENV   := .venv
BIN    := $(VENV)/bin
SITE   := var

# An environment works in the folder alone that it was made in: moved, it is made anew.
MADE_IN := $(shell cat $(VENV)/made.stamp 2>/dev/null)
ifneq ($(MADE_IN),)
ifneq ($(MADE_IN),$(CURDIR))
CLEAR := --clear
$(shell rm -f $(VENV)/*.stamp)
endif
endif

# How the proof kit is run: see make proof PROOF=--help.
PROOF ?=

# For how long make fuzz looks for trouble, in seconds.
FUZZ_SECONDS ?= 600
# Further options for the benchmarks.
BENCH        ?=

.PHONY: run test test-slow lint bench bench-peers bench-report bench-check fuzz proof proof-broken clean
.DEFAULT_GOAL := run

run: $(VENV)/run.stamp
	$(BIN)/mailsuite demo $(SITE)
	exec $(BIN)/twistd --nodaemon --pidfile= mailsuite --config $(SITE)/mailsuite.toml

test: lint
	$(BIN)/python -m pytest -m "not slow" --numprocesses 3 --dist loadfile

test-slow: $(VENV)/test.stamp
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/test.stamp
	$(BIN)/ruff check
	$(BIN)/mypy

# Ours alone, and quick; the whole table beside servers of other makes (as root); what docs/performance.rst shows of
# it; whether CPU per message has grown. BENCH takes further options: make bench-peers BENCH=--full
bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks --alone --quick $(BENCH)

bench-peers: $(VENV)/bench.stamp
	$(BIN)/python -m tests.system.unpacked || echo "Some servers could not be fetched: they are left out." >&2
	$(BIN)/python -m benchmarks --json build/bench.json $(BENCH)

bench-report: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.report build/bench.json

bench-check: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.check $(BENCH)

fuzz: $(VENV)/fuzz.stamp
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

proof: $(VENV)/test.stamp
	$(BIN)/python -m tests.proof $(PROOF)

# Products that are broken on purpose: each has to be found out.
proof-broken: $(VENV)/test.stamp
	$(BIN)/python -m tests.proof --break all

clean:
	rm -rf $(VENV) $(SITE) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

# A stamp is renewed when what it depends on has changed; otherwise nothing is installed again.
# The code is used where it lies (--editable); "compat" is the mode in which twistd sees our plugin too.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
          --config-settings editable_mode=compat --editable

# Without what it depends on: its passlib would be written over libpass (docs/directories.rst).
LDAP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps "ldaptor>=21.2"

$(VENV)/run.stamp: setup.cfg pyproject.toml | $(VENV)/made.stamp
	$(INSTALL) .
	touch $@

$(VENV)/test.stamp: setup.cfg pyproject.toml | $(VENV)/made.stamp
	$(INSTALL) ".[test]"
	$(LDAP)
	touch $@ $(VENV)/run.stamp

$(VENV)/bench.stamp: setup.cfg pyproject.toml | $(VENV)/made.stamp
	$(INSTALL) ".[test,bench]"
	$(LDAP)
	touch $@ $(VENV)/test.stamp $(VENV)/run.stamp

$(VENV)/fuzz.stamp: setup.cfg pyproject.toml | $(VENV)/made.stamp
	$(INSTALL) ".[test,fuzz]"
	$(LDAP)
	touch $@ $(VENV)/test.stamp $(VENV)/run.stamp

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(CLEAR) $(VENV) || \
	  { echo "$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	pwd -P > $@
