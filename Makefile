# make run: the workflow with config.yaml. make test: the tests. make bench: docs/performance.md, in two hours.
# make validation: docs/validation.md, and docs/public-data.md where the data are.
# make docs: the site, in docs/_build/html; a warning is an error. make schema: what is made of docs/settings.py.
# make install-slurm: what runs on a cluster with Slurm needs. make test-slurm: the tests on a real Slurm.
# All build .venv first if it is missing or out of date; its Python finds skymask from every folder.
# Needs Python 3.11 or later (choose one with make PYTHON=python3.12 ...) and nothing else.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: run figures test test-slurm test-oldest test-newest test-wheel lint schema docs bench bench-workflow validation findings data lock install install-slurm wheelhouse clean

run: .venv/run.stamp
	$(BIN)/snakemake $(ARGS)

# Those of the key figures of config.yaml, or of another file: make figures ARGS="--configfile mine.yaml"
figures: .venv/run.stamp
	$(BIN)/snakemake figures $(ARGS)

test: .venv/dev.stamp
	$(BIN)/python -m pytest $(ARGS)

test-slurm: ARGS := $(or $(ARGS),-m "not slow")
test-slurm: .venv/dev.stamp .venv/slurm.stamp
	$(BIN)/python -m pytest tests/slurm --numprocesses 0 $(ARGS)

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell
	$(BIN)/snakefmt --check Snakefile workflow validation
	$(BIN)/snakemake --lint
	$(BIN)/python -m snakemake --snakefile validation/Snakefile --lint

# What is made of other things: the schema, the keys of config.yaml and their page, the table of products, the picture of packages.
schema: .venv/dev.stamp
	for program in settings_files product_table package_graph; do $(BIN)/python docs/$$program.py || exit 1; done

docs: .venv/dev.stamp
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --builder html docs docs/_build/html

# What runs cost beside an earlier checkout and a script of gammapy's: see benchmarks/workflow_cost.py for ARGS.
bench-workflow: .venv/dev.stamp
	$(BIN)/python benchmarks/workflow_cost.py $(ARGS)

bench: .venv/dev.stamp
	$(BIN)/python benchmarks/compare_loops.py $(ARGS)

validation: .venv/dev.stamp
	$(BIN)/python -m snakemake --snakefile validation/Snakefile $(ARGS)

# What other software does and nobody would guess (findings/README.md), each in an environment of its own; needs a network.
findings:
	@PYTHON="$(PYTHON)" findings/run $(ARGS)

install: .venv/run.stamp

# Public example data, into the folder data; needs a network.
data: .venv/run.stamp
	$(BIN)/python -m skymask.datasets.example_data

install-slurm: .venv/slurm.stamp

# The tests with the oldest and the newest versions that pyproject.toml allows; require uv. The newest leave gammapy out, which
# needs an older regions. Old and new packages together deprecate each other's functions, which is no mistake of ours.
test-oldest test-newest: test-%:
	uv venv --quiet --clear --python "$(PYTHON)" .venv-$*
	uv pip install --quiet --python .venv-$*/bin/python --requirement pyproject.toml --resolution $(RESOLUTION_$*)
	.venv-$*/bin/python -m pytest -W ignore::DeprecationWarning $(ARGS)
# The wheel, alone in an empty environment: the command, and the loop without the workflow.
test-wheel:
	uv build --quiet --wheel --out-dir dist
	uv venv --quiet --clear --python "$(PYTHON)" .venv-wheel
	uv pip install --quiet --python .venv-wheel/bin/python dist/*.whl
	cd dist && ../.venv-wheel/bin/skymask check --configfile ../config.yaml
	cd dist && ../.venv-wheel/bin/python -c "import numpy, skymask; print(skymask.iterate(numpy.random.default_rng(0).poisson(1.0, (99, 99)), \
	  source_kernel=skymask.disk(3), background_kernel=skymask.ring(9, 5), dilation_kernel=skymask.disk(3)).state)"

RESOLUTION_oldest := lowest-direct --extra dev --extra storage --extra gammapy
RESOLUTION_newest := highest --extra dev --extra storage

# For machines without network: pip install --no-index --no-deps wheelhouse/*.whl
wheelhouse: .venv/run.stamp requirements-slurm.lock
	PIP_USE_PEP517=1 $(BIN)/python -m pip wheel --quiet --require-hashes --wheel-dir $@ --requirement requirements-slurm.lock

# Requires uv. The lock holds exact versions and hashes for every platform, and no index address.
lock:
	uv pip compile pyproject.toml $(LOCK) --output-file requirements.lock
	uv pip compile pyproject.toml $(LOCK) --extra dev --extra docs --extra gammapy --extra storage --constraint requirements.lock --output-file requirements-dev.lock
	uv pip compile pyproject.toml $(LOCK) --extra slurm --constraint requirements.lock --constraint requirements-dev.lock --output-file requirements-slurm.lock
LOCK := --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-header --no-emit-index-url

clean:
	rm -rf results logs .snakemake
	find benchmarks -name '*.tsv' -delete

.venv/run.stamp: requirements.lock
	@$(call build,requirements.lock)
	@touch $@

.venv/dev.stamp: requirements-dev.lock
	@$(call build,requirements-dev.lock)
	@touch .venv/run.stamp $@

.venv/slurm.stamp: requirements-slurm.lock .venv/run.stamp
	@$(call build,requirements-slurm.lock)
	@touch $@

# Checks what is needed, makes .venv if there is none, and installs a lock into it.
define build
command -v "$(PYTHON)" >/dev/null || { echo "Python 3.11 or later is needed, and there is no $(PYTHON)" >&2; exit 1; }; \
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "Python 3.11 or later is needed, and $(PYTHON) is $$("$(PYTHON)" --version 2>&1)" >&2; exit 1; }; \
"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null \
  || { echo "$(PYTHON) lacks venv or ensurepip: install them (on Debian and Ubuntu: python3-venv)" >&2; exit 1; }; \
{ test -x $(BIN)/python && $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; } \
  || { echo "Making .venv"; rm -rf .venv; "$(PYTHON)" -m venv .venv; } || exit 1; \
echo "Installing $(1) into .venv (this takes a minute)"; \
PIP_USE_PEP517=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(1) \
  || { echo "$(1) could not be installed: is there a network?" >&2; exit 1; }; \
$(BIN)/python -c 'import os, sysconfig; open(sysconfig.get_path("purelib") + "/skymask.pth", "w").write(os.getcwd())'
endef
