#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds a bagel that runs on any Linux machine of this architecture without Swift: Swift's libraries linked in,
# OpenBLAS, libLBFGS, zlib and what they need beside it, packed into one file.
# usage: Scripts/gpu-bundle.sh FILE.tar.gz
set -eu
file=${1:?usage: Scripts/gpu-bundle.sh FILE.tar.gz}
cd "$(dirname "$0")/.."
# The program with the benchmarks has all other commands too.
# (No cached plan: the wheel builds the other package in this folder.)
swift build -c release --disable-build-manifest-caching --static-swift-stdlib --package-path Experiments --product bagel-experiments --scratch-path .build/portable
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bagel"
cp .build/portable/release/bagel-experiments "$folder/bagel/bagel"
strip "$folder/bagel/bagel"
# glibc, libstdc++ and libgcc are everywhere; the rest of what it loads is not.
ldd .build/portable/release/bagel-experiments | awk '/=> \// {print $3}' \
  | grep -E 'lib(openblas|lbfgs|gfortran|quadmath|z\.so)' | while read -r library; do
  cp -L "$library" "$folder/bagel/"
done
mkdir -p "$(dirname "$file")"
tar -C "$folder" -czf "$file" bagel
size=$(($(wc -c <"$file") / 1048576))
echo "$file: $size MiB"
[ "$size" -lt 60 ] || { echo "more than 60 MiB" >&2; exit 1; }
