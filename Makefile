# What a clone can do. `make` alone lists it.
#
# Standard output belongs to the program that runs (`make demo ARGS=--json | jq`): commands are not echoed, and whatever
# prepares the environment writes to standard error.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv/bin
# Passed on to `demo`, `up`, `test`, `bench`, `faults` and `lock`.
ARGS ?=

.PHONY: help demo up test bench faults coverage check lock clean format environment environment-dev
.PHONY: mutants check-style check-types check-imports check-schemas check-reference check-alerts check-capacity

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

demo: environment ## Show one campaign being funded, live, through the real pipeline (ARGS=--json, ARGS=--stay)
	@$(VENV)/python -m cercles demo $(ARGS)

up: environment ## Run everything on this machine and keep its data, until Ctrl-C (ARGS="--gateway-port 8080 --reader-port 8081")
	@$(VENV)/python -m cercles up $(ARGS)

test: environment-dev ## Run all tests, on real Kafka and PostgreSQL (ARGS="tests/unit -x", whatever pytest takes)
	@$(VENV)/python -m pytest $(ARGS)

bench: environment-dev ## Measure speed beside a floor, and keep the figures (ARGS=fold, ARGS="worker --runs 3 --json", ARGS=--help)
	@$(VENV)/python -m benchmarks $(ARGS)

faults: environment-dev ## Kill, freeze, cut off and fill up everything, under load, and prove that nothing is lost (ARGS="--short --json")
	@$(VENV)/python -m tests.faults $(ARGS)

coverage: environment-dev ## Check that the example tests of the pure folds reach every branch of them
	@$(VENV)/python -m coverage run -m pytest -q tests/ledger tests/resolver tests/worker/test_batch.py \
		tests/worker/test_checkpoints.py --ignore tests/resolver/test_process.py \
		--ignore tests/resolver/test_properties.py \
		--ignore tests/ledger/test_properties.py --ignore tests/ledger/test_against_naive.py
	@$(VENV)/python -m coverage report

mutants: environment-dev ## Change the pure folds in 2,000 small ways and check that their example tests notice each one
	@sh ops/mutants.sh $(ARGS)

check: check-style check-types check-imports check-schemas check-reference check-alerts check-capacity ## Run everything that needs no test run: linters, types, layering, generated files, alerts

format: environment-dev ## Format the code and mend what the linter can mend
	@$(VENV)/python -m ruff format .
	@$(VENV)/python -m ruff check --fix .

lock: ## Make both lock files again from pyproject.toml (ARGS=--upgrade, ARGS="--upgrade-package NAME")
	@sh ops/lock.sh $(ARGS) >&2

clean: ## Remove the environment and the tools' caches; data stays
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage *.egg-info
	@find . -path ./data -prune -o -type d -name __pycache__ -exec rm -rf {} +

environment:
	@sh ops/bootstrap.sh runtime >&2

environment-dev:
	@sh ops/bootstrap.sh dev >&2

check-style: environment-dev
	@$(VENV)/python -m ruff check .
	@$(VENV)/python -m ruff format --check .

check-types: environment-dev
	@$(VENV)/python -m mypy

check-imports: environment-dev
	@$(VENV)/lint-imports --no-logo

check-schemas: environment-dev
	@$(VENV)/python -m schemas.export --check
	@$(VENV)/python -m schemas.asyncapi --check

check-reference: environment-dev
	@$(VENV)/python -m cercles.reference --check

check-alerts:
	@sh ops/check_alerts.sh
check-capacity: environment-dev
	@$(VENV)/python -m benchmarks.capacity --check
