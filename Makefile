# SPDX-License-Identifier: Apache-2.0
# make demo    install what is missing, build, run the tour
# make test    install what is missing, build, run all tests
# make build   the release binary only: .build/release/bagel

.PHONY: setup build demo test format lint references
SWIFT ?= swift
BUILD_FLAGS := -c release

setup:
	@Scripts/setup.sh

build: setup
	$(SWIFT) build $(BUILD_FLAGS)

demo: build
	.build/release/bagel demo

test: build
	$(SWIFT) test $(BUILD_FLAGS)

lint:
	$(SWIFT) format lint --strict --recursive Sources Tests Package.swift

format:
	$(SWIFT) format --in-place --recursive Sources Tests Package.swift

# Reference values from other implementations (needs numpy, torch, gpytorch).
references:
	python3 Tests/References/make_references.py
