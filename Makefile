# What a developer runs. `make serve` and `make test` set up all they need in .venv.

PYTHON ?= python3
PORT ?= 6379
VENV := .venv
PURE := .venv-pure
BIN := $(VENV)/bin
SOURCES := $(shell find src -name '*.py' -o -name '*.pyx' -o -name '*.pxd')
PYTEST := -m pytest -p no:cacheprovider

.PHONY: serve test test-pure lint types compare torture bench blocking clean

serve: $(VENV)/.built
	@mkdir -p data
	$(BIN)/alcove serve --bind 127.0.0.1 --port $(PORT) --dir data

test: $(VENV)/.built
	$(BIN)/python $(PYTEST) $(ARGS)

# The same tests without a compiler: the legs in the process and over the protocol in memory.
test-pure: $(PURE)/.built
	ALCOVE_LEGS=embedded,memory $(PURE)/bin/python $(PYTEST) $(ARGS)

lint: $(VENV)/.built
	$(BIN)/ruff check src tests bench examples setup.py derive_blocking.py
	$(BIN)/ruff format --check src tests bench examples setup.py derive_blocking.py

types: $(VENV)/.built
	$(BIN)/mypy

# 200,000 random commands of every family against each real server that is installed.
compare: $(VENV)/.built
	ALCOVE_COMPARE=200000 $(BIN)/python $(PYTEST) tests/comparison $(ARGS)

# 200 kills each of a server and of an embedding program, under `appendfsync` always and everysec.
torture: $(VENV)/.built
	$(BIN)/python -m tests.torture $(ARGS)

bench: $(VENV)/.built
	$(BIN)/python -m bench $(ARGS)

# `alcove.patterns.blocking` from `alcove.patterns.asyncio`.
blocking: $(VENV)/.built
	$(BIN)/python derive_blocking.py

clean:
	rm -rf build $(VENV) $(PURE)

# Installed, not in place: the source tree stays plain, and what is tested is what users get. `build/` keeps what was
# compiled, so a change compiles only what it touches.
define install
	find build -path '*/lib*' -name '*.py' -delete 2>/dev/null || true
	$(1)/bin/pip install --quiet --no-build-isolation .
	@touch $(1)/.built
endef

$(VENV)/.built: $(VENV)/.ready $(SOURCES) setup.py
	$(call install,$(VENV))

$(PURE)/.built: export ALCOVE_PURE = 1
$(PURE)/.built: $(PURE)/.ready $(SOURCES) setup.py
	$(call install,$(PURE))

%/.ready: pyproject.toml
	$(PYTHON) -m venv $*
	$*/bin/pip install --quiet --upgrade pip
	$*/bin/pip install --quiet --group dev
	@touch $@
