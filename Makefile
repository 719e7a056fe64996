# Two commands do everything on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SETUP = pyproject.toml constraints.txt

.PHONY: demo test slow format clean
.DELETE_ON_ERROR:

demo: .venv/.run
	.venv/bin/avsnet demo --out demo

test: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pytest -m "not slow"

slow: .venv/.dev
	.venv/bin/pytest -m slow

format: .venv/.dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: .venv/bin/python $(SETUP)
	@echo "Installing avsnet into .venv (torch is large: a few minutes the first time) ..."
	$(PIP) -e ".[rooms]"
	@touch $@

.venv/.dev: .venv/bin/python $(SETUP)
	@echo "Installing avsnet and what its tests need into .venv ..."
	$(PIP) -e ".[dev]"
	@touch $@ .venv/.run
