# make demo      install, then annotate the corpus that comes with the package
# make test      install, then run the tests, but for the slow ones
# make test-all  all tests; what CI runs
# make install   install only
# make check     lint, format and types
# make bench     measure throughput on this machine
# make bench-training   measure fine-tuning against a plain loop; half an hour
# make bench-memory     whether a process grows over 10,000 batches; half an hour
# make bench-scale      what annotate itself costs by rows, units and replicas, without a model; a quarter of an hour
# make bench-peers      install the peers into .venv-peers, then measure annotate against them; 40 minutes

PYTHON ?= python3
VENV := .venv
# Two at once, as most of the time is CPU: where three were tried on two busy CPUs, some of Ray's nodes took longer to
# start than the half minute that Ray gives them.
PYTEST := $(VENV)/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# A checkout in a folder of the package's name would hide the package from scripts beside it, were it not on the path itself.
EDITABLE := --config-settings editable_mode=compat --editable

# A server that speaks as Azure's does; there is none on PyPI.
AZURITE := npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(VENV)/azurite azurite@3.37.0

# Each of the benchmarks' peers wants its own versions of what ray_qa wants too.
PEERS := .venv-peers

.PHONY: demo test test-all install check bench bench-memory bench-scale bench-training bench-peers clean

demo: install
	$(VENV)/bin/ray-qa demo

test: $(VENV)/dev
	$(PYTEST) -m "not slow"

test-all: $(VENV)/dev
	$(PYTEST)

install: $(VENV)/installed

check: $(VENV)/dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: install
	$(VENV)/bin/python -m benchmarks.throughput

bench-memory: install
	$(VENV)/bin/python -m benchmarks.memory

bench-scale: install
	$(VENV)/bin/python -m benchmarks.scale

bench-training: install
	$(VENV)/bin/python -m benchmarks.plain_loop

bench-peers: install $(PEERS)/transformers4/installed $(PEERS)/haystack/installed
	$(VENV)/bin/python -m benchmarks.compare $(BENCH)

clean:
	rm -rf $(VENV) $(PEERS)

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ray_qa needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): a few minutes the first time"
	$(PIP) $(EDITABLE) '.[int8]'
	@touch $@

$(PEERS)/%/installed: benchmarks/peers/requirements-%.txt
	$(PYTHON) -m venv $(PEERS)/$*
	@echo "Installing into $(PEERS)/$*: a few minutes the first time"
	$(PEERS)/$*/bin/python -m pip --disable-pip-version-check install --quiet --requirement $<
	@touch $@

$(VENV)/dev: $(VENV)/installed
	$(PIP) $(EDITABLE) '.[dev]'
	@$(AZURITE) || echo "npm did not install Azurite: tests of Azure's store will be skipped"
	@touch $@
