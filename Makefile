# What a developer does with this checkout. `make` alone lists it.
#
# make setup leaves a .venv that needs neither uv nor make afterwards. It looks at the locked requirements again only when
# they have changed.

BIN := .venv/bin
STAMP := .venv/.installed
BENCH_STAMP := .venv/.installed-bench
IMAGES := deploy/docker
COMPILE := .ci/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url

# A Python from 3.11 to 3.13 for a new .venv; empty: .ci/python looks for one.
PYTHON ?=
export PYTHON
# What pytest gets besides the settings of pyproject.toml, e.g. PYTEST_ARGS='-k ledger'.
PYTEST_ARGS ?=
# What the fuzz run gets, e.g. FUZZ_ARGS='--images 500 --seed 7'.
FUZZ_ARGS ?=
# What the faults get, e.g. CHAOS_ARGS='--only kill-worker --seed 7 --share 0.1'.
CHAOS_ARGS ?=
# What the benchmarks get, e.g. BENCH_ARGS='--images 100 --rounds 1'.
BENCH_ARGS ?=
# What the simulation of growth gets, e.g. SCALE_ARGS='--workers 50 --cores 2'.
SCALE_ARGS ?=

.PHONY: help setup demo test fuzz chaos bench scale lint docs env vendor lock
.DEFAULT_GOAL := help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Make a .venv with the locked dependencies (PYTHON=python3.12 chooses another Python)

demo: setup ## Label some example photographs
	@$(BIN)/labelyard demo

test: setup ## Run the whole suite (PYTEST_ARGS='-k ledger' runs a part of it)
	$(BIN)/pytest $(PYTEST_ARGS)

fuzz: setup ## Label 10,000 mutated images and look for harm (FUZZ_ARGS='--images 500 --seed 7')
	PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ_ARGS)

chaos: setup ## Play the matrix of faults; half an hour (CHAOS_ARGS='--share 0.1'; docs/explanation/reliability.md)
	PYTHONPATH=tests $(BIN)/python -m e2e.faults $(CHAOS_ARGS)

bench: $(BENCH_STAMP) ## Measure speed, as ratios (BENCH_ARGS='--only camera --rounds 1'; benchmarks/README.md)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

scale: setup ## Simulate a thousand workers on the ledger; a quarter of an hour (SCALE_ARGS='--only growth')
	$(BIN)/python -m benchmarks.scale_sim $(SCALE_ARGS)

lint: setup ## Check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup ## Build the documentation into build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/site/mkdocs.yml

env: ## Write .env for docker compose, with random passwords (docs/how-to/containers.md)
	@python3 deploy/make_env.py

vendor: ## Copy what the dashboard loads out of npm's packages, as locked in frontend/ (needs Node)
	cd frontend && npm ci --silent
	python3 frontend/vendor.py

lock: ## Lock the newest dependencies that pyproject.toml allows
	$(COMPILE) --upgrade pyproject.toml --extra demo --output-file requirements.lock
	$(COMPILE) --upgrade pyproject.toml --extra demo --extra onnx --group dev -c requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --upgrade --group bench -c requirements-dev.lock --output-file requirements-bench.lock
	$(COMPILE) --upgrade $(IMAGES)/requirements-build.in --output-file $(IMAGES)/requirements-build.lock
	$(COMPILE) --upgrade pyproject.toml --extra s3 --extra gcs -c requirements.lock --output-file $(IMAGES)/requirements-cpu.lock
	$(COMPILE) --upgrade pyproject.toml --extra s3 --extra gcs --extra gpu -c $(IMAGES)/requirements-cpu.lock --output-file $(IMAGES)/requirements-gpu.lock

# Compiled now, because some machines forbid Python to do it later: importing TensorFlow then takes four times as long.
$(STAMP): requirements-dev.lock pyproject.toml | $(BIN)/python
	@PYTHON=$(BIN)/python .ci/python > /dev/null
	.ci/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.lock
	.ci/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# On top of the rest: `uv pip sync` above takes it away again, and leaves a newer stamp.
$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	.ci/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-bench.lock
	@touch $@

$(BIN)/python:
	@rm -f $(STAMP)
	python=$$(.ci/python) && .ci/uv venv --quiet --allow-existing --python "$$python" .venv
