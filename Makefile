.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
WORKERS ?= 2
BROKERS ?= 1
BIN := .venv/bin
COMPILE = build/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --exclude-newer "5 days" --upgrade --quiet

##@ Use
run: .venv/ready ## Start everything on this machine; prints where to look
	$(BIN)/heed run

demo: .venv/ready ## Play 333 requests through a throwaway system, on a clock that runs fast
	$(BIN)/heed demo

cluster: .venv/ready ## Start everything as a city does: Kafka, PostgreSQL, two replicas of each service
	$(BIN)/heed cluster

kafka: .venv/ready ## Start Kafka alone; BROKERS=3 for three
	$(BIN)/heed kafka --brokers $(BROKERS)

##@ Check
test: .venv/ready-dev build/kafka/pom.xml ## Run the tests; T=tests/intake for a part
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(if $(HEED_TEST_STRICT),-p tests.support.strict) $(T)

lint: .venv/ready-dev ## Check style, types and dependency rules; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

histories: .venv/ready-dev ## Let five thousand made-up histories of a case try to break what must always hold
	HEED_HISTORIES=5000 $(BIN)/python -m pytest --timeout 7200 tests/dispatch/test_histories.py

faults: .venv/ready-dev build/kafka/pom.xml ## Kill and restart the whole system a hundred times under load
	HEED_FAULT_ROUNDS=100 $(BIN)/python -m pytest -m faults --timeout 7200 tests/faults

bench: .venv/ready-dev ## Measure against plain services; BENCH_ROWS=1000000 for the large store
	$(BIN)/python -m bench

##@ Maintain
fix: .venv/ready-dev ## Repair style where that can be done by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/ready-dev ## Write anew the pages and schemas that are made from the code
	$(BIN)/python -m docs.generate

lock: ## Renew the locked dependencies, none younger than five days
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/pip install --quiet 'uv>=0.9,<1'
	$(COMPILE) --extra build --output-file deploy/requirements.txt
	$(COMPILE) --extra build --extra dev --constraint deploy/requirements.txt --output-file deploy/requirements-dev.txt

clean: ## Remove what was made here, the state under var/ included
	@if [ -f var/postgres/location ]; then case "$$(cat var/postgres/location)" in \
		/var/lib/heed-*) rm -rf "$$(cat var/postgres/location)" ;; esac; fi
	rm -rf var build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info

help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build/kafka/pom.xml: deploy/kafka/pom.xml | .venv/ready
	-@$(BIN)/heed kafka --fetch

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Heed needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/ready: deploy/requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --no-compile --require-hashes --requirement $<
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/ready-dev: deploy/requirements-dev.txt .venv/ready
	$(BIN)/pip install --quiet --no-compile --require-hashes --requirement $<
	@touch $@

.PHONY: help run demo cluster kafka test lint fix histories faults bench docs lock clean
