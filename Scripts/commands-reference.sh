#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Documentation/Commands.md: what `--help` says of every command, so that it can be read without the program. A test compares the two.
# usage: Scripts/commands-reference.sh [BAGEL]   (default: .build/release/bagel) -> standard output
set -eu
bagel=${1:-"$(dirname "$0")/../.build/release/bagel"}
printf '# Commands\n\nEvery command with its options, as `bagel help COMMAND` prints them.\n\n## Overview\n\n```\n'
"$bagel" --help
printf '```\n'
commands=$("$bagel" --help | sed -n '/^SUBCOMMANDS:/,$p' | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -v '^See$')
for command in $commands; do
  printf '\n## %s\n\n```\n' "$command"
  "$bagel" help "$command"
  printf '```\n'
done
