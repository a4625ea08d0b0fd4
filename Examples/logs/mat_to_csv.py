#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  a MATLAB file, v4 to v7.2 (pip install scipy) or v7.3 (pip install h5py).
# Out: CSV on standard output. Each time vector is the clock of a group.
#   logs: [{file: run.mat, process: [python3, mat_to_csv.py, --time, t, angle, valve]}]
#   logs: [{file: run.mat, process: [python3, mat_to_csv.py, --step, '0.05', angle, valve]}]
from tables import Arguments, Refusal, Table, choose, existing, library, listed, run

ABOUT = """A MATLAB file as CSV.

The time is --time NAME, else a variable t, time, tout, timestamp, seconds or time_s; a structure that has one of
these as a field has a clock of its own. A file without any needs --step: rows are so many seconds apart.
Columns: angle for a vector, q[0], q[1] ... for a matrix (counted from 0; one row a sample), log.angle for a field.
Simulink's structures with time give simout.LABEL, or simout.signals.values where a signal has no label.
Text, cells and arrays of another length than their time are left out. MATLAB's objects (timeseries, timetable,
Simulink's Dataset) cannot be read: save ts.Time and ts.Data."""

TIMES = ("t", "time", "tout", "timestamp", "seconds", "time_s")


def plain(value):
    """SciPy's value as a dictionary (structure), list (array of structures), text, or array of numbers; else None."""
    if getattr(value, "dtype", None) is None or type(value).__name__ == "MatlabOpaque":
        return None
    if value.dtype.names:
        items = [{name: plain(item[name]) for name in value.dtype.names} for item in value.ravel()]
        return items[0] if len(items) == 1 else items
    if value.dtype.kind == "U":
        return "".join(value.ravel())
    return value if value.dtype.kind in "biuf" else None


def plain_73(item, file):
    """The same of a v7.3 file, which is HDF5 with its axes turned round."""
    if hasattr(item, "keys"):
        found = {name: plain_73(item[name], file) for name in item}
        if found and all(isinstance(value, list) for value in found.values()):
            return [dict(zip(found, values)) for values in zip(*found.values())]
        return found
    kind = item.attrs.get("MATLAB_class", b"").decode()
    if "MATLAB_empty" in item.attrs or kind == "cell" or "MATLAB_object_decode" in item.attrs:
        return None
    if kind == "char":
        return "".join(map(chr, item[()].T.ravel()))
    if item.dtype.kind == "O":
        return [plain_73(file[reference], file) for reference in item[()].T.ravel()]
    return item[()].T if item.dtype.kind in "biuf" else None


def load(path, names):
    """The file's variables: those that are wanted and those that may be their time."""
    def wanted(there):
        roots = {name.split(".")[0].split("[")[0] for name in names if name}
        some = roots and roots <= set(there)  # a name that is not there is refused with the list of all
        return [name for name in there if not some or name in roots or name.lower() in TIMES]

    with open(path, "rb") as file:
        is_73 = b"MATLAB 7.3" in file.read(128)
    if is_73:
        with library("h5py", "h5py").File(path, "r") as file:
            return {name: plain_73(file[name], file) for name in wanted([x for x in file if x[0] != "#"])}
    scipy = library("scipy.io", "scipy")
    variables = scipy.loadmat(path, variable_names=wanted([name for name, _, _ in scipy.whosmat(path)]))
    return {name: plain(value) for name, value in variables.items() if not name.startswith("__")}


def leaves(node, path, clock, time):
    """(name, array, name of its time) of all arrays below a structure."""
    own = [name for name, value in node.items() if hasattr(value, "shape") and value.size > 1
           and (path + name == time or name.lower() in TIMES)]
    if own:
        clock = path + next((name for name in own if path + name == time), own[0])
    for name, value in node.items():
        items = value if isinstance(value, list) else [value]
        labels = [item.get("label") if isinstance(item, dict) and name == "signals" else None for item in items]
        for i, (item, label) in enumerate(zip(items, labels)):
            place = f"{path}{name}[{i}]" if len(items) > 1 else path + name
            if isinstance(item, dict) and label and labels.count(label) == 1:
                yield from leaves({label: item.get("values")}, path, clock, time)
            elif isinstance(item, dict):
                yield from leaves(item, place + ".", clock, time)
            elif hasattr(item, "shape"):
                yield place, item, clock


def samples(array, count):
    """One row a sample, if an axis has as many: the first, else the last. None if neither has."""
    if array.shape[0] == count:
        return array.reshape(count, -1, order="F")
    return array.reshape(-1, count, order="F").T if array.shape[-1] == count else None


def grouped(found, chosen, given, shown):
    """The columns by the name of their time, and these times."""
    numpy = library("numpy", "numpy")
    groups, times = {}, {}
    if given.step:
        rows = max(max(found[name][0].shape) for name in chosen)
        times[None] = numpy.round(numpy.arange(rows) * given.step, 12)
    for name in chosen:
        array, clock = found[name]
        if given.step:
            clock = None
        elif clock:
            times[clock] = found[clock][0].ravel()
        elif given.names:
            raise Refusal(f"{given.file}: {name} has no time: use --time NAME or --step SECONDS; there are {shown}")
        values = samples(array, len(times[clock])) if clock in times and clock != name else None
        if values is not None:
            names = [name] if values.shape[1] == 1 else [f"{name}[{i}]" for i in range(values.shape[1])]
            groups.setdefault(clock, {}).update(zip(names, values.T))
        elif given.names:
            shape = "x".join(map(str, array.shape))
            count = len(times[clock])
            raise Refusal(f"{given.file}: {name} is {shape}, its time {clock or 'by --step'} has {count} rows")
    return groups, times


def convert():
    arguments = Arguments(ABOUT, "name", "variables or fields, in the order of the columns; none: all with a time")
    arguments.add_argument("--time", metavar="NAME", help="the variable, or field, of time in seconds")
    arguments.add_argument("--step", type=float, metavar="S", help="without a time: seconds from row to row")
    given = arguments.read()
    variables = load(existing(given.file), given.names + [given.time])
    found = {name: (array, clock) for name, array, clock in leaves(variables, "", None, given.time)}
    shown = listed(f"{name} ({'x'.join(map(str, array.shape))})" for name, (array, _) in found.items())
    if given.time:
        choose([given.time], found, "numbers", given.file)
    elif not given.names and not given.step and not any(clock for _, clock in found.values()):
        raise Refusal(f"{given.file} has no time ({', '.join(TIMES)}): use --time NAME or --step SECONDS; "
                      f"it has {shown}")
    chosen = choose(given.names, found, "numbers", given.file)
    groups, times = grouped(found, chosen, given, shown) if chosen else ({}, {})
    if not groups:
        raise Refusal(f"{given.file} has no numbers of the same length as their time; it has {shown}")
    table = Table({clock: list(columns) for clock, columns in groups.items()})
    for clock, columns in groups.items():
        table.rows(clock, times[clock], list(columns.values()))


run(convert, "a MATLAB file")
