#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  a table in Apache Parquet. Needs pyarrow: pip install pyarrow
# Out: CSV on standard output, read by row groups; the columns share one clock.
#   logs: [{file: run.parquet, process: [python3, parquet_to_csv.py, --time, stamp, angle, valve]}]
from tables import Arguments, Refusal, Table, choose, existing, library, listed, run, seconds

ABOUT = """A Parquet table as CSV.

The time is --time NAME, else the column t, time, timestamp, seconds or time_s, else the only column of timestamps.
Timestamps are written in seconds since 1970 (UTC), durations in seconds, numbers as they are, or divided by
--time-unit. A field of a structure is name.field, an element of an array of fixed length name[0]. Missing values are
empty cells; text and lists are left out. Units come from the columns' metadata (unit or units) where there is any."""

TIMES = ("t", "time", "timestamp", "seconds", "time_s")
PER_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}


def flat(columns, arrow):
    """name -> values, with structures and arrays of fixed length taken apart."""
    types, found = arrow.types, {}
    for name, values in columns.items():
        kind = values.type
        if types.is_struct(kind):
            parts = {f"{name}.{kind.field(i).name}": arrow.compute.struct_field(values, i)
                     for i in range(kind.num_fields)}
            found.update(flat(parts, arrow))
        elif types.is_fixed_size_list(kind):
            parts = {f"{name}[{i}]": arrow.compute.list_element(values, i) for i in range(kind.list_size)}
            found.update(flat(parts, arrow))
        else:
            found[name] = values
    return found


def numbers(values, arrow):
    """Python numbers, None where a value is missing."""
    kind = values.type
    if arrow.types.is_decimal(kind) or arrow.types.is_float16(kind):
        values = values.cast(arrow.float64())
    return values.to_pylist()


def is_number(kind, types):
    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)


def is_moment(kind, types):
    return types.is_timestamp(kind) or types.is_duration(kind)


def stamps(values, unit, path, arrow):
    """The time column in seconds: as text where the file has whole nanoseconds, microseconds ..."""
    kind = values.type
    if is_moment(kind, arrow.types):
        values, unit = values.cast(arrow.int64()), kind.unit
    whole = arrow.types.is_integer(values.type)
    times = numbers(values, arrow)
    if unit is None:
        if whole and any(time is not None and abs(time) > 1e11 for time in times):
            raise Refusal(f"{path}: the time {max(time for time in times if time is not None)} is not in seconds; "
                          "use --time-unit ms, us or ns")
        return times
    if whole:
        scale = PER_SECOND["ns"] // PER_SECOND[unit]
        return [None if time is None else seconds(time * scale) for time in times]
    return [None if time is None else time / PER_SECOND[unit] for time in times]


def time_column(given, kinds, types):
    """The name of the time column."""
    if given.time:
        return choose([given.time], kinds, "column", given.file)[0]
    moments = [name for name, kind in kinds.items() if is_moment(kind, types)]
    for name in TIMES:
        for column, kind in kinds.items():
            if column.lower() == name and (column in moments or is_number(kind, types)):
                return column
    if len(moments) == 1:
        return moments[0]
    raise Refusal(f"{given.file} has no column {', '.join(TIMES)}, and {len(moments)} columns of timestamps; "
                  f"say which one is the time: --time NAME; it has {listed(kinds)}")


def convert():
    arguments = Arguments(ABOUT, "column", "columns, in this order; none: all with numbers")
    arguments.add_argument("--time", metavar="NAME", help="the column of time")
    arguments.add_argument("--time-unit", choices=PER_SECOND, help="the unit of a time that is a number (s)")
    given = arguments.read()
    arrow = library("pyarrow", "pyarrow")
    library("pyarrow.compute", "pyarrow")
    parquet = library("pyarrow.parquet", "pyarrow")
    with parquet.ParquetFile(existing(given.file)) as file:
        schema = file.schema_arrow
        kinds = {name: values.type for name, values in flat(columns_of(schema.empty_table()), arrow).items()}
        time = time_column(given, kinds, arrow.types)
        there = {name: kind for name, kind in kinds.items() if is_number(kind, arrow.types) and name != time}
        names = choose(given.names, there, "column with numbers", given.file)
        if not names:
            raise Refusal(f"{given.file} has no column with numbers beside {time}; it has {listed(kinds)}")
        units = {field.name: (field.metadata.get(b"unit") or field.metadata.get(b"units") or b"").decode()
                 for field in schema if field.metadata}
        table = Table({"": names}, units)
        roots = [field.name for field in schema if any(
            name == field.name or name.startswith((field.name + ".", field.name + "[")) for name in names + [time])]
        for batch in file.iter_batches(batch_size=10_000, columns=roots):
            columns = flat(columns_of(batch), arrow)
            table.rows("", stamps(columns[time], given.time_unit, given.file, arrow),
                       [numbers(columns[name], arrow) for name in names])


def columns_of(batch):
    return dict(zip(batch.schema.names, batch.columns))


run(convert, "a Parquet table")
