# make eval   a virtual environment, the package, and the main job on bundled images
# make test   the same environment and the tests
# make test-slow   the tests that take long: killed evaluations, two processes of torchrun, a report in a browser at all widths
# make test-cluster   the tests of Slurm, Ray, torchrun on two hosts and killed workers, on this machine; as root it
#             installs Slurm
# make gate   measure the published LST-Net-18 and hold it against the published baseline
# make gpu    is everything right on a GPU, and how fast is it? docs/gpu.md; ARGS="--device cpu --quick" tries it without
# make docs   the documentation as pages in build/site, where every warning and every dead link is an error
# make lint   ruff, mypy, and the layers of the package (import-linter)
# make coverage   the tests, and the lines and branches that they don't reach
# make build  source distribution and wheel in build/dist, checked by twine
# make wheel-test   the wheel in an empty environment outside the repository: its suites, and a small evaluation
# make lowest   the tests with the oldest dependencies that pyproject.toml allows, in .venv-lowest
# make mutants   do the tests notice a wrong engine? takes an hour or more; see docs/mutants.md
# make clean  removes the environments, the mutants and the distributions in build/dist
# make help   these lines
# Only python3 (3.10 or newer), make and pip are needed; ARGS="..." goes to lst-robust, pytest,
# benchmarks.gpu, tools/mutants.py or tools/wheel-test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PUBLISHED := results/published/digits-c
GATE := build/gate

.PHONY: eval test test-slow test-cluster gate gpu docs lint mutants coverage build wheel-test lowest clean help

eval: $(VENV)/.installed
	$(BIN)/lst-robust eval --model lst18 $(ARGS)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(ARGS)

# The tests of clusters have a target of their own.
test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m 'slow and not slurm and not ray' --ignore tests/clusters $(ARGS)

test-cluster: $(VENV)/.installed-cluster
	tools/slurm-cluster install
	$(BIN)/python -m pytest -n 0 -m 'slurm or ray or slow' tests/clusters --durations=10 $(ARGS)

# The checkpoint is committed, because training on another processor gives other weights: this guards the corruptions,
# the inference and the metrics. In a folder of its own, made anew, so that no old record is taken for today's.
gate: $(VENV)/.installed
	rm -rf $(GATE)
	$(BIN)/lst-robust eval --model lst18 --checkpoint $(PUBLISHED)/lst18.safetensors --results-dir $(GATE) --no-train
	$(BIN)/lst-robust check --baseline $(PUBLISHED)/baseline.json --suite digits-c --results-dir $(GATE) \
		--junit $(GATE)/check.xml $(ARGS)
	$(BIN)/lst-robust check --baseline $(PUBLISHED)/baseline.json --suite digits-c --results-dir $(GATE) \
		--metric mean_corruption_error --tolerance 0.2 $(ARGS)

gpu: $(VENV)/.installed
	$(BIN)/python -m benchmarks.gpu $(ARGS)

docs: $(VENV)/.installed-docs
	$(BIN)/python tools/build_docs.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# coverage chooses the cheapest way to measure branches by itself: sys.monitoring from Python 3.14, its C tracer before.
# The floor of pyproject.toml is that of all tests, so a part of them has none. The extra dev has selenium, without which
# the tests in a browser are skipped.
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --cov --cov-report=term $(if $(ARGS),--cov-fail-under=0) $(ARGS)

build: $(VENV)/.installed-dev
	rm -rf build/dist
	$(BIN)/python -m build --outdir build/dist
	$(BIN)/python -m twine check --strict build/dist/*

wheel-test: build
	PYTHON=$(PYTHON) tools/wheel-test $(ARGS)

lowest:
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --disable-pip-version-check packaging tomli
	mkdir -p build
	$(VENV)-lowest/bin/python tools/lowest > build/lowest.txt
	$(VENV)-lowest/bin/python -m pip install --disable-pip-version-check -c build/lowest.txt -e '.[test]'
	$(VENV)-lowest/bin/python -m pytest $(ARGS)

# The tester's copy of the sources is made anew, so that no outcome of an older state of the tests is taken for today's.
mutants: $(VENV)/.installed-mutants
	rm -rf mutants
	$(BIN)/python tools/mutants.py $(ARGS)

# The stamps keep a second call from installing again; a changed pyproject.toml installs anew.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[test]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-cluster: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[test,slurm,ray]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-docs

$(VENV)/.installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[docs]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-mutants: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[mutants]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

clean:
	rm -rf $(VENV) $(VENV)-lowest mutants build/dist

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
