# Every target makes what it needs from Python 3.11 to 3.14 and the package index.

# The first of these that is there and works; `make PYTHON=... demo` takes another.
PYTHONS := python3 python3.11 python3.12 python3.13 python3.14
PYTHON ?= $(shell for python in $(PYTHONS); do $$python -c \
	"import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))" \
	2> /dev/null && echo $$python && break; done)

# Another environment, to test with another Python beside it.
VENV ?= .venv
BIN := $(VENV)/bin

# Suites start hundreds of processes, and each would compile Beam again, for two seconds.
unexport PYTHONDONTWRITEBYTECODE

# `make fuzz` tries the same inputs each time: a number of runs from the seeds alone, with
# one seed for chance and for hash(), and objects at the same addresses, which some hashes
# are made of. So it fails for a change of the code, not by luck.
# `make fuzz FUZZ_SECONDS=600` looks for more: for so long, with other chance each time,
# and from all that earlier ones of its kind found.
FUZZ_RUNS_tar := 100000
FUZZ_RUNS_zip := 100000
FUZZ_RUNS_parquet := 50000
FUZZ_RUNS_example := 1000000
FUZZ_RUNS_image := 100000

.PHONY: help docs demo test pytest lint test-parity test-loaders test-report test-faults test-storage \
	test-engines test-dataflow test-container test-platforms wheels constraints fuzz bench \
	bench-quick clean

help:  ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/ready  ## build a small dataset from generated archives
	$(BIN)/python -m beam_pipeline.demo demo/archives
	$(BIN)/python -m beam_pipeline.run --config demo --manual_dir demo/archives \
		--data_dir demo/tensorflow_datasets --overwrite
	@echo "Look at demo/tensorflow_datasets/imagenet2012_subset/demo/5.0.0"

test: lint pytest  ## lint, types and the default suite

pytest: $(VENV)/ready  ## the default suite, on all cores
	$(BIN)/python -m pytest -q --numprocesses auto --dist loadfile

lint: $(VENV)/ready  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-parity: $(VENV)/ready .venv-parity/ready  ## the same bytes as TFDS 4.9.10
	$(BIN)/python -m pytest -q -rs tests/suites/parity

test-loaders: $(VENV)/ready .venv-parity/ready .venv-loaders/ready  ## each format with its loader
	$(BIN)/python -m pytest -q -rs tests/suites/loaders

test-report: $(VENV)/ready-report  ## the report in Chromium, which must be installed
	$(BIN)/python -m pytest -q -rs tests/suites/report

test-dataflow: $(VENV)/ready .venv-dataflow/ready  ## submission to Dataflow, without Google
	$(BIN)/python -m pytest -q -rs tests/suites/dataflow

docs: $(VENV)/ready  ## docs/datasets.md, from the configurations
	$(BIN)/python -m beam_pipeline.catalogue > docs/datasets.md

fuzz: .venv-fuzz/ready  ## hostile bytes, guided by coverage; findings go to build/fuzz
ifdef FUZZ_SECONDS
	@for target in tar zip parquet example image; do \
		echo "Fuzzing: $$target, for $(FUZZ_SECONDS) s ..."; \
		.venv-fuzz/bin/python -m tests.suites.fuzz.fuzz_$$target \
			-max_total_time=$(FUZZ_SECONDS) -verbosity=0 || exit 1; \
	done
else
	@for target in $(foreach name,tar zip parquet example image,$(name):$(FUZZ_RUNS_$(name))); do \
		echo "Fuzzing: $${target%:*}, $${target#*:} runs ..."; \
		PYTHONHASHSEED=0 setarch -R .venv-fuzz/bin/python -m tests.suites.fuzz.fuzz_$${target%:*} \
			-runs=$${target#*:} -seed=1 -verbosity=0 || exit 1; \
	done
endif

# Two processes, for a run that is killed or waited for leaves a core free.
test-faults: $(VENV)/ready  ## killed runs, full disks, changing files
	$(BIN)/python -m pytest -q -rs --numprocesses 2 tests/suites/faults

test-container: $(VENV)/ready build/container/ready  ## the image in podman, as root
	$(BIN)/python -m pytest -q -rs tests/suites/container

test-platforms: $(VENV)/ready .venv-uv/ready  ## a pretended macOS, and the wheel
	$(BIN)/mypy --platform darwin
	$(BIN)/python -m pytest -q -rs tests/suites/platforms

wheels: $(VENV)/ready .venv-uv/ready  ## ask the index for a wheel of every dependency
	$(BIN)/python -m tests.suites.platforms.wheels

# Beam's images for other Pythons have the same versions, but for the one below.
constraints: build/container/ready  ## pin what the image installs, as Beam's image has it
	$(PYTHON) -m venv --clear build/constraints
	build/constraints/bin/pip install --quiet ".[array-record,gcp]" \
		--constraint build/container/context/base_image_requirements.txt
	echo "# Made by make constraints: the versions of Beam's image, and of what it lacks." > constraints.txt
	build/constraints/bin/pip freeze --exclude imagenet2012-subset-beam | sed \
		-e '/^google-apitools==/s/$$/; python_version < "3.13"/' \
		-e '/^google-apitools==/a google-apitools==0.5.35; python_version >= "3.13"' \
		>> constraints.txt

# Two processes, for its tests often wait for answers that do not come.
test-storage: $(VENV)/ready .venv-storage/ready  ## object storage, with servers on loopback
	$(BIN)/python -m pytest -q -rs --numprocesses 2 tests/suites/storage

ENGINES := deploy/flink/target/flink-job-server.jar \
	deploy/spark/target/spark-job-server.jar .prism/prism

test-engines: $(VENV)/ready .venv-engines/ready $(ENGINES)  ## Flink, Spark, Prism; needs Java, Maven and Go
	$(BIN)/python -m pytest -q -rs tests/suites/engines

bench: $(VENV)/ready .venv-parity/ready .venv-loaders/ready .venv-bench/ready  ## speed and memory, in one table
	$(BIN)/python -m benchmarks

bench-quick: $(VENV)/ready  ## the same in two minutes, from our own builds alone
	$(BIN)/python -m benchmarks --quick

clean:
	rm -rf .venv .venv-* demo build *.egg-info
	rm -rf .flink .prism deploy/flink/target deploy/spark/target

# uv installs in seconds what takes pip minutes. Where there is none it is got by pip;
# where that fails too, pip installs.
.venv-uv/ready:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12, 3.13 or 3.14 is needed, and" \
		"none of $(PYTHONS) is one. Name yours: make PYTHON=/path/to/python"; exit 1; }
	@mkdir -p .venv-uv/bin
	@if uv --version > /dev/null 2>&1; then \
		ln -sf "$$(command -v uv)" .venv-uv/bin/uv; \
	else \
		echo "Getting uv, which installs faster than pip ..."; \
		$(PYTHON) -m venv .venv-uv || exit 1; \
		.venv-uv/bin/pip install --quiet uv || echo "There is no uv to be got: pip installs."; \
	fi
	@touch $@

# $(call install,ENVIRONMENT,WHAT) makes the environment if there is none, and installs.
# pip says what it does, for it takes minutes. It is there with uv too: Beam lists what is
# installed by it, and people look for it.
define install
	@echo "Installing into $(1) ..."
	@if .venv-uv/bin/uv --version > /dev/null 2>&1; then \
		test -x $(1)/bin/python || .venv-uv/bin/uv venv --quiet --seed --python $(PYTHON) $(1) || exit 1; \
		.venv-uv/bin/uv pip install --quiet --python $(1)/bin/python $(2); \
	else \
		test -x $(1)/bin/python || $(PYTHON) -m venv $(1) || exit 1; \
		$(1)/bin/pip install --progress-bar off $(2); \
	fi
	@touch $@
endef

$(VENV)/ready: pyproject.toml setup.py .venv-uv/ready
	$(call install,$(VENV),--editable ".[dev]")

$(VENV)/ready-report: $(VENV)/ready tests/suites/report/requirements.txt
	$(call install,$(VENV),--requirement tests/suites/report/requirements.txt)

.venv-parity/ready: tests/suites/parity/requirements.txt .venv-uv/ready
	$(call install,.venv-parity,--requirement tests/suites/parity/requirements.txt)

.venv-loaders/ready: tests/suites/loaders/requirements.txt .venv-uv/ready
	$(call install,.venv-loaders,--requirement tests/suites/loaders/requirements.txt)

.venv-dataflow/ready: tests/suites/dataflow/requirements.txt .venv-uv/ready
	$(call install,.venv-dataflow,--requirement tests/suites/dataflow/requirements.txt)

.venv-fuzz/ready: tests/suites/fuzz/requirements.txt .venv-uv/ready
	$(call install,.venv-fuzz,--editable . --requirement tests/suites/fuzz/requirements.txt)

.venv-storage/ready: tests/suites/storage/requirements.txt .venv-uv/ready
	$(call install,.venv-storage,--requirement tests/suites/storage/requirements.txt)

.venv-bench/ready: benchmarks/requirements.txt .venv-uv/ready
	$(call install,.venv-bench,--requirement benchmarks/requirements.txt)

.venv-container/ready: tests/suites/container/requirements.txt .venv-uv/ready
	$(call install,.venv-container,--requirement tests/suites/container/requirements.txt)

build/container/ready: .venv-container/ready tests/suites/container/base.Dockerfile \
		tests/suites/container/make_base.sh
	PATH="$(CURDIR)/.venv-container/bin:$$PATH" tests/suites/container/make_base.sh $(@D)
	touch $@

.venv-engines/ready: tests/suites/engines/requirements.txt .venv-uv/ready
	$(call install,.venv-engines,--requirement tests/suites/engines/requirements.txt)

deploy/flink/target/flink-job-server.jar: deploy/flink/pom.xml
	@echo "Building Flink's job server with Maven ..."
	mvn --quiet --batch-mode --file deploy/flink/pom.xml package
	touch $@

deploy/spark/target/spark-job-server.jar: deploy/spark/pom.xml
	@echo "Building Spark's job server with Maven ..."
	mvn --quiet --batch-mode --file deploy/spark/pom.xml package
	touch $@

.prism/prism:
	@echo "Building Prism with Go ..."
	GOBIN=$(CURDIR)/.prism go install \
		github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0
