# SPDX-License-Identifier: Apache-2.0
# What the converters share: how a table is written, and how a problem is said.
# In:  groups of columns, each group with a clock of its own, and samples of one group at a time.
# Out: CSV on standard output (README.md has the rules); a problem is one line on standard error and exit code 1.
import argparse
import collections
import csv
import difflib
import importlib
import logging
import os
import signal
import sys
import warnings

BLOCK = 10_000  # rows of an array that are Python numbers at one time


class Refusal(Exception):
    """What is wrong, with which file, and what is there instead: one line."""


class Arguments(argparse.ArgumentParser):
    """Options, names, and the log's path as the last argument."""

    def __init__(self, text, names, meaning, first=()):
        """`names` are of signals; `first`: other arguments before them, each with its meaning."""
        super().__init__(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
        for other, what in first:
            self.add_argument(other, help=what)
        self.add_argument("names", nargs="*", metavar=names, help=meaning)
        self.add_argument("file", help="the log; BAGEL adds its path as the last argument")

    def read(self):
        return self.parse_intermixed_args()

    def error(self, message):
        raise Refusal(f"{self.prog}: {message}; {self.prog} --help says more")


class Table:
    """CSV on standard output: `t`, then the columns of all groups. A sample fills the cells of its group alone."""

    def __init__(self, groups, units=None):
        """`groups`: column names by group. `units`: by column name; the line of units is written if there is one."""
        names = [name for columns in groups.values() for name in columns]
        twice = [name for name, times in collections.Counter(["t"] + names).items() if times > 1]
        if twice:
            raise Refusal(f"two columns would be called {listed(twice)}; name the signals that you want")
        self.around, before = {}, 0  # of each group: the empty cells before and after its own
        for group, columns in groups.items():
            self.around[group] = [""] * before, [""] * (len(names) - before - len(columns))
            before += len(columns)
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        self.lines = csv.writer(sys.stdout, lineterminator="\n")
        self.lines.writerow(["t"] + names)
        if any((units or {}).get(name) for name in names):
            self.lines.writerow(["s"] + [units.get(name) or "" for name in names])

    def row(self, group, stamp, values):
        """One sample. `stamp`: seconds, a number or text. `values`: numbers; None and NaN become empty cells."""
        self.rows(group, [stamp], [[value] for value in values])

    def rows(self, group, stamps, columns):
        """Many samples: stamps, and lists or arrays of the same length. A sample without any number is left out."""
        before, after = self.around[group]
        for first in range(0, len(stamps), BLOCK):
            part = slice(first, first + BLOCK)
            times, *values = (cells(column[part]) for column in (stamps, *columns))
            if None in times:
                at = times.index(None)
                what = listed([column[at] for column in values], 5)
                raise Refusal(f"{sys.argv[-1]}: a sample has no time; its values are {what}")
            self.lines.writerows([time, *before, *sample, *after] for time, *sample in zip(times, *values)
                                 if any(value is not None for value in sample))


def cells(values):
    """Python numbers: None for NaN, 0 and 1 for booleans, so that a CSV writer makes the cells of them."""
    values = values.tolist() if hasattr(values, "tolist") else values
    return [value if isinstance(value, str) else None if value is None or value != value else +value
            for value in values]


def seconds(nanoseconds):
    """Whole nanoseconds as text in seconds: all nine decimals, which a float does not have for stamps since 1970."""
    whole, rest = divmod(abs(nanoseconds), 1_000_000_000)
    return f"{'-' if nanoseconds < 0 else ''}{whole}.{rest:09d}"


def library(module, package):
    """The module, or one line that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        program = os.path.basename(sys.argv[0])
        raise Refusal(f"{program} needs a Python library: pip install {package} ({problem})") from None


def existing(path, what="file"):
    """The path, if something is there that can be read."""
    if not os.path.exists(path):
        folder = os.path.dirname(path) or "."
        there = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        alike = [name for name in there if name.endswith(os.path.splitext(path)[1])] or there
        raise Refusal(f"there is no {what} {path}; {folder} {'has ' + listed(alike, 8) if there else 'has no files'}")
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise Refusal(f"{path} is empty (0 bytes)")
    return path


def listed(names, most=20):
    """The names in one line, the first of them if they are many."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"


def choose(wanted, there, what, path):
    """The wanted names in their order, or all that are there. A name that is not there is refused."""
    for name in wanted:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise Refusal(f"{path} has no {what} {name}{hint}; it has {listed(there)}")
    return list(dict.fromkeys(wanted)) or list(there)


def run(convert, kind):
    """Runs a converter. Bad input ends with one line and exit code 1; python3 -X dev shows where it was found."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has gone away ends the program quietly
    logging.disable(logging.CRITICAL)  # the libraries' remarks
    if not sys.flags.dev_mode:
        warnings.simplefilter("ignore")
    if sys.stdout is None:
        sys.exit(1)
    try:
        convert()
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as problem:
        if sys.flags.dev_mode:
            raise
        text = str(problem) if isinstance(problem, Refusal) else (
            f"{sys.argv[-1]} cannot be read as {kind}: {type(problem).__name__} {problem}")
        print(" ".join(text.split())[:1000], file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)  # some libraries print while Python ends
