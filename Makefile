# News Alert. `make run` and `make test` are all that a fresh machine needs.

PYTHON ?= python3
CONFIG ?= config.yaml
PYTEST ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help install run test check pytest clock bench languages pictures clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/installed ## install into .venv, so that .venv/bin/alerts works

run: .venv/installed ## run the daemon on config.yaml: the site, the built-in mail catcher, SQLite, seeds/
	@exec $(BIN)/alerts run --config $(CONFIG)

test: .venv/test-installed ## install what tests need, then run every check and test
	@.ci/bring-parts
	@$(MAKE) --no-print-directory --jobs 2 check pytest

check: .venv/test-installed ## style, types and floors only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy alerts tests
	$(BIN)/lint-imports --no-cache

pytest: .venv/test-installed ## the tests only; PYTEST="-k name" picks some
	@rm -f .coverage .coverage.*
	$(if $(PYTEST),$(BIN)/pytest -n 2 --dist worksteal $(PYTEST))
	$(if $(PYTEST),,$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report= tests/core)
	$(if $(PYTEST),,$(BIN)/coverage report --show-missing --skip-covered --fail-under=100)
	$(if $(PYTEST),,$(BIN)/pytest -n 4 --dist worksteal -m "not alone" --ignore tests/core)
	$(if $(PYTEST),,$(BIN)/pytest -m alone --ignore tests/core)

clock: .venv/test-installed ## the tests that are about times on the clock, which `make test` runs last
	$(BIN)/pytest -m alone --ignore tests/core

bench: .venv/test-installed ## run the benchmarks and print ratios
	@set -e; for script in bench/bench_*.py; do $(BIN)/python $$script; done

languages: .venv/test-installed ## collect what is said to readers into alerts/languages/*.po, to be translated there
	$(BIN)/python tests/sentences.py

pictures: .venv/test-installed ## draw docs/pictures anew: every page by day and by night, on a phone and on a desk
	@$(BIN)/python tests/pictures.py

clean: ## remove what make made; the database in var/ stays
	rm -rf .venv build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/installed: pyproject.toml constraints.txt
	@.ci/make-venv $(PYTHON)
	@echo "installing into .venv"
	@$(PIP) install --constraint constraints.txt --upgrade pip
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

.venv/test-installed: .venv/installed
	@echo "installing what the tests need into .venv"
	@$(PIP) install --constraint constraints.txt --group test
	@touch $@
