#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  CSV files with a column t in seconds, such as the episodes that BAGEL writes. Needs mcap: pip install mcap
# Out: one MCAP file that Foxglove and PlotJuggler open. A file is a topic, a row a message in JSON.
#   python3 csv_to_mcap.py episodes.mcap boom-out/learn/episode-*.csv
import csv
import decimal
import json
import math
import os
import pathlib

from tables import Arguments, Refusal, existing, library, listed, run

ABOUT = """CSV files with a column t (seconds) as one MCAP file, for Foxglove and PlotJuggler.

A topic is called as its file is, without .csv, or by --topic, once for each file. A message has all cells of its
row: numbers as numbers, other text as text. Empty cells, NaN and infinities are left out. The log time of a message
is t; --start adds seconds since 1970."""


def number(text):
    """The number, text that is none, or None for what JSON does not have."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return text or None
    return value if math.isfinite(value) else None


def rows(path):
    """(line, cells by name) of a file."""
    with open(existing(path), encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or []
        if "t" not in names:
            raise Refusal(f"{path} has no column t; it has {listed(names)}")
        for row in reader:
            if None in row or None in row.values():
                raise Refusal(f"{path}, line {reader.line_num}: it has more or fewer cells than the header")
            yield reader.line_num, row


def write(writer, path, topic, start):
    """One file as one topic; returns how many messages."""
    is_text = {}  # a column is text if one of its cells is
    for _, row in rows(path):
        for name, text in row.items():
            is_text[name] = is_text.get(name, False) or isinstance(number(text), str)
    if not is_text:
        raise Refusal(f"{path} has no rows below its header")
    kinds = {name: {"type": "string" if text else "number"} for name, text in is_text.items()}
    schema = json.dumps({"type": "object", "properties": kinds}).encode()
    channel = writer.register_channel(topic, "json", writer.register_schema(topic.strip("/"), "jsonschema", schema))
    count, before = 0, 0
    for line, row in rows(path):
        try:
            time = int((decimal.Decimal(row["t"]) + start) * 1_000_000_000)
        except (decimal.InvalidOperation, ValueError, OverflowError):
            raise Refusal(f"{path}, line {line}: t is '{row['t']}', which is no number of seconds") from None
        if time < before:
            raise Refusal(f"{path}, line {line}: t is {row['t']} s; it must not be negative, and not go back")
        cells = {name: text if is_text[name] else number(text) for name, text in row.items() if text}
        cells = {name: value for name, value in cells.items() if value is not None}
        writer.add_message(channel, time, json.dumps(cells).encode(), time, count)
        count, before = count + 1, time
    return count


def convert():
    arguments = Arguments(ABOUT, "csv", "CSV files", [("out", "the MCAP file to write")])
    arguments.add_argument("--topic", action="append", help="the topic of a file, in the files' order")
    arguments.add_argument("--start", type=decimal.Decimal, default=decimal.Decimal(0), metavar="S",
                           help="seconds since 1970 that are added to t (0)")
    given = arguments.read()
    files = given.names + [given.file]
    topics = given.topic or [f"/{pathlib.Path(path).stem}" for path in files]
    if len(topics) != len(files):
        raise Refusal(f"{len(topics)} topics for {len(files)} files: give --topic once for each file")
    if len(set(topics)) < len(topics):
        raise Refusal(f"two files would have the same topic ({listed(topics)}): name them with --topic")
    if pathlib.Path(given.out).suffix != ".mcap":
        raise Refusal(f"the first argument is the file to write; {given.out} does not end with .mcap")
    unfinished = given.out + ".part"
    try:
        with open(unfinished, "wb") as stream:
            writer = library("mcap.writer", "mcap").Writer(stream)
            writer.start(profile="", library="bagel csv_to_mcap")
            counts = [write(writer, path, topic, given.start) for path, topic in zip(files, topics)]
            writer.finish()
        os.replace(unfinished, given.out)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)
    print(f"{given.out}: {sum(counts)} messages in {len(topics)} topics")


run(convert, "CSV")
