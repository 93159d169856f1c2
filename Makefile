# `make demo` and `make test` set up everything they need; see README.md.

SHELL := bash
ENV := .venv
BIN := $(ENV)/bin
OLD := .venv-tensorflow-2.14
NEW := .venv-tensorflow-2.21
LITERT := .venv-litert-only
LITERT_2_2 := .venv-litert-2.2
LITERT_NIGHTLY := .venv-litert-nightly
PEERS := .venv-peer-litert .venv-peer-sony-mct
MAKE_VENV := tools/make_venv.sh
LOCKS := requirements/locked-python3.11
STAND_IN_NDK := build/stand_in_ndk
WHEELS := build/wheels
ARM64 := build/arm64
ARM64_TESTS := //delegate:all //delegate/kernels:all
ARM64_DELEGATE := bazel-arm64-bin/delegate/libtflite_eq_delegate.so
PYTEST_ARM64 = TFLITE_EQ_ARM64=$(ARM64) TFLITE_EQ_ARM64_DELEGATE=$(ARM64_DELEGATE) $(BIN)/python -m pytest tests/arm64
RUNTIMES := tflite_runtime tensorflow ai_edge_litert
PYTEST_ARGS ?=
BAZEL_ARGS ?=
BAZEL_FLAGS := --show_progress_rate_limit=20 $(BAZEL_ARGS)
# Seconds that `make fuzz` spends on each of the delegate's fuzz targets, and on Python's.
FUZZ_SECONDS ?= 3600
FUZZ := build/fuzz
# Parts of `make test` that run at the same time. Most of them have one thread.
JOBS ?= 2

# Environments find what `make build-delegate` made; installing them need not build it again.
export TFLITE_EQ_BUILD_DELEGATE := 0

# TensorFlow's start-up messages would drown everything else.
export TF_CPP_MIN_LOG_LEVEL := 3
export CUDA_VISIBLE_DEVICES := -1

.PHONY: help setup demo test lint format unit-test test-compatibility peers clean
.PHONY: test-nightly
.PHONY: test-parts build-tools build-delegate test-delegate test-runtimes test-packaging test-android
.PHONY: wheels docs
.PHONY: fuzz build-fuzzers test-fuzz test-fuzz-in-turn
.PHONY: browser test-android-in-turn setup-arm64 test-arm64 test-arm64-all test-arm64-in-turn test-arm64-nightly

help:
	@echo "make demo    quantize a small trained network and compare the results"
	@echo "make test    everything: the parts below, two at a time (JOBS=2)"
	@echo "make setup   only make the environment in $(ENV)"
	@echo "make lint                 style and types"
	@echo "make test-delegate        the delegate's C++ tests, plain and under the sanitizers"
	@echo "make unit-test            the package, the delegate's Python side included"
	@echo "make test-runtimes        the delegate inside each installed TFLite runtime"
	@echo "make test-fuzz            a minute of each fuzz target from the corpus in the tree"
	@echo "make fuzz                 hours of them: FUZZ_SECONDS=3600 for each"
	@echo "make test-android         the Android package and its Java class; needs no NDK"
	@echo "make test-compatibility   package and delegate on TensorFlow 2.14, 2.21 and none, LiteRT 2.2"
	@echo "make test-nightly         the accelerator on LiteRT's nightly build; warns, and does not fail"
	@echo "make test-packaging       the wheels, for new users on x86-64 and emulated arm64"
	@echo "make wheels               wheels of a release, in build/wheels"
	@echo "make docs                 reference of the Python API, in build/docs"
	@echo "make build-delegate       the delegate's libraries and eq_benchmark"
	@echo "make test-arm64           the delegate on emulated arm64 CPUs, inside real runtimes"
	@echo "make test-arm64-all       the same with all shared models, quantized with the defaults"
	@echo "make peers   only make the environments of the quantizers in docs/peers.md"
	@echo "make format  put the sources in the form that lint wants"
	@echo "make clean   remove the environments and everything else that was made"

setup: $(ENV)/.complete

demo: $(ENV)/.complete
	$(BIN)/python -m demo --output_dir demo_output

test:
	$(MAKE) --jobs=$(JOBS) --no-print-directory test-parts
	@echo "All tests passed."

test-parts: lint unit-test test-delegate test-runtimes test-compatibility test-fuzz-in-turn
test-parts: test-packaging test-android-in-turn test-arm64-in-turn

lint: $(ENV)/.complete
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Bazel, the compiler and the libraries the delegate is built with; quick where they are there.
build-tools: $(ENV)/.complete
	tools/install_build_tools.sh

# What describe_cases prints is run in real runtimes.
build-delegate: build-tools
	bazel build $(BAZEL_FLAGS) \
	  //delegate:libtflite_eq_delegate.so //delegate/python:libtflite_eq_kernels.so //delegate/benchmark:eq_benchmark \
	  //delegate/litert:libLiteRtGpuAccelerator.so //delegate/fuzz:describe_cases

# ThreadSanitizer looks at the tests of what threads share. The other parts need what build-delegate
# builds, and Bazel does one thing at a time.
test-delegate: build-delegate
	bazel test $(BAZEL_FLAGS) --build_tests_only //...
	bazel test $(BAZEL_FLAGS) --config=sanitize //...
	bazel test $(BAZEL_FLAGS) --config=tsan //...
	$(MAKE) --no-print-directory build-fuzzers

# Copied, so that who runs them need not wait for Bazel.
build-fuzzers: build-tools
	bazel build $(BAZEL_FLAGS) --config=fuzz //delegate/fuzz:fuzzers
	mkdir -p $(FUZZ)/programs
	cp -f "$$(bazel info --config=fuzz bazel-bin)"/delegate/fuzz/*_fuzzer $(FUZZ)/programs/

# From the same inputs and seed every time.
FUZZ_A_MINUTE = rm -rf $(FUZZ)/minute && \
  delegate/fuzz/run_fuzzers.sh $(FUZZ)/programs $(FUZZ)/minute $(FUZZ)/findings 60 -seed=1

test-fuzz: build-fuzzers
	$(FUZZ_A_MINUTE)

# Has its programs from test-delegate, and leaves Bazel to the other parts.
test-fuzz-in-turn: test-delegate
	$(FUZZ_A_MINUTE)

# What reaches something new is kept below $(FUZZ)/corpus for the next time: docs/reliability.md.
fuzz: build-delegate build-fuzzers
	status=0; \
	delegate/fuzz/run_fuzzers.sh $(FUZZ)/programs $(FUZZ)/corpus $(FUZZ)/findings $(FUZZ_SECONDS) || status=1; \
	$(BIN)/python -m tests.fuzz --minutes $$(( ($(FUZZ_SECONDS) + 59) / 60 )) --seed $$(date +%s) \
	  --log $(FUZZ)/findings/python.jsonl || status=1; \
	exit $$status

# The report is looked at in a browser.
browser:
	command -v chromium >/dev/null || tools/apt_install.sh chromium

unit-test: build-delegate browser
	$(BIN)/python -m pytest --ignore tests/wheels --ignore tests/android --ignore tests/arm64 $(PYTEST_ARGS)

# For x86-64, 64-bit ARM, and everything else.
wheels: build-tools
	tools/install_build_tools.sh arm64
	tools/make_wheels.sh $(BIN)/python $(WHEELS)

# Builds with Bazel as well.
test-packaging: test-delegate setup-arm64
	$(MAKE) --no-print-directory wheels
	tools/pythons.sh build/pythons
	TFLITE_EQ_WHEELS=$(WHEELS) TFLITE_EQ_ARM64=$(ARM64) $(BIN)/python -m pytest tests/wheels $(PYTEST_ARGS)

# The API's reference as a static site in build/docs.
docs: $(ENV)/.complete
	$(BIN)/python -m tools.api_reference build/docs

# One runtime per process: two in one may answer for each other.
test-runtimes: build-delegate
	for runtime in $(RUNTIMES); do \
	  $(BIN)/python -m pytest delegate/runtime_tests --runtime $$runtime $(PYTEST_ARGS) || exit 1; \
	done

# With the NDK that ANDROID_NDK_HOME names, or what stands in for one; a JDK and Maven for the Java class.
test-android: export ANDROID_NDK_HOME := $(or $(ANDROID_NDK_HOME),$(CURDIR)/$(STAND_IN_NDK))
test-android: build-tools
	tools/install_build_tools.sh android
	$(BIN)/python delegate/android/testing/stand_in_ndk.py $(STAND_IN_NDK)
	bazel test $(BAZEL_FLAGS) //delegate/android/testing:java_test //delegate/android/testing:accelerator_test
	TFLITE_EQ_TEST_NDK=1 $(BIN)/python -m pytest tests/android/test_ndk.py $(PYTEST_ARGS)
	bazel build $(BAZEL_FLAGS) --config=android_arm64 \
	  //delegate/android:tflite_eq_delegate.aar //delegate/android:tflite_eq_accelerator.aar \
	  //delegate/benchmark:eq_benchmark
	$(BIN)/python -m pytest tests/android --ignore tests/android/test_ndk.py $(PYTEST_ARGS)

# Bazel does one thing at a time, so that in make test this part waits for the others that need it.
test-android-in-turn: test-packaging
	$(MAKE) --no-print-directory test-android

# An arm64 Python with TFLite runtimes, and what emulates it: docs/arm64.md.
setup-arm64: build-tools
	tools/install_build_tools.sh arm64
	PYTHON=$(BIN)/python tools/arm64/setup.sh $(ARM64)

# A Cortex-A53, a Cortex-A76, and a CPU with i8mm.
test-arm64: build-delegate setup-arm64
	bazel build $(BAZEL_FLAGS) --config=arm64 //delegate:libtflite_eq_delegate.so \
	  //delegate/litert:libLiteRtGpuAccelerator.so
	for cpu in a53 a76 i8mm; do \
	  TFLITE_EQ_QEMU=$(CURDIR)/$(ARM64)/emulator/usr/bin/qemu-aarch64 TFLITE_EQ_ARM64_ROOT=$(CURDIR)/$(ARM64)/root \
	    bazel test $(BAZEL_FLAGS) --config=arm64 --config=$$cpu --build_tests_only $(ARM64_TESTS) || exit 1; \
	done
	$(PYTEST_ARM64) -k "not nightly" $(PYTEST_ARGS)
	$(MAKE) --no-print-directory test-arm64-nightly

# As test-nightly. Only after test-arm64's build, which it is a part of.
test-arm64-nightly:
	if PYTHON=$(BIN)/python tools/arm64/setup.sh $(ARM64) litert-nightly; then \
	  $(PYTEST_ARM64) -k nightly $(PYTEST_ARGS) || \
	    echo "WARNING: the accelerator's tests fail on LiteRT's nightly build for arm64"; \
	else echo "WARNING: LiteRT's nightly build for arm64 cannot be had: its tests are skipped"; fi

test-arm64-all:
	$(MAKE) test-arm64 PYTEST_ARGS="--all_models $(PYTEST_ARGS)"

# As test-android-in-turn.
test-arm64-in-turn: test-android-in-turn
	$(MAKE) --no-print-directory test-arm64

test-compatibility: build-delegate $(OLD)/.complete $(NEW)/.complete $(LITERT)/.complete $(LITERT_2_2)/.complete
	for environment in $(OLD) $(NEW); do \
	  $$environment/bin/python -m pytest tests/compatibility $(PYTEST_ARGS) || exit 1; \
	  $$environment/bin/python -m pytest delegate/runtime_tests --runtime tensorflow $(PYTEST_ARGS) || exit 1; \
	done
	$(LITERT)/bin/python -m pytest tests/compatibility $(PYTEST_ARGS)
	$(LITERT_2_2)/bin/python -m pytest tests/accelerator $(PYTEST_ARGS)
	$(MAKE) --no-print-directory test-nightly
	$(OLD)/bin/python -m pytest tests/benchmarks/test_keras2.py $(PYTEST_ARGS)

# What LiteRT will be: told, and no failure, for it changes every day and older days go.
test-nightly: build-delegate
	if $(MAKE) --no-print-directory $(LITERT_NIGHTLY)/.complete; then \
	  $(LITERT_NIGHTLY)/bin/python -m pytest tests/accelerator $(PYTEST_ARGS) || \
	    echo "WARNING: the accelerator's tests fail on LiteRT's nightly build"; \
	else echo "WARNING: LiteRT's nightly build cannot be had: its tests are skipped"; fi

# What benchmarks/peers measures beside the project's own environment.
peers: $(ENV)/.complete $(PEERS:=/.complete)

format: $(ENV)/.complete
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(ENV) $(OLD) $(NEW) $(LITERT) $(LITERT_2_2) $(LITERT_NIGHTLY) $(PEERS) build demo_output *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	if command -v bazel >/dev/null; then bazel clean; fi
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment without .complete was interrupted and is made again from the start.
$(ENV)/.complete: requirements/development.txt requirements/development.no-deps.txt $(LOCKS)/development.txt $(MAKE_VENV) pyproject.toml
	$(MAKE_VENV) $(ENV) requirements/development.txt $(LOCKS)/development.txt
	touch $@

.venv-peer-%/.complete: requirements/peer-%.txt $(LOCKS)/peer-%.txt $(MAKE_VENV)
	$(MAKE_VENV) --without_project .venv-peer-$* requirements/peer-$*.txt $(LOCKS)/peer-$*.txt
	touch $@

# Last in line: what takes longest should not wait for them.
$(LITERT_NIGHTLY)/.complete: requirements/litert-nightly.txt $(MAKE_VENV) pyproject.toml
	$(MAKE_VENV) $(LITERT_NIGHTLY) requirements/litert-nightly.txt
	touch $@

.venv-%/.complete: requirements/%.txt $(LOCKS)/%.txt $(MAKE_VENV) pyproject.toml | build-delegate
	$(MAKE_VENV) .venv-$* requirements/$*.txt $(LOCKS)/$*.txt
	touch $@
