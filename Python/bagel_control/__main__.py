# SPDX-License-Identifier: Apache-2.0
# `python -m bagel_control ...`: the command itself, wherever it is. In: its arguments. Out: its output and
# its exit code.

from __future__ import annotations

import os
import sys

from .command import find
from .errors import BagelError


def main() -> None:
    """Becomes the command: signals, terminal and exit code are its own."""
    try:
        path = find()
        os.execv(path, [path, *sys.argv[1:]])
    except BagelError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
