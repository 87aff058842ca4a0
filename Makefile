# What each target is for: `make help`. Nothing but Python >= 3.11, pip and make is needed; everything lands in this folder.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCK := .ci/lock
WHEELS := .wheelhouse
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# make cannot name a file with a space in it, as templates have.
SOURCES := $(shell find $(wildcard sentient_cli templates) -type f -not -path '*/__pycache__/*' -not -path '*[ :|%]*')
CHECKED := sentient_cli tests docs bench

# Started programs may cache their bytecode: the suite starts hundreds of them.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-all soak bench docs sbom lock picture format checks tests clean \
	check-lint check-types-3.11 check-types-3.14 check-mypy-3.11 check-mypy-3.14 check-verifytypes check-imports \
	check-audit check-secrets check-docs

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------------------------------- set up
setup: $(VENV)/.stamp-project $(WHEELS)/.stamp ## Make .venv from the lock and fill the wheelhouse that tests install from

$(VENV)/.stamp-tools: $(LOCK)/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-deps --no-compile --require-hashes -r $(LOCK)/dev.txt
	@touch $@

$(VENV)/.stamp-project: pyproject.toml sentient_cli/__init__.py $(VENV)/.stamp-tools
	$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(WHEELS)/.stamp-locked: $(LOCK)/runtime.txt $(LOCK)/reference.txt $(LOCK)/build.txt | $(VENV)/.stamp-tools
	@mkdir -p $(WHEELS)
	$(PIP) download --quiet --no-deps --require-hashes --dest $(WHEELS) -r $(LOCK)/runtime.txt
	@# A lock for every platform needs to know these too, which only another Python and system would install.
	@sed -nE "/^[^ ]+ ; .*(sys_platform ==|python_full_version)/,/[^\\]$$/p" $(LOCK)/runtime.txt | sed 's/ ; .* \\$$/ \\/' > $(WHEELS)/.others.txt
	$(PIP) download --quiet --no-deps --require-hashes --only-binary :all: --python-version 3.13 --dest $(WHEELS) -r $(WHEELS)/.others.txt
	$(PIP) download --quiet --no-deps --require-hashes --dest $(WHEELS) -r $(LOCK)/reference.txt
	$(PIP) download --quiet --no-deps --require-hashes --dest $(WHEELS) -r $(LOCK)/build.txt
	@touch $@

SLOW_LOCKS := oldest templates templates-lowest
$(WHEELS)/.stamp-slow: $(SLOW_LOCKS:%=$(LOCK)/%.txt) $(LOCK)/npm.txt $(WHEELS)/.stamp-locked
	@for lock in $(SLOW_LOCKS); do \
	$(PIP) download --quiet --no-deps --require-hashes --dest $(WHEELS) -r $(LOCK)/$$lock.txt || exit 1; done
	$(BIN)/python -m tests.tools.npm_packages $(WHEELS)/npm
	@touch $@

$(WHEELS)/.stamp: $(SOURCES) pyproject.toml README.md LICENSE $(WHEELS)/.stamp-locked
	@rm -f $(WHEELS)/sentient_agent_cli-*.whl
	$(PIP) wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir $(WHEELS) .
	@touch $@

# --------------------------------------------------------------------------------------------------------------- use
demo: setup ## Create a project, serve it with dev, ask it, edit it, ask again, end
	@$(BIN)/python -m docs.tools.demo

bench: setup ## Measure the figures of bench/README.md
	@$(BIN)/python -m bench

docs: setup ## Build the documentation strictly into .cache/docs/site
	@$(BIN)/python -m docs.tools.coverage_page
	@$(BIN)/python -m docs.tools.faults_page
	@$(BIN)/python -m docs.tools.build

sbom: setup ## Write the bill of materials (CycloneDX) into .cache/sbom
	@$(BIN)/python -m tests.tools.sbom

picture: setup ## Draw the pictures of docs/images from real runs
	@$(BIN)/python -m docs.tools.picture

format: setup ## Format and fix what can be fixed by machine
	@$(BIN)/ruff check --quiet --fix $(CHECKED) || true
	@$(BIN)/ruff format --quiet $(CHECKED)

lock: $(VENV)/.stamp-tools ## Resolve the dependencies anew into .ci/lock
	@BIN=$(BIN) sh .ci/lock/update

# ------------------------------------------------------------------------------------------------------------- checks
test: setup ## Every check but the slow ones: some five minutes on two cores
	@$(MAKE) --no-print-directory --keep-going -j2 --output-sync=target tests checks

test-all: setup $(WHEELS)/.stamp-slow ## What is slow: browser, generated requests, fresh installs, long runs, types at 3.14; more examples of properties
	@$(MAKE) --no-print-directory --keep-going -j2 --output-sync=target check-types-3.14 check-mypy-3.14
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -n 2 -m "(slow or hypothesis) and not soak" --timeout 900

soak: setup ## As often as the figures ask for: kills in the middle of writes, changes of an audit log; about an hour
	$(BIN)/python -m pytest -n 2 -m soak --timeout 3600

checks: check-types-3.11 check-mypy-3.11 check-verifytypes check-docs check-lint check-imports \
	check-audit check-secrets

tests:
	@rm -rf .cache/coverage && mkdir -p .cache/coverage
	@code=0; $(BIN)/coverage run -m pytest -n 2 --dist worksteal || code=$$?; \
	$(BIN)/coverage combine --quiet && $(BIN)/coverage report && exit $$code

check-lint:
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/ruff format --check $(CHECKED)

check-types-3.11 check-types-3.14: check-types-%:
	@NODE_OPTIONS=--max-semi-space-size=128 $(BIN)/basedpyright --pythonversion $*

check-mypy-3.11 check-mypy-3.14: check-mypy-%:
	@$(BIN)/mypy --python-version $*

check-verifytypes:
	@$(BIN)/python -m tests.tools.verifytypes

check-imports:
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

check-audit:
	@$(BIN)/python -m tests.tools.audit

check-secrets:
	@$(BIN)/python -m tests.tools.secret_scan

check-docs:
	@$(BIN)/python -m docs.tools.coverage_page --check
	@$(BIN)/python -m docs.tools.build

clean: ## Remove what was built; the next setup starts from nothing
	@rm -rf $(VENV) $(WHEELS) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
