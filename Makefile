# Each target first makes its own environment. A second run starts at once.
#   make demo ARGS="--no-serve"      PYTHON=python3.12 make test

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# The versions that are installed.
CONSTRAINTS ?= constraints.txt
# The programs for `make test-versions`.
OLDEST_PYTHON ?= python3.10
NEWEST_PYTHON ?= python3.13
# Two processes share the test files. The tests of one file share what they serve. The files run in
# the order of their names, so that those of the browser, which take longest, are not the last ones.
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder
# The folders that `make test-fast` does not even collect.
LEFT_OUT := --ignore=tests/browser --ignore=tests/process
# hypothesis tries 25 examples for each test, as tests/conftest.py says, and here 100.
THOROUGH := --hypothesis-profile=thorough

# torch's threads wait for each other without spinning. On a busy machine this is ten times as fast.
export OMP_WAIT_POLICY ?= PASSIVE
# pytest loads only the plugins that the tests use. If it looked for plugins, it would compile all of
# hypothesis anew.
export PYTEST_DISABLE_PLUGIN_AUTOLOAD := 1
# Compiled modules are kept: those of the tests, and the plugin's, which each TensorBoard imports.
unexport PYTHONDONTWRITEBYTECODE

run := $(VENV)/bin/python
pytest := $(run) -m pytest -p xdist.plugin -p _hypothesis_pytestplugin
TYPESCRIPT := typescript@5.9.3

.DEFAULT_GOAL := help
.PHONY: help demo bundle test-fast test test-all test-versions lint bench fuzz screenshot gallery clean

help:
	@echo 'make demo        train a small CNN on digits twice, then open TensorBoard (about a minute)'
	@echo 'make test-fast   the tests without a browser and without other programs (a minute and a half)'
	@echo 'make test        the tests of daily work, in a real TensorBoard and browser too (about five minutes)'
	@echo 'make test-all    all tests: also model zoos, torchrun, endurance, frameworks (half an hour)'
	@echo 'make test-versions  make test-fast with the oldest, the pinned and the newest releases'
	@echo 'make lint        ruff, mypy, and tsc if Node.js is installed'
	@echo 'make bench       all benchmarks; writes bench/RESULTS.md (half an hour)'
	@echo 'make fuzz        a million hostile inputs, and 200 killed trainings (ten minutes)'
	@echo 'make bundle      join the page to one script and one style sheet (needs Node.js)'
	@echo 'make screenshot  the pictures of the README, docs/screenshot-*.png'
	@echo 'make gallery     the pictures of docs/gallery.md and the outputs of the tutorial'
	@echo 'make clean       remove the environment and all build products'
	@echo 'ARGS="…" passes arguments on: make test ARGS="-k gradients"'

demo: $(VENV)/installed-demo
	@$(run) -m demo $(ARGS)

bundle:
	@$(PYTHON) bundle.py

test-fast: $(VENV)/installed-test
	@$(pytest) $(PARALLEL) $(LEFT_OUT) -m "not browser and not process and not slow and not torchvision" $(ARGS)

# A bundled page opens in half of the time. Without Node.js the tests open its modules.
test: $(VENV)/installed-test
	@$(run) -m testing.chromium
	@$(run) bundle.py || true
	@$(pytest) $(PARALLEL) $(ARGS)

test-all: $(VENV)/installed-test
	@$(run) -m testing.chromium
	@$(run) -m testing.firefox
	@$(run) bundle.py || true
	@$(pytest) $(PARALLEL) $(THOROUGH) -m "not torchvision" $(ARGS)

# The oldest releases, the pinned ones, and the newest, each in an environment of its own.
test-versions:
	@$(MAKE) test-fast LEFT_OUT= PYTHON=$(OLDEST_PYTHON) VENV=.venv-oldest CONSTRAINTS=testing/versions/oldest.txt
	@$(MAKE) test-fast LEFT_OUT=
	@$(MAKE) test-fast LEFT_OUT= PYTHON=$(NEWEST_PYTHON) VENV=.venv-newest CONSTRAINTS=testing/versions/newest.txt
	@echo '| tests | Python | torch | TensorBoard | numpy |'
	@echo '|---|---|---|---|---|'
	@.venv-oldest/bin/python -m testing.version_row oldest
	@$(run) -m testing.version_row pinned
	@.venv-newest/bin/python -m testing.version_row newest

lint: $(VENV)/installed-dev
	$(run) -m ruff check
	$(run) -m ruff format --check
	$(run) -m mypy
	@if command -v npx >/dev/null; then \
		echo npx --package $(TYPESCRIPT) tsc -p frontend; \
		npx --yes --package $(TYPESCRIPT) tsc -p frontend; \
	else \
		echo 'Node.js is missing: the types of frontend/ were NOT checked.' >&2; \
		test -z "$(CI)"; \
	fi

bench: $(VENV)/installed-bench bundle
	$(run) -m testing.chromium
	$(run) -m bench $(ARGS)

fuzz: $(VENV)/installed-fuzz
	$(run) -m tests.fuzz $(ARGS)
	$(run) -m bench.endurance

screenshot: $(VENV)/installed-test
	$(run) -m testing.chromium
	$(run) -m docs.screenshot $(ARGS)

gallery: bundle screenshot
	$(run) -m docs.gallery
	$(run) -m testing.notebook examples/look_inside.ipynb

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest build tb_gradascent/bundle *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(run):
	@$(PYTHON) -m venv $(VENV)

# One stamp for each set of extras in setup.py.
$(VENV)/installed-%: setup.py pyproject.toml $(CONSTRAINTS) tb_gradascent/version.py | $(run)
	@$(run) -m testing.progress "Installing packages into $(VENV)" \
		$(run) -m pip install --disable-pip-version-check -c $(CONSTRAINTS) -e '.[$*]'
	@touch $@
