# `make repro` and `make test`: each makes the environment where it is missing, then does its one job.
# PYTHON chooses the interpreter (3.11 … 3.13); everything lands in .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin

export DVC_NO_ANALYTICS := 1
export DVC_STUDIO_OFFLINE := true
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 600
export UV_COMPILE_BYTECODE := 1
export UV_SYSTEM_CERTS := true
export PYTHONUNBUFFERED := 1
# Each stage and each test worker is a process: without bytecode it would compile the library again.
unexport PYTHONDONTWRITEBYTECODE
# What the tools would keep in the home directory and in /var/tmp stays in this folder; uv keeps its own cache.
HERE := XDG_CACHE_HOME=$(CURDIR)/.cache XDG_CONFIG_HOME=$(CURDIR)/.cache/config MPLCONFIGDIR=$(CURDIR)/.cache/matplotlib \
	DVC_SITE_CACHE_DIR=$(CURDIR)/.cache/dvc DVC_GLOBAL_CONFIG_DIR=$(CURDIR)/.cache/dvc PREFECT_HOME=$(CURDIR)/.prefect

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test test-fast test-faults lint env clean
.DEFAULT_GOAL := repro

repro: env
	$(HERE) dvc repro
	@python -m reidops.summary

# One process more than the cores of a small machine: tests wait for servers and other processes.
test: env
	$(HERE) python -m pytest -n 3 --dist loadfile --max-worker-restart 1

# Without processes, trainings and servers.
test-fast: env
	$(HERE) python -m pytest -n 2 --dist loadfile --max-worker-restart 1 -m "not slow"

# Each stage is killed at random moments, and meets full disks and other bad conditions; the result must be that of an
# undisturbed run. Long.
test-faults: env
	rm -rf .cache/faults
	$(HERE) python benchmarks/faults.py --folder .cache/faults --kills-per-stage 4
	$(HERE) python benchmarks/conditions.py --folder .cache/faults/conditions

lint: env
	ruff check .
	ruff format --check .
	mypy

env: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(not ok and "reidops needs Python 3.11, 3.12 or 3.13; this is %d.%d: make PYTHON=python3.12 …" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python .venv --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv .cache data .prefect mlflow.db mlartifacts
