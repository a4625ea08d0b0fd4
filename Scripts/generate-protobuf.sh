#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Protobuf/*.proto -> Swift, committed; run it after a change of those files. Needs protoc (apt-get install
# protobuf-compiler) and protoc-gen-swift of swift-protobuf (swift build --product protoc-gen-swift there) on PATH.
# Not part of the build: the plugin takes minutes to compile.
set -euo pipefail
cd "$(dirname "$0")/.."
protoc --proto_path=Protobuf --swift_opt=Visibility=Internal --swift_out=Sources/CodeExport/ONNX onnx.proto
protoc --proto_path=Protobuf --swift_opt=Visibility=Internal --swift_out=Sources/TensorBoard tensorboard.proto
