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

.venv-export/%.stamp: %.txt
	@test -x .venv-export/bin/python || $(PYTHON) -m venv .venv-export
	.venv-export/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

run: $(VENV)/requirements.stamp  ## install what is needed and start the server
	$(BIN)/python -m gunicorn server.asgi:app

test: $(VENV)/requirements-dev.stamp  ## install what tests need and run them
	$(BIN)/python -m pytest -m "not parity and not training"

parity: .venv-export/requirements-export.stamp  ## compare with the real NeMo, in an environment of its own
	.venv-export/bin/python -m pytest -m "parity or training"

lint: $(VENV)/requirements-dev.stamp  ## style, types, and which folder may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: help run test parity lint
