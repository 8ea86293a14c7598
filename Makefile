# The verbs of this repository. `make repro` and `make test` need Python 3.11+, git and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A bound on how long torch's threads spin: without one they crawl as soon as anything else runs on a core.
export GOMP_SPINCOUNT ?= 10000
# Test files beside each other, one on each core.
BESIDE := --numprocesses auto --dist loadfile
# Stages call `python`; it has to be the environment's.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro doctor ablations baselines lock verify results test slow check format setup clean

repro: $(READY)  ## set up and run the whole pipeline of the profile in params.yaml
	scople spread

doctor: $(READY)  ## check archives, weights, device, memory, disk and versions before a long run
	@scople doctor

ablations: $(READY)  ## Tables 1 and 4, Figure 3 and the diagnostics on top of it
	scople spread ablations/dvc.yaml

baselines: $(READY)  ## every published method beside SCoPLe, under one protocol, on top of it
	scople spread baselines/dvc.yaml

lock: $(READY)  ## do the committed locks belong to this code? without any data, in seconds
	@scople verify lock

verify: $(READY)  ## run everything again, nothing from a cache, and compare with what is committed
	scople spread --force dvc.yaml ablations/dvc.yaml baselines/dvc.yaml
	scople verify check

results: $(READY)  ## docs/results.md and the tables of docs/comparison.md, from results/
	@scople results

test: $(READY)  ## set up and run the fast tests
	pytest -q $(BESIDE)

slow: $(READY)  ## the tests that take longer
	pytest -q -m slow $(BESIDE)

check: $(READY)  ## linters, the import contract and types
	ruff check .
	ruff format --check .
	lint-imports
	mypy

format: $(READY)  ## let ruff lay out the code
	ruff check --fix .
	ruff format .

setup: $(READY)  ## make .venv only

clean:  ## remove the environment and every cache but DVC's
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache *.egg-info

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else f"error: Python 3.11 or newer is needed, {sys.version.split()[0]} was found: call make PYTHON=/path/to/python3.11.")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)
