#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what BAGEL needs and this machine lacks: OpenBLAS (not on Apple's systems, which have Accelerate), libLBFGS and zlib (libraries), gnuplot (pictures
# in reports). Says aloud what it does; where it may not, says what to do.
set -eu

if ! command -v swift >/dev/null 2>&1; then
  echo "BAGEL needs Swift 6 or later: see swift.org/install" >&2
  exit 1
fi

if [ "$(uname)" = Darwin ]; then
  missing=""
  for package in liblbfgs gnuplot; do
    brew list "$package" >/dev/null 2>&1 || missing="$missing $package"
  done
  [ -z "$missing" ] && exit 0
  echo "installing with Homebrew:$missing"
  # shellcheck disable=SC2086
  exec brew install $missing
fi

missing=""
[ -n "$(find /usr/include /usr/local/include -name cblas.h 2>/dev/null | head -n 1)" ] \
  && [ -n "$(find /usr/lib /usr/local/lib -name 'libopenblas.so' 2>/dev/null | head -n 1)" ] \
  || missing="$missing libopenblas-dev"
[ -n "$(find /usr/include /usr/local/include -name lbfgs.h 2>/dev/null | head -n 1)" ] || missing="$missing liblbfgs-dev"
[ -n "$(find /usr/include /usr/local/include -name zlib.h 2>/dev/null | head -n 1)" ] || missing="$missing zlib1g-dev"
command -v gnuplot >/dev/null 2>&1 || missing="$missing gnuplot-nox"
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "BAGEL needs the packages (Debian's names):$missing" >&2
  echo "install them with this system's package manager, then run make again" >&2
  exit 1
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
  sudo="sudo"
  if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
    echo "BAGEL needs to install:$missing" >&2
    echo "as root, run: apt-get update && apt-get install -y$missing ; then run make again" >&2
    exit 1
  fi
fi
echo "installing with apt-get:$missing"
log=$(mktemp)
# shellcheck disable=SC2086
if ! { $sudo apt-get update && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y $missing; } >"$log" 2>&1; then
  tail -n 5 "$log" >&2
  echo "apt-get failed; install$missing by hand, then run make again" >&2
  exit 1
fi
rm -f "$log"
