#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command's completions where bash, zsh and fish look for them.
# usage: Scripts/install-completions.sh BAGEL SHARE      (SHARE: /usr/local/share)
set -eu
bagel=$1
share=$2
write() {  # SHELL FILE
  mkdir -p "$(dirname "$share/$2")"
  "$bagel" completions "$1" >"$share/$2"
}
write bash bash-completion/completions/bagel
write zsh zsh/site-functions/_bagel
write fish fish/vendor_completions.d/bagel.fish
