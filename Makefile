PYTHON ?= python3
STUDY ?=
CONFIG ?=
TESTS ?=
# uv trusts the certificates that pip trusts: behind a proxy of the site those of the system are the right ones.
export UV_SYSTEM_CERTS ?= true
VENV := .venv
BIN := $(VENV)/bin
SNAKEMAKE = $(BIN)/snakemake --cores all --quiet all $(if $(CONFIG),--configfile $(CONFIG)) \
	$(if $(STUDY),--config study=$(STUDY))

.PHONY: help install run test lint lock clean cluster cluster-down
help:
	@echo "make run        install, train every strategy, typeset the report (STUDY=paper: that study;"
	@echo "                CONFIG=my.yaml: your own configuration)"
	@echo "make install    install alone, as on a cluster's login node"
	@echo "make test       install and run all tests that this machine allows (TESTS=tests/unit: only those)"
	@echo "make lint       style, types, workflow"
	@echo "make clean      forget results;   make lock   resolve the dependencies of pyproject.toml anew"
	@echo "make cluster    a SLURM cluster on this machine, for tests;   make cluster-down"

# After Ctrl-C Make ends as interrupted whatever the exit code, and with 0 without a word of its own.
run: $(VENV)/run.stamp
	@$(BIN)/python -c 'from importlib.util import find_spec as find; find("snakemake").name, find("scalestudy").name' \
		2> /dev/null || { echo "$(VENV) is broken: rm -r $(VENV), and the same command installs it anew"; exit 1; }
	@$(if $(CONFIG),$(BIN)/scalestudy check --config $(CONFIG) $(if $(STUDY),--study $(STUDY)) > /dev/null)
	@exec 9> $(VENV)/run.lock; flock --nonblock 9 || { echo "another 'make run' is going on in this folder"; exit 99; }; \
		touch $(VENV)/run.begin; \
		trap stopped=1 INT; $(SNAKEMAKE) --nolock --rerun-incomplete || { code=$$?; \
		if [ "$$stopped" ]; then printf '\nStopped. The same command goes on where it was.\n'; exit 0; \
		else echo "Not finished. When the reason above is mended, the same command goes on where it was."; fi; exit $$code; }
	@[ "$$(find results -newer $(VENV)/run.begin -type f -print -quit)" ] || echo "Nothing to be done: all is up to date"
	@$(BIN)/scalestudy show --headline $(if $(CONFIG),--config $(CONFIG)) $(STUDY)

install: $(VENV)/run.stamp

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest $(TESTS)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakemake --lint

# Bytecode is compiled once, here: without it each training would compile torch anew, 4 s every time.
$(VENV)/run.stamp: containers/requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r containers/requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.stamp: requirements-dev.lock | $(VENV)/run.stamp
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements-dev.lock
	@touch $@

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
		{ echo "scalestudy needs Python 3.11 or newer as $(PYTHON); name another one: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Installing into $(VENV) (torch and its libraries: 5 GB, once)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r containers/installer.lock

# After a change of the dependencies in pyproject.toml.
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
	--no-annotate --no-header
lock: | $(BIN)/uv
	echo uv | $(COMPILE) - -o containers/installer.lock
	$(COMPILE) --extra train --extra build pyproject.toml -o containers/requirements.lock
	$(COMPILE) --extra train --extra build --extra dev -c containers/requirements.lock pyproject.toml -o requirements-dev.lock

# A real SLURM cluster of N nodes on this machine, for tests/cluster: Debian, as root.
cluster:
	slurm/testbed/cluster up $(or $(N),4)

cluster-down:
	slurm/testbed/cluster down

clean:
	rm -rf results .snakemake
