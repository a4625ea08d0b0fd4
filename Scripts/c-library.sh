#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library for C: libbagel.a, libbagel.so, bagel.h and files for pkg-config in a folder. In: this checkout, or the archive of the
# product BagelForC that is built already (BAGEL_ARCHIVE). Out: one object with Swift's runtime and Foundation inside, in which
# `bagel_...` are the only names that others see. OpenBLAS, libLBFGS, zlib and libstdc++ stay outside.
# usage: Scripts/c-library.sh [FOLDER]        (default: .build/c-library; relative to the checkout)
set -eu
[ "$(uname)" = Linux ] || { echo "the library for C is made on Linux" >&2; exit 1; }
cd "$(dirname "$0")/.."
out=${1:-.build/c-library}
archive=${BAGEL_ARCHIVE:-}
if [ -z "$archive" ]; then
  swift build -c release --disable-build-manifest-caching --product BagelForC >&2
  archive=$(swift build -c release --show-bin-path)/libBagelForC.a
fi

# Swift's static libraries, wherever the toolchain is.
resources=$(swiftc -print-target-info -static-stdlib | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
runtime=$resources/linux
[ -f "$runtime/libswiftCore.a" ] || { echo "this Swift toolchain has no static libraries ($runtime)" >&2; exit 1; }
# Tells the runtime, when a program begins, which types there are.
start=$runtime/$(uname -m)/swiftrt.o

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# From the archive everything, from Swift what that needs.
ld -r -o "$work/whole.o" --whole-archive "$archive" --no-whole-archive "$start" \
  --start-group "$runtime"/*.a --end-group
objcopy --wildcard --keep-global-symbol='bagel_*' "$work/whole.o" "$work/named.o"
objcopy --strip-unneeded "$work/named.o" "$work/bagel.o"
rm -f "$out/libbagel.a"
ar rcs "$out/libbagel.a" "$work/bagel.o"

outside="$(pkg-config --libs openblas liblbfgs zlib 2>/dev/null || echo -lopenblas -llbfgs -lz)"
system="-lstdc++ -lm -lpthread -ldl"
echo '{ global: bagel_*; local: *; };' >"$work/names"
# shellcheck disable=SC2086
"${CC:-$(command -v cc || command -v clang)}" -shared -o "$out/libbagel.so" "$work/bagel.o" -Wl,-soname,libbagel.so -Wl,-z,defs -Wl,-s -Wl,--gc-sections \
  -Wl,--version-script="$work/names" $outside $system 2>"$work/words" || { cat "$work/words" >&2; exit 1; }
cp Sources/CBagel/include/bagel.h "$out/"

version=$(sed -n 's/.*let bagelVersion = "\(.*\)"/\1/p' Sources/Bagel/BagelVersion.swift)
[ -n "$version" ] || { echo "no version in Sources/Bagel/BagelVersion.swift" >&2; exit 1; }
describe() {  # name, libraries
  cat <<END
Name: $1
Description: Policies and models that BAGEL has learnt, from C
Version: $version
Cflags: -I\${pcfiledir}
Libs: $2
END
}
describe bagel "-L\${pcfiledir} -Wl,-rpath,\${pcfiledir} -lbagel" >"$out/bagel.pc"
describe bagel-static "\${pcfiledir}/libbagel.a $(echo $outside) $system" >"$out/bagel-static.pc"

size() { echo "$(($(wc -c <"$1") / 1048576)) MiB"; }
echo "libbagel.a $(size "$out/libbagel.a"), libbagel.so $(size "$out/libbagel.so"), bagel.h in $out; to link:" >&2
echo "  PKG_CONFIG_PATH=$out cc program.c \$(pkg-config --cflags --libs bagel)          (bagel-static: libbagel.a)" >&2
echo "$out"
