# Everything from a fresh clone. Each target is a line or two; nothing needs make.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
CATALOG ?=
BIN := .venv/bin

.PHONY: run test setup build evaluate bench screenshots check strings clean
run: setup  ## build the sample catalog (or CATALOG=path) if nothing is live, then serve it
	$(BIN)/python -m indexer build $(if $(CATALOG),$(CATALOG) --if-changed,catalog/products.csv --if-none)
	AISLE_HOST=$(HOST) AISLE_PORT=$(PORT) $(BIN)/python app.py

test: setup check  ## linters, types and all tests
	$(BIN)/python -m pytest

setup: .venv/installed  ## create .venv with the pinned requirements

.venv/installed: requirements.txt $(wildcard requirements/*.txt)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(shell grep ^torch== requirements/index.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

build: setup  ## make build CATALOG=mine.csv
	$(BIN)/python -m indexer build $(or $(CATALOG),catalog/products.csv)

evaluate: setup  ## the README's table: Aisle beside its plain parts, on every judged catalog at hand
	$(BIN)/python bench/ranking/table.py

bench: setup  ## how fast, how large, how much is found, beside its peers; writes bench/RESULTS.md
	$(BIN)/python bench/results.py

screenshots: setup  ## every page of the live release in three widths and two schemes, in instance/screenshots/
	$(BIN)/python bench/screenshots.py

check: setup  ## lint and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

strings: setup  ## collect the interface's words and compile their translations
	$(BIN)/pybabel -q extract -F translations/babel.cfg --no-location --omit-header --sort-output -k lazy_gettext -o translations/messages.pot .
	$(BIN)/pybabel -q update -i translations/messages.pot -d translations --no-fuzzy-matching --ignore-pot-creation-date --ignore-obsolete
	$(BIN)/pybabel -q compile -d translations

clean:  ## remove the environment and everything built
	rm -rf .venv instance .mypy_cache .pytest_cache .ruff_cache .hypothesis
