# The project's doors. `make run` and `make test` need Python 3.11+ and make, and set up everything else themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.dev-installed

.PHONY: run test check lint types contracts unit wheel compat bench clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(STAMP): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.installed

run: $(VENV)/.installed ## a broker on 127.0.0.1:9092, its data in ./data
	$(BIN)/klamm start --data-dir data --port 9092

test: $(STAMP) ## everything that needs nothing but Python
	$(BIN)/python -m pytest -n 2

check: lint types contracts unit ## the quick loop, about a minute

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy
	$(BIN)/mypy --config-file compat/mypy.ini

contracts: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/python -m pytest -n 2 tests

wheel: $(STAMP) ## sdist -> wheel, installed alone in a bare environment, a broker started from another directory
	bash .ci/wheel

compat: $(STAMP) ## real clients against klamm; needs Java 17, Maven, Go and Node
	$(BIN)/python -m pytest compat -p no:cacheprovider
	$(BIN)/python -m compat.kafka_python.integration --target klamm

bench: $(STAMP) ## klamm beside real Kafka 4.3.1, in short: the table, and .cache/bench.svg; needs Java 17, Maven and Go
	mkdir -p .cache
	$(BIN)/python -m compat.bench --short --json .cache/bench.json

clean:
	rm -rf $(VENV) build dist .cache .mypy_cache .ruff_cache .pytest_cache
