# Six words for developers, two for everyone: `make demo` and `make test` set up all they need.

VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin

.PHONY: demo test setup fix check e2e bench sim compose-demo clean

demo: $(VENV)/ready       ## a cluster with two workers, an application, healing, scaling
	@$(BIN)/python tools/demo.py

test: $(VENV)/ready       ## everything: checks, unit, property, contract, end to end
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest tests/e2e -q

check: $(VENV)/ready      ## format, lint, types, imports, unit, property, contract
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || (cat $(VENV)/imports.log; exit 1)
	$(BIN)/python -m pytest -q --ignore=tests/e2e

e2e: $(VENV)/ready
	$(BIN)/python -m pytest tests/e2e -q

bench: $(VENV)/ready      ## the budget of the design, beside upstream's figures
	@WRK=1 sh tools/system_packages.sh
	@$(BIN)/python bench/budget.py

compose-demo:             ## the same on three hosts, each a container; BASE=IMAGE builds on another image
	@sh tools/compose_demo.sh

fix: $(VENV)/ready
	$(BIN)/ruff check --fix -q .
	$(BIN)/ruff format -q .

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml tools/system_packages.sh
	@sh tools/system_packages.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
