# Two commands: `make submission` and `make test`. Both create .venv from requirements.lock where it is missing.
#   make submission CONFIG=config/smoke.yaml CORES=2

PYTHON ?= python3.11
VENV ?= .venv
CORES ?= all
CONFIG ?=
NAME ?= demo
ARGS ?=

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(abspath $(VENV))/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true

SNAKEMAKE = snakemake --cores $(CORES)
SETTINGS = $(if $(CONFIG),--configfile $(CONFIG)) $(ARGS)
READY = $(VENV)/.ready

.PHONY: submission smoke test quick-test lint bench ui clean environment schema settings lock

submission: $(READY)
	@$(if $(wildcard $(CONFIG)),,$(if $(CONFIG),echo "make: there is no configuration $(CONFIG)" >&2; exit 1))
	@python -m cerebro.config.files $(CONFIG)
	$(SNAKEMAKE) submission $(SETTINGS)

smoke:
	$(MAKE) submission CONFIG=config/smoke.yaml

# All tests; `quick-test` leaves out those that run the workflow and those marked slow, and ends within two
# minutes. Both take options: make test ARGS=tests/models
# Tests of one file share what they build, so they go to one process.
PYTEST = python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
test: $(READY)
	$(PYTEST) $(ARGS)

quick-test: $(READY)
	$(PYTEST) --ignore tests/workflow -m "not slow" $(ARGS)

lint: $(READY)
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	snakemake --lint
	mypy

# Two to three minutes, on a machine that does nothing else; one question alone: make bench ARGS=batches
bench: $(READY)
	python -m benchmarks $(ARGS)

# NAME reaches the shell by the environment, where quotes and spaces in it are text.
NAMED = case "$$NAME" in ""|-*|*[!A-Za-z0-9_-]*) \
  printf 'make: NAME=%s is no name of a study; it is the name of one folder below results/\n' "$$NAME" >&2; exit 1;; esac
clean ui: export NAME := $(NAME)

# In the study's folder all addresses are relative: no character of its path means anything to MLflow.
RUNS = /runs?workflowType=machine_learning&compareRunsMode=CHART
ui: $(READY)
	@$(NAMED)
	@test -f "results/$$NAME/tracking.json" || { echo "make: there is no study results/$$NAME; set NAME=" >&2; exit 1; }
	@experiment=$$(python -m cerebro.tracking "results/$$NAME/tracking.json"); cd "results/$$NAME"; \
	echo "Runs of $$NAME, with charts:  http://127.0.0.1:5000/#/experiments/$$experiment$(RUNS)"; \
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --host 127.0.0.1 --port 5000 \
	  --backend-store-uri sqlite:///mlflow.db --artifacts-destination mlartifacts

# Only what the pipeline wrote for this study: anything else in its folder stays.
MADE = adapters predictions scores tables raw inventory shards windows phases features probes isc figures submission state logs \
  benchmarks mlartifacts unsent summary.md tracking.json mlflow.db mlflow.db-shm mlflow.db-wal mlflow.db.broken-*
clean:
	@$(NAMED)
	cd "results/$$NAME" 2>/dev/null || exit 0; rm -rf $(MADE)
	@for folder in "results/$$NAME" results; do rmdir "$$folder" 2>/dev/null || true; done

environment: $(READY)

# An environment that is already there (VENV=...) is taken as it is, unless the lock file is newer.
$(READY): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not installed; set PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

schema: $(READY)
	python -c 'from cerebro.config import config_schema; print(config_schema(), end="")' \
	  > workflow/schemas/config.schema.json

settings: $(READY)
	python -m cerebro.config.reference docs/settings.md

# Needs uv. Packages of NVIDIA's are for Linux alone.
lock:
	{ echo '# Exact versions of everything, transitive ones included; written by `make lock` from pyproject.toml.'; \
	  uv pip compile --quiet --python-version 3.11 --python-platform x86_64-unknown-linux-gnu --all-extras \
	    --no-header --no-annotate --no-emit-index-url pyproject.toml \
	  | sed -E "s/^((nvidia|cuda|triton)[^ ]*)$$/\1 ; sys_platform == 'linux'/"; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
