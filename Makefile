# `make run` opens the demo shop, `make test` runs everything. All else is below, each with its line in `make help`.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(if $(shell \
	$(name) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(name))))
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(PYTHON) -m pip --disable-pip-version-check --python $(BIN)/python install --quiet
RUNTIME := $(VENV)/installed-runtime
DEV := $(VENV)/installed-dev
EDITABLE = --no-deps --no-build-isolation --editable .
LOCK = echo 'setuptools>=77' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header $(UPGRADE)
SOURCES := portal tests migrations wsgi.py
PO := $(wildcard portal/translations/*/LC_MESSAGES/messages.po)
MO := $(PO:.po=.mo)
EXTRACT = $(BIN)/pybabel -q extract -F portal/translations/babel.cfg -k _l --no-location --sort-output -o $(VENV)/messages.pot .

export PYTHONUTF8 := 1
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run fresh test mutants planted machine hostile soak before day month check lint types browser bench bench-large lighthouse hosts pictures words lock clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNTIME) $(MO) ## Open the demo shop on http://127.0.0.1:8000 (another port: make run PORT=9000)
	@$(BIN)/python -m portal.demo.run --port $(PORT)

fresh: $(RUNTIME) ## Forget the demo shop's data; the next `make run` starts over
	@$(BIN)/python -m portal.demo.run --forget

test: $(DEV) $(MO) browser ## Run the whole suite
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

mutants: $(DEV) $(MO) ## Take out each rule that keeps money safe, and show which test turns red; some minutes
	@$(BIN)/python -m tests.mutants

planted: $(DEV) $(MO) ## Plant bugs at the doors and in returns (a vote by GET, a code that works twice, …), and show which test turns red
	@$(BIN)/python -m tests.planted

machine: $(DEV) $(MO) ## Let money, goods and cases go wrong in 500 random ways (more: make machine MACHINE_EXAMPLES=5000)
	@MACHINE_EXAMPLES=$(or $(MACHINE_EXAMPLES),500) MACHINE_STEPS=60 MACHINE_SHRINK=yes $(BIN)/python -m pytest tests/refunds/test_machine.py tests/returns/test_machine.py tests/feedback/test_case_machine.py

hostile: $(DEV) $(MO) ## Fifty thousand odd bodies for each parser, five for each form, four hundred for each described door; some minutes
	@HOSTILE_BODIES=$(or $(HOSTILE_BODIES),50000) HOSTILE_FORMS=5 DESCRIBED_BODIES=$(or $(DESCRIBED_BODIES),400) $(BIN)/python -m pytest tests/security/test_bodies.py tests/security/test_described.py

soak: $(DEV) $(MO) ## Keep web and worker busy for twenty minutes, and look that neither grows (longer: make soak SOAK_MINUTES=120)
	@SOAK_MINUTES=$(or $(SOAK_MINUTES),20) $(BIN)/python -m pytest tests/faults/test_soak.py

before: $(DEV) $(MO) ## Run the release before, by its own tests, on the tables of today (another one: make before RELEASE=v1.2)
	@$(BIN)/python -m tests.before $(RELEASE)

day: $(DEV) $(MO) ## Live a shop's day: three hundred orders, three channels, two couriers, four people; two minutes
	@DAY_ORDERS=$(or $(DAY_ORDERS),300) $(BIN)/python -m pytest tests/road/test_a_day.py

month: $(DEV) $(MO) ## Live a month of a shop whose truth was planted, with three seeds; many minutes
	@MONTH_ORDERS=$(or $(MONTH_ORDERS),600) MONTH_SEEDS=$(or $(MONTH_SEEDS),3) $(BIN)/python -m pytest tests/feedback/test_a_month.py

check: lint types $(DEV) $(MO) ## Style, types and the laws of the house
	@$(BIN)/python -m pytest tests/house

lint: $(DEV) ## Style: ruff
	@$(BIN)/ruff check $(SOURCES)

types: $(DEV) ## Types: mypy, strict
	@$(BIN)/mypy

browser: $(DEV) ## Install Chromium for the browser tests, where the system's package manager can
	@$(BIN)/python tests/chromium.py

bench: $(DEV) $(MO) ## Measure all that must be fast, each beside its floor, with 10,000 and a million orders; writes docs/performance.md
	@$(BIN)/python -m tests.bench

bench-large: $(DEV) $(MO) ## What must stay flat, with five million orders; writes docs/performance-large.md. Needs an hour at first, and keeps 35 GB in var/bench
	@$(BIN)/python -m tests.bench --big 5000000 --flat --keep --to docs/performance-large.md

pictures: $(DEV) $(MO) browser ## Take the README's pictures from a running demo shop
	@$(BIN)/python -m tests.pictures docs/pictures

lighthouse: $(DEV) $(MO) browser ## Let Lighthouse look at four pages of a demo shop, and write docs/lighthouse.md; needs Node and npm
	@command -v npm > /dev/null || { echo "Lighthouse comes by npm, and there is none here: install Node 18 or newer with npm."; exit 1; }
	@mkdir -p var/lighthouse && cp tests/lighthouse/package*.json var/lighthouse/
	@npm ci --prefix var/lighthouse --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(BIN)/python -m tests.lighthouse

hosts: $(DEV) $(MO) ## Run two web hosts, two workers and a database in network namespaces, and wear them; root and HAProxy only
	@$(BIN)/python -m tests.hosts

words: $(DEV) ## Bring the catalogues up to the texts in code and templates; then translate what is empty
	@$(EXTRACT)
	@$(BIN)/pybabel -q update -i $(VENV)/messages.pot -d portal/translations --no-fuzzy-matching --ignore-obsolete --width 120

lock: $(VENV)/made ## Write both locks anew from pyproject.toml (newer versions too: make lock UPGRADE=--upgrade)
	@$(INSTALL) uv
	@$(LOCK) --extra dev -o requirements-dev.lock pyproject.toml -
	@$(LOCK) --extra demo --constraints requirements-dev.lock -o requirements.lock pyproject.toml -

clean: ## Remove what was made: .venv, caches; the demo's data stay (make fresh removes them)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

%.mo: %.po | $(RUNTIME)
	@$(BIN)/pybabel -q compile -i $< -o $@

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "Aftersale needs Python 3.11 or newer with pip. Name yours: make run PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@touch $@

$(RUNTIME): requirements.lock $(VENV)/made
	@echo "Installing what the portal needs into $(VENV) (once; about a minute) ..."
	@$(INSTALL) --require-hashes --no-deps -r requirements.lock
	@$(INSTALL) $(EDITABLE)
	@touch $@

$(DEV): requirements-dev.lock requirements.lock $(VENV)/made
	@echo "Installing the portal's tools into $(VENV) (once; about a minute) ..."
	@$(INSTALL) --require-hashes --no-deps -r requirements-dev.lock
	@$(INSTALL) $(EDITABLE)
	@touch $(RUNTIME) $@
