# Two commands do everything on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SETUP = pyproject.toml constraints.txt

.PHONY: demo test slow docs format clean lowest pythons licences fuzz kill soak mutants

# What `make lowest` installs, and the Pythons of `make pythons`.
EXTRAS ?= dev
PYTHONS ?= 3.10 3.12 3.13
# More of `make fuzz`, `make kill` and `make soak`: 50000, 50, 10000.
CASES ?= 2000
MOMENTS ?= 3
FRAMES ?= 300
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

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet
	@echo "Open site/index.html"

lowest: $(SETUP)
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tools/lowest.py $(EXTRAS) > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet -c .venv-lowest/constraints.txt -e ".[$(EXTRAS)]"
	.venv-lowest/bin/python -m pytest -m "not slow" -o filterwarnings=default  # old libraries warn of newer ones

pythons: $(SETUP)
	for version in $(PYTHONS); do \
	  python$$version -m venv .venv-$$version && \
	  .venv-$$version/bin/python -m pip install --quiet -c constraints.txt -e ".[dev]" && \
	  .venv-$$version/bin/python -m pytest -m "not slow" || exit 1; done

licences: .venv/.run
	.venv/bin/avsnet doctor --licences

fuzz: .venv/.dev
	.venv/bin/python tools/fuzz.py --cases $(CASES)

kill: .venv/.dev
	.venv/bin/python tools/kill.py --moments $(MOMENTS)

soak: .venv/.dev
	.venv/bin/python tools/soak.py --frames $(FRAMES)

mutants: .venv/.dev
	.venv/bin/python tools/mutants.py

format: .venv/.dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean:
	rm -rf .venv .venv-* demo site

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

.venv/.docs: .venv/bin/python $(SETUP)
	$(PIP) -e ".[docs]"
	@touch $@
