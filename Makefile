# Everything works in an environment of its own, .venv, made on first use.
#   make demo    train a translator on the drawn fruit, with nothing but Python 3.11+
#   make test    the everyday tests
#   make integration    tests that take seconds each: whole runs, browsers, kills, exports
#   make check   formatting, lint, types
#   make bench   times the step, the loader, translation and whole runs (a quarter of an hour)
#   make docs    the documentation, as a site in build/docs; a warning is an error
#   make notebook   run the notebook and keep its outputs
# Variables: DATA=DIR gives `make bench` real images to run on.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test integration check bench docs notebook clean

demo: .venv/run
	$(BIN)/python train.py

test: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not integration"

integration: .venv/dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "integration and not slow"

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/bench
	$(BIN)/python benchmarks/report.py $(if $(DATA),--data-dir $(DATA))

# Without the variable, the theme advertises its successor before each build.
docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

notebook: .venv/dev
	$(BIN)/python notebooks/execute.py

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache .mypy_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, but $(PYTHON) is older. Try: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 2; }

.venv/run: $(BIN)/python pyproject.toml requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv/docs: .venv/run requirements-docs.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

.venv/bench: .venv/run benchmarks/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@
