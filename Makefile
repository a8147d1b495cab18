# `make help` lists the targets. Everything is installed into .venv, servers into a cache.

FEATURES ?= features
TAGS     ?=
SUITE    ?=
SHARD    ?=
SERVERS  ?=
JOBS     ?= 1
STACK    ?=
KEEP     ?=
VERBOSE  ?=
ARGS     ?=
PYTHON   ?= python3
# Tests wait for processes half of the time: three workers for two cores.
WORKERS  ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) * 3 // 2)')

VENV := .venv
BIN  := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help venv acceptance merge test lint lint-ci catalogue mutants troubles compatibility bench images clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  make acceptance FEATURES=features/messaging TAGS=@seed JOBS=2 STACK=native KEEP=1'
	@echo '  make acceptance SUITE=nightly SHARD=2/5'

acceptance: $(VENV)/ready ## Run the features on real services and make the report
	@$(BIN)/python -m stackproof run $(FEATURES) --jobs $(JOBS) \
	  $(if $(TAGS),--tags '$(TAGS)') $(if $(SUITE),--suite $(SUITE)) $(if $(SHARD),--shard $(SHARD)) $(if $(STACK),--stack $(STACK)) $(if $(KEEP),--keep) $(if $(VERBOSE),--verbose) $(ARGS)

merge: $(VENV)/ready ## Join the reports of shards (SHARDS='dir dir') into one verdict
	@$(BIN)/python -m stackproof merge $(SHARDS) $(ARGS)

test: $(VENV)/ready-dev ## Run the suite's own tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(VENV)/ready-dev ## Check code, features, steps and documents
	@$(BIN)/python -m ruff check . && $(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m tests.house
	@$(BIN)/python ci/check.py

lint-ci: $(VENV)/ready-dev ## Check the CI definitions by linters from npm as well
	@$(BIN)/python ci/check.py --npm

catalogue: $(VENV)/ready ## Write docs/steps.md from the steps, compose/*.yml from the services
	@$(BIN)/python -m stackproof steps --markdown > docs/steps.md.new && mv docs/steps.md.new docs/steps.md
	@$(BIN)/python -m stackproof.stack.docker.rendering

mutants: $(VENV)/ready-dev ## Run the broken systems: each must be caught; AUTO=20: random changes
	@$(BIN)/python -m tests.mutants$(if $(AUTO),.auto $(AUTO) $(if $(SEED),--seed $(SEED)) $(if $(SYSTEM),--system $(SYSTEM))) $(ARGS)

troubles: $(VENV)/ready-dev ## Provoke every known trouble and write docs/troubleshooting.md
	@$(BIN)/python -m tests.troubles

compatibility: $(VENV)/ready-dev ## Try other servers (SERVERS='kfake valkey') and write docs/compatibility.md
	@$(BIN)/python -m tests.compatibility $(SERVERS) $(ARGS)

bench: $(VENV)/ready-dev ## Measure the suite itself
	@$(BIN)/python -m bench

images: $(VENV)/ready ## Build container images for places without an image registry (as root)
	@$(BIN)/python -m stackproof images $(ARGS)

clean: ## Remove what was generated here (not the cache of servers)
	rm -rf $(VENV) reports reports-merged allure-report .pytest_cache .mypy_cache .ruff_cache .hypothesis

venv: $(VENV)/ready-dev ## Make the virtual environment only

$(VENV)/ready: requirements.txt reference/requirements.txt pyproject.toml setup.py
	@echo "installing the suite's Python packages into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "no virtual environment can be made (Debian: apt-get install python3-venv)"; exit 2; }
	@$(BIN)/python ci/install.py requirements.txt
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements-dev.txt
	@$(BIN)/python ci/install.py requirements-dev.txt
	@touch $@
