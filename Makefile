# SPDX-License-Identifier: Apache-2.0
# make demo    install what is missing, build, run the tour
# make test    install what is missing, build the program and the documentation, run every kind of test
# make test-all   the same with all shapes and seeds, before a change lands
# make test-one SUITE=OperationTests   one suite; make test-experiments: those of the package Experiments
# make build   the release binaries only: .build/release/bagel, and bagel-experiments for `bagel reproduce` and `bagel benchmark`
# make install   the command and its completions -> PREFIX (default: /usr/local); the Swift toolchain must stay where it is
# make docs    the library's reference and the articles as a DocC archive, without a warning
# make c-library   the library for C and Python: .build/c-library
# make gpu-check   on a machine with an NVIDIA GPU (Swift not needed there once the bundle is built): checks and
#                  benchmarks -> GPU_RECORD

.PHONY: setup build experiments demo test test-one test-experiments test-all install docs c-library format lint references gpu-bundle gpu-check
SWIFT ?= swift
# Two packages share a build folder, so SwiftPM may not take the plan that it finds there for its own.
BUILD_FLAGS := -c release --disable-build-manifest-caching
EXPERIMENTS := --package-path Experiments --scratch-path .build
# SwiftPM writes some flags in the order of a hash table: with a random one it compiles swift-protobuf, and all behind it, anew.
export SWIFT_DETERMINISTIC_HASHING := 1

# Tests run side by side: with one thread each, products of matrices have the same bits whatever runs beside them.
TEST = OPENBLAS_NUM_THREADS=1 BAGEL_NVRTC="$$(Scripts/setup-nvrtc.sh)" BAGEL_PYTHON="$$(Scripts/setup-python.sh)" \
  $(SWIFT)

setup:
	@Scripts/setup.sh

build: setup experiments

# The plan of the package BAGEL is written last, for who builds by hand.
experiments:
	$(SWIFT) build $(BUILD_FLAGS) $(EXPERIMENTS) --product bagel-experiments
	$(SWIFT) build $(BUILD_FLAGS)

demo: build
	.build/release/bagel demo

test: build
	Scripts/documentation.sh --if-possible
	$(TEST) test $(BUILD_FLAGS) $(EXPERIMENTS)
	$(TEST) test $(BUILD_FLAGS)

# One suite of tests: make test-one SUITE=OperationTests
test-one: build
	$(TEST) test $(BUILD_FLAGS) --filter "$(SUITE)"

test-experiments: build
	$(TEST) test $(BUILD_FLAGS) $(EXPERIMENTS)

test-all: build
	Scripts/documentation.sh
	BAGEL_TEST_ALL=1 $(TEST) test $(BUILD_FLAGS) $(EXPERIMENTS)
	BAGEL_TEST_ALL=1 $(TEST) test $(BUILD_FLAGS)

PREFIX ?= /usr/local

install: build
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 .build/release/bagel .build/release/bagel-experiments $(DESTDIR)$(PREFIX)/bin
	Scripts/install-completions.sh .build/release/bagel $(DESTDIR)$(PREFIX)/share

docs: build
	Scripts/documentation.sh

c-library: build
	@Scripts/c-library.sh

GPU_BUNDLE := .build/gpu-check/bagel.tar.gz
GPU_RECORD ?= .build/gpu-check/record.json

gpu-bundle: setup
	Scripts/gpu-bundle.sh $(GPU_BUNDLE)

gpu-check:
	@if command -v $(SWIFT) >/dev/null 2>&1; then $(MAKE) gpu-bundle; fi
	python3 Benchmarks/gpu_check.py $(GPU_BUNDLE) $(GPU_RECORD)

lint:
	$(SWIFT) format lint --strict --recursive Sources Tests Experiments Package.swift

format:
	$(SWIFT) format --in-place --recursive Sources Tests Experiments Package.swift

# Reference values from other implementations (needs numpy, torch, gpytorch, cma).
references:
	python3 Tests/References/make_references.py
	python3 Experiments/Tests/References/make_moment_references.py
	python3 Experiments/Tests/References/make_cmaes_references.py
