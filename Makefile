# `make repro` runs the pipeline and `make test` runs the tests. Each first sets up .venv; nothing is
# needed beforehand but Python and make.
PYTHON ?= python3
BIN := .venv/bin
# Each file is written when its part of .venv is complete.
INSTALLER := .venv/.installer
PIPELINE := .venv/.pipeline
DEVELOPERS := .venv/.developers
# Exists during an installation. If it exists before one, the last one was interrupted; what it left
# cannot be trusted and is installed again.
UNFINISHED := .venv/.unfinished

# --python: another activated environment is left alone. --no-deps: the lock names every package.
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps

# Installs the lock that is the target's first prerequisite, then the project; $(1) says what to
# expect. Packages that somebody added to .venv, such as those of the extra `gpu`, stay.
# --compile-bytecode: otherwise Python compiles TensorFlow at the first import, and at every import
# where PYTHONDONTWRITEBYTECODE is set, as in many containers.
define install_lock
@echo '$(if $(wildcard $@),Updating .venv,Installing the packages in $< into .venv: $(1))'
@touch $(UNFINISHED)
@$(INSTALL) --compile-bytecode --require-hashes $(if $(wildcard $(UNFINISHED)),--reinstall) -r $<
@$(INSTALL) --no-build-isolation --editable .
@rm $(UNFINISHED)
endef

COMPILE_LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
	--no-header --no-annotate $(if $(UPGRADE),--upgrade)
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 20

# The commands of the stages say `python`; this makes it the one in .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-dev repro seeds browser test test-all chaos bench growth docs lint format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 12

setup: $(PIPELINE) ## create .venv with the packages of the pipeline
	@:

setup-dev: $(DEVELOPERS) ## add the packages for tests and development to .venv
	@:

$(INSTALLER): locks/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "error: Python 3.10 or later is needed, %s is %d.%d: run make PYTHON=python3.11 ..." % (sys.executable, *sys.version_info[:2]))'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(PIPELINE): locks/pipeline.txt pyproject.toml | $(INSTALLER)
	$(call install_lock,0.9 GB to download; about a minute)
	@touch $@

# The developers' lock contains the pipeline's (a test compares them).
$(DEVELOPERS): locks/developers.txt locks/pipeline.txt pyproject.toml | $(INSTALLER)
	$(call install_lock,1.4 GB to download; one to two minutes)
	@touch $(PIPELINE) $@

repro: $(PIPELINE) ## run the pipeline on the dataset that params.yaml names
	@$(BIN)/captioning doctor --quiet
	@$(BIN)/dvc repro

seeds: $(PIPELINE) ## train three seeds as the experiments seed-1, seed-2, seed-3
	$(BIN)/dvc exp run --queue --name seed -S 'train.seed=1,2,3'
	$(BIN)/dvc exp run --run-all

# Chromium for the tests of pages. Where it cannot be installed, they are skipped, but fail if CI=true.
browser: ## install Chromium, with which the tests open pages, if it is missing (apt-get, as root)
	@for name in "$$CAPTIONING_CHROMIUM" chromium chromium-browser google-chrome; do \
		command -v "$$name" > /dev/null && exit; \
	done; \
	if command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing Chromium for the tests of pages"; \
		apt-get -qq update && apt-get -qq install -y chromium > /dev/null && exit; \
	fi; \
	echo "Tests of pages are skipped: install Chromium, or set CAPTIONING_CHROMIUM to its path"

test: $(DEVELOPERS) browser ## run the tests, except those that take minutes
	@$(PYTEST) -m 'not long'

test-all: test ## run all tests; stages are killed 32 times
	@$(PYTEST) -m long

chaos: $(PIPELINE) ## kill stages 60 times and compare the results with an undisturbed run
	@$(BIN)/python tests/helpers/chaos.py

bench: $(PIPELINE) ## compare the speed with the tutorial's code (after `make repro`)
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m benchmarks

growth: $(PIPELINE) ## measure memory and time of every stage for datasets of 1x, 4x, 16x the size
	$(BIN)/python -m benchmarks.growth

docs: $(DEVELOPERS) ## build the documentation as a site in .scratch/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

lint: $(DEVELOPERS) ## check style, types and the direction of imports
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(DEVELOPERS) ## reformat the code and apply automatic fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pipeline's versions are those of the developers' lock.
lock: $(INSTALLER) ## update locks/ after a change in pyproject.toml (UPGRADE=1: newest versions)
	echo uv | $(COMPILE_LOCK) - -o locks/uv.txt
	$(COMPILE_LOCK) pyproject.toml --extra dev -o locks/developers.txt
	$(COMPILE_LOCK) pyproject.toml --constraint locks/developers.txt -o locks/pipeline.txt

clean: ## remove caches and scratch files; data and .venv stay
	rm -rf .scratch .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
