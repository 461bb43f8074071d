# make demo   search a small CNN on the digits, from nothing but Python 3.11+ and pip
# make test   set up what the tests need and run them all
# make test-all | test-fast | lint | docs | docs-serve | results | bench | headers | clean

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-fast lint docs docs-serve results bench headers clean
SHELL := /bin/sh

# The interpreter that makes the environment: PYTHON when given, else the first one that is new enough.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# What the tests need beside the core: a second backend, a cluster, the export formats. torch is large: add it by hand.
EXTRAS ?= dev,jax,ray,onnx,openvino,litert
SETTINGS := KERAS_BACKEND=$${KERAS_BACKEND:-tensorflow} TF_CPP_MIN_LOG_LEVEL=$${TF_CPP_MIN_LOG_LEVEL:-3}

# By files, in the order of tests/conftest.py: what a file's tests share is made once.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder

# A stamp bears the sum of what was installed, so nothing is installed twice and a changed pin is never missed.
SUM := $(shell cat pyproject.toml constraints.txt hatch_build.py | cksum | cut -d' ' -f1)
CORE_STAMP := $(VENV)/.installed-core-$(SUM)
comma := ,
DEV_STAMP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))-$(SUM)

DOCS_STAMP := $(VENV)/.installed-docs-$(SUM)

help:
	@sed -n '1,3s/^# //p' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. Give it as: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(CORE_STAMP): | $(BIN)/python
	@echo "Installing into $(VENV); the first time this takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV_STAMP): | $(BIN)/python
	@echo "Installing with [$(EXTRAS)] into $(VENV); the first time this takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@ $(CORE_STAMP)

$(DOCS_STAMP): | $(BIN)/python
	@echo "Installing with [docs] into $(VENV); the first time this takes a few minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@ $(CORE_STAMP)

demo: $(CORE_STAMP)
	$(SETTINGS) $(BIN)/automl search cnn --data digits --trials 8
	@echo
	@echo "See every trial in the browser:  $(BIN)/automl ui"

test: $(DEV_STAMP)
	$(SETTINGS) $(BIN)/python -m pytest $(PARALLEL)

# The sweeps in whole: five times the kills, twenty times as many made documents, every task with every
# input. An hour and more; before a release.
test-all: $(DEV_STAMP)
	AUTOML_TEST_ALL=1 $(SETTINGS) $(BIN)/python -m pytest --timeout 3600 $(PARALLEL)

test-fast: $(DEV_STAMP)
	$(SETTINGS) $(BIN)/python -m pytest -m "not slow" $(PARALLEL)

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site of docs/, in site/: a link that leads nowhere is an error. The reference is made anew from the code before.
# What the theme says of its own future is no matter of these pages.
docs: $(DOCS_STAMP)
	$(BIN)/python docs/reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

# The rows of docs/results.md and docs/kills.md that are missing: about an hour on 2 cores.
results: $(CORE_STAMP)
	$(SETTINGS) $(BIN)/python benchmarks/results.py
	$(SETTINGS) $(BIN)/python benchmarks/kills.py --missing

# What a search costs beside its training, for docs/benchmarks.md: three quarters of an hour on 2 quiet cores. benchmarks/efficiency.py
# takes hours and is run by hand.
bench: $(CORE_STAMP)
	$(SETTINGS) $(BIN)/python benchmarks/overhead.py
	$(SETTINGS) $(BIN)/python benchmarks/health.py
	$(SETTINGS) $(BIN)/python benchmarks/scale.py
	$(SETTINGS) $(BIN)/python benchmarks/memory.py

# The command at the head of each shipped space, run again; its time and score written under it: about an hour.
headers: $(CORE_STAMP)
	$(SETTINGS) $(BIN)/python benchmarks/headers.py

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find automl tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
