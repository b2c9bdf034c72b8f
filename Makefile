# make eval   a virtual environment, the package, and the main job on bundled images
# make test   the same environment and the tests
# make test-cluster   the tests of Slurm, Ray, torchrun on two hosts and killed workers, on this machine; as root it
#             installs Slurm
# make gate   measure the published LST-Net-18 and hold it against the published baseline
# make gpu    is everything right on a GPU, and how fast is it? docs/gpu.md; ARGS="--device cpu --quick" tries it without
# make lint   ruff, mypy, and the layers of the package (import-linter)
# make mutants   do the tests notice a wrong engine? takes an hour or more; see docs/mutants.md
# Only python3 (3.10 or newer), make and pip are needed; ARGS="..." goes to lst-robust, pytest,
# benchmarks.gpu or tools/mutants.py.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PUBLISHED := results/published/digits-c
GATE := build/gate

.PHONY: eval test test-cluster gate gpu lint mutants clean

eval: $(VENV)/.installed
	$(BIN)/lst-robust eval --model lst18 $(ARGS)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(ARGS)

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

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

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
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

$(VENV)/.installed-mutants: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[mutants]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

clean:
	rm -rf $(VENV) mutants
