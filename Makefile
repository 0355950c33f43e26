# Two commands on a fresh machine: make demo, make test. Both set up what they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint bench docs clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## Index real photos, search them, write a contact sheet
	$(BIN)/python examples/demo.py

test: $(VENV)/.dev  ## Run the fast tests (about a minute)
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

test-slow: $(VENV)/.dev  ## Run all tests, also those that take many minutes
	$(BIN)/python -m pytest -q -n auto --dist loadgroup --slow

lint: $(VENV)/.dev  ## Check style, types and the architecture's import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench  ## Measure speed and memory against named peers (tens of minutes); results go to benchmarks/results
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev  ## Write the command-line reference anew from the parser
	$(BIN)/python docs/make_cli_reference.py

clean:  ## Remove the environment and everything made
	rm -rf $(VENV) demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "wordsight needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e ".[dev]"
	@touch $@

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e ".[bench,fast,demo]"
	@touch $@
