# Everything runs in .venv, which the first command sets up. Python 3.11+, make and git are all it needs.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Each worker has servers of its own, and takes its tests in order, so that it starts few of them.
WORKERS ?= logical
IN_PARALLEL = --numprocesses $(WORKERS) --dist worksteal
# Each worker imports every test: from compiled files that takes half the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-aws dev test check bench bench-peers format clean

demo: .venv/runtime  ## set up, land a simulated retailer's drops, ask its API, run the lake, answer questions
	$(BIN)/lakehouse demo

demo-aws: .venv/runtime .venv/aws-emulator  ## the same on AWS, emulated on this machine: events, catalog, alerts, metrics
	$(BIN)/python -m deploy.demo_aws

# The retailer is for looking at: LAKEHOUSE_SIMULATION_SPEED=0 is without it, 5 is five times as fast.
dev: export LAKEHOUSE_SIMULATION_SPEED ?= 1
dev: .venv/runtime  ## the Dagster UI, sensors, schedules and a simulated retailer at work on the same lake
	$(BIN)/lakehouse dev

# COVERAGE=--cov also measures branch coverage and keeps its floor, as CI does: tracing doubles the time of what is traced.
# Slow tests wait for servers, processes and disks: half as many workers more than cores have less of them idle.
test: WORKERS := $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) * 3 // 2)')
test: .venv/dev .venv/aws-emulator .venv/checkov .venv/spark  ## every test, slow ones included
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest $(IN_PARALLEL) $(COVERAGE)

# What runs at once are the workers: threads of Polars and delta-rs beside them would only wait for a core.
check: export POLARS_MAX_THREADS = 1
check: export TOKIO_WORKER_THREADS = 1
check: .venv/dev  ## the quick loop: format, lint, types, tests of a third of a second or less; WORKERS=1 for one process
	$(BIN)/ruff format .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest $(IN_PARALLEL) -q -m "not slow"

bench: .venv/dev  ## measure; see benchmarks/README.md
	$(BIN)/python -m benchmarks

bench-peers: .venv/dev .venv/spark .venv/peers  ## the product beside pandas, Polars, Sail, PySpark and dlt on the same input
	$(BIN)/python -m benchmarks.peers

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11: name a newer one with 'make PYTHON=python3.x'"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[pages,forecast]'
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[dev]'
	@touch $@ .venv/runtime

# In an environment of its own: it pins another botocore. Its tests are skipped where it cannot be installed.
.venv/aws-emulator: constraints-aws-emulator.txt | .venv/bin/python
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -c $< 'ministack[full]' awscli || rm -rf $@
	@touch -c $@

# In an environment of its own: it pins many of its packages. Its test is skipped where it cannot be installed.
.venv/checkov: constraints-checkov.txt | .venv/bin/python
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -c $< checkov || rm -rf $@
	@touch -c $@

# In an environment of its own: it is 700 MB, which the quick loop does without. Its tests are skipped where it cannot be installed.
.venv/spark: constraints.txt | .venv/bin/python
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -c $< pysail 'pyspark[connect]' || rm -rf $@
	@touch -c $@

# In an environment of its own: nothing but a benchmark needs it. The benchmark leaves it out where it cannot be installed.
.venv/peers: constraints-peers.txt | .venv/bin/python
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -c $< 'dlt[parquet]' || rm -rf $@
	@touch -c $@

clean:  ## remove the environment; the lake stays
	rm -rf .venv
