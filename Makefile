# `make demo` and `make test` set up everything they need; see README.md.

SHELL := bash
ENV := .venv
BIN := $(ENV)/bin
OLD := .venv-tensorflow-2.14
NEW := .venv-tensorflow-2.21
MAKE_VENV := tools/make_venv.sh
LOCKS := requirements/locked-python3.11
PYTEST_ARGS ?=
BAZEL_ARGS ?=

# Environments find what `make build-delegate` made; installing them need not build it again.
export TFLITE_EQ_BUILD_DELEGATE := 0

# TensorFlow's start-up messages would drown everything else.
export TF_CPP_MIN_LOG_LEVEL := 3
export CUDA_VISIBLE_DEVICES := -1

ARM64 := build/arm64
ARM64_DELEGATE := bazel-arm64-bin/delegate/libtflite_eq_delegate.so

.PHONY: help setup demo test lint format unit-test test-compatibility clean build-delegate test-delegate
.PHONY: setup-arm64 test-arm64 test-arm64-all

help:
	@echo "make demo    quantize a small trained network and compare the results"
	@echo "make test    lint, all tests, and the end-to-end tests on TensorFlow 2.14 and 2.21"
	@echo "make setup   only make the environment in $(ENV)"
	@echo "make lint, unit-test, test-compatibility   the parts of make test"
	@echo "make build-delegate   the delegate's library and Python module; needs Bazel"
	@echo "make test-delegate    its tests, plain and under the sanitizers; needs Bazel"
	@echo "make test-arm64       the delegate on emulated arm64 CPUs, inside real runtimes"
	@echo "make test-arm64-all   the same with all shared models, thoroughly quantized"
	@echo "make format  put the sources in the form that lint wants"
	@echo "make clean   remove the environments and everything else that was made"

setup: $(ENV)/.complete

demo: $(ENV)/.complete
	$(BIN)/python -m demo --output_dir demo_output

# The delegate is built and tested apart (make test-delegate): that needs Bazel and clang 19.
test: lint unit-test test-compatibility test-arm64
	@echo "All tests passed."

lint: $(ENV)/.complete
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

unit-test: $(ENV)/.complete
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The module is for the environment's Python.
build-delegate: $(ENV)/.complete
	bazel build $(BAZEL_ARGS) --repo_env=TFLITE_EQ_PYTHON=$(CURDIR)/$(BIN)/python \
	  //delegate:libtflite_eq_delegate.so //delegate/python:_kernels.so

test-delegate:
	bazel test $(BAZEL_ARGS) --build_tests_only //...
	bazel test $(BAZEL_ARGS) --build_tests_only --config=sanitize //...

# An arm64 Python with TFLite runtimes, and what emulates it: docs/arm64.md.
setup-arm64: $(ENV)/.complete
	command -v aarch64-linux-gnu-g++ > /dev/null || tools/apt_install.sh g++-aarch64-linux-gnu
	PYTHON=$(BIN)/python tools/arm64/setup.sh $(ARM64)

# A Cortex-A53, a Cortex-A76, and a CPU with i8mm.
test-arm64: setup-arm64
	bazel build $(BAZEL_ARGS) --config=arm64 //delegate:libtflite_eq_delegate.so
	for cpu in a53 a76 i8mm; do \
	  TFLITE_EQ_QEMU=$(CURDIR)/$(ARM64)/emulator/usr/bin/qemu-aarch64 TFLITE_EQ_ARM64_ROOT=$(CURDIR)/$(ARM64)/root \
	    bazel test $(BAZEL_ARGS) --config=arm64 --config=$$cpu --build_tests_only //delegate/... || exit 1; \
	done
	TFLITE_EQ_ARM64=$(ARM64) TFLITE_EQ_ARM64_DELEGATE=$(ARM64_DELEGATE) \
	  $(BIN)/python -m pytest tests/arm64 $(PYTEST_ARGS)

test-arm64-all:
	$(MAKE) test-arm64 PYTEST_ARGS="--all_models $(PYTEST_ARGS)"

test-compatibility: $(OLD)/.complete $(NEW)/.complete
	$(OLD)/bin/python -m pytest tests/compatibility $(PYTEST_ARGS)
	$(NEW)/bin/python -m pytest tests/compatibility $(PYTEST_ARGS)

format: $(ENV)/.complete
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(ENV) $(OLD) $(NEW) build demo_output *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment without .complete was interrupted and is made again from the start.
$(ENV)/.complete: requirements/development.txt $(LOCKS)/development.txt $(MAKE_VENV) pyproject.toml
	$(MAKE_VENV) $(ENV) requirements/development.txt $(LOCKS)/development.txt
	touch $@

.venv-%/.complete: requirements/%.txt $(LOCKS)/%.txt $(MAKE_VENV) pyproject.toml
	$(MAKE_VENV) .venv-$* requirements/$*.txt $(LOCKS)/$*.txt
	touch $@
