# Each target makes its own environment first; a second run starts at once.
#   make demo ARGS="--no-serve"      PYTHON=python3.12 make test

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Half of the tests' time is waiting for a page. A file's tests share what they serve.
PARALLEL ?= -n 2 --dist loadfile

# torch's threads wait for each other without spinning: on a busy machine, ten times as fast.
export OMP_WAIT_POLICY ?= PASSIVE

run := $(VENV)/bin/python
TYPESCRIPT := typescript@5.9.3

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench fuzz screenshot clean

help:
	@echo 'make demo        train a small CNN on digits, then open TensorBoard on it (about a minute)'
	@echo 'make test        all tests, in a real TensorBoard and a real browser too'
	@echo 'make lint        ruff, mypy, and tsc where Node.js is installed'
	@echo 'make bench       every benchmark; rewrites bench/RESULTS.md (half an hour)'
	@echo 'make fuzz        a million hostile inputs, and trainings killed 200 times (minutes)'
	@echo 'make screenshot  the pictures of the README, docs/screenshot-*.png'
	@echo 'make clean       remove the environment and what was built'
	@echo 'Arguments go through ARGS="…": make test ARGS="-k gradients"'

demo: $(VENV)/installed-demo
	$(run) -m demo $(ARGS)

test: $(VENV)/installed-test
	$(run) -m testing.chromium
	$(run) -m pytest $(PARALLEL) $(ARGS)

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

bench: $(VENV)/installed-bench
	$(run) -m testing.chromium
	$(run) -m bench $(ARGS)

fuzz: $(VENV)/installed-fuzz
	$(run) -m tests.fuzz $(ARGS)
	$(run) -m bench.endurance

screenshot: $(VENV)/installed-test
	$(run) -m testing.chromium
	$(run) -m docs.screenshot $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(run):
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of extras in setup.py.
$(VENV)/installed-%: setup.py pyproject.toml constraints.txt tb_gradascent/version.py | $(run)
	$(run) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@
