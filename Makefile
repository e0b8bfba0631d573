# One command for each chore; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

help:  ## list the chores
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# A stamp for each requirements file: pip runs only where one has changed.
$(VENV)/%.stamp: %.txt requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv-export/nemo.stamp: requirements-export.txt training/requirements.txt
	@test -x .venv-export/bin/python || $(PYTHON) -m venv .venv-export
	.venv-export/bin/pip install --quiet --disable-pip-version-check -r requirements-export.txt -r training/requirements.txt
	@touch $@

.venv-servers/peers.stamp: requirements-servers.txt
	@test -x .venv-servers/bin/python || $(PYTHON) -m venv .venv-servers
	.venv-servers/bin/pip install --quiet --disable-pip-version-check -r requirements-servers.txt
	@touch $@

run: $(VENV)/requirements.stamp  ## install what is needed and start the server
	$(BIN)/python -m gunicorn server.asgi:app

test: $(VENV)/requirements-dev.stamp  ## install what tests need and run them
	$(BIN)/python -m pytest -m "not parity and not training"

parity: .venv-export/nemo.stamp  ## compare with the real NeMo, and run the recipe in small, in an environment of its own
	.venv-export/bin/python -m pytest tests/parity tests/training -m "parity or training"

lint: $(VENV)/requirements-dev.stamp  ## style, types, and which folder may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tune: $(VENV)/requirements-dev.stamp  ## measure how to divide the processors; `make run` uses what it finds
	$(BIN)/python -m tools.tune $(TOOL_OPTIONS)

capacity: $(VENV)/requirements-dev.stamp  ## how many 5-second clips a second are served within 2 s
	$(BIN)/python -m tools.capacity $(TOOL_OPTIONS)

SCENARIO ?= steady
SECONDS ?= 60
loadtest: $(VENV)/requirements-dev.stamp  ## SCENARIO=steady|burst|overload|slow-clients|mixed-lengths|chaos SECONDS=60
	$(BIN)/python -m tools.loadtest $(SCENARIO) --seconds $(SECONDS) $(TOOL_OPTIONS)

MINUTES ?= 10
soak: $(VENV)/requirements-dev.stamp  ## MINUTES=10 of clips of every length: does a lane's memory grow?
	$(BIN)/python -m tools.soak --minutes $(MINUTES) $(TOOL_OPTIONS)

bench: $(VENV)/requirements-bench.stamp .venv-servers/peers.stamp  ## BENCH_MODEL=package: side by side with other programs; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks --speed $(BENCH_MODEL) $(TOOL_OPTIONS)

.PHONY: help run test parity lint tune capacity loadtest soak bench
