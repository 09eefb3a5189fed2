# Two commands do all: `make repro` runs the pipeline, `make test` the tests; both set .venv up.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

# Stage commands say `python`: it must be the one that has the packages.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup repro seeds test chaos bench growth lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 12

setup: $(STAMP) ## create .venv and install the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: Python 3.10 or later is needed, %s is %d.%d: run make PYTHON=python3.11 ..." % (sys.executable, *sys.version_info[:2]))'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

repro: $(STAMP) ## run the pipeline on the dataset that params.yaml names
	$(BIN)/dvc repro

seeds: $(STAMP) ## train three seeds as the experiments seed-1, seed-2, seed-3
	$(BIN)/dvc exp run --queue --name seed -S 'train.seed=1,2,3'
	$(BIN)/dvc exp run --run-all

test: $(STAMP) ## run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 20

chaos: $(STAMP) ## kill stages 60 times and prove that the results stay the same
	$(BIN)/python tests/helpers/chaos.py

bench: $(STAMP) ## time this project beside the tutorial's way (after `make repro`)
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m benchmarks

growth: $(STAMP) ## measure every stage's memory and time as the dataset grows 1x, 4x, 16x
	$(BIN)/python -m benchmarks.growth

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP) ## resolve the dependencies anew into requirements.lock
	$(BIN)/python -m uv pip compile pyproject.toml --universal --python-version 3.10 --extra dev \
		--generate-hashes --no-header --no-annotate --upgrade -o requirements.lock

clean: ## remove caches and scratch files, no data
	rm -rf .scratch .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
