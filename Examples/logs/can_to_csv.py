#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  a CAN trace (BLF, ASC, candump's .log, TRC, MF4) and a DBC file. Needs: pip install cantools python-can
# Out: CSV on standard output with a line of units. A message is a group; a column is Message.Signal.
#   logs: [{file: run.blf, process: [python3, can_to_csv.py, machine.dbc, Boom.Angle, Valve]}]
import collections
import os
import sys

from tables import Arguments, Refusal, Table, choose, existing, library, listed, run

ABOUT = """A CAN trace as CSV, decoded with a DBC file, with units.

The suffix says which format the trace has: .blf, .asc, .log (candump -l), .trc, .mf4 (pip install asammdf), also with
.gz behind. Values are physical: scaled, enumerations as numbers. Signals of a multiplexed message are empty where the
frame does not have them. Frames that the DBC does not know or that do not fit are counted on standard error.
A message must come from one channel (--channel). With --j1939 frames are found by their parameter group; a message
must then come from one source address (--source)."""


def key(frame_id, extended, j1939):
    """What tells messages apart: the identifier, or for J1939 the parameter group without addresses."""
    if not (j1939 and extended):
        return frame_id, extended
    group = frame_id >> 8 & 0x3FFFF
    return group & 0x3FF00 if group & 0xFF00 < 0xF000 else group, "group"


def frames(can, given):
    """The data frames of the trace, on the chosen channel and from the chosen source."""
    with can.LogReader(given.file) as reader:
        size, there = getattr(reader, "file_size", 0), os.path.getsize(given.file)
        if size > there:  # a BLF file knows its size
            raise Refusal(f"{given.file} is cut off: it should have {size} bytes, and has {there}")
        for frame in reader:
            if not (frame.is_error_frame or frame.is_remote_frame
                    or given.channel not in (None, str(frame.channel))
                    or given.source not in (None, frame.arbitration_id & 0xFF)):
                yield frame


def load(path, cantools, j1939):
    """The messages of the DBC file by key."""
    existing(path, "DBC file")
    try:
        database = cantools.database.load_file(path)
        return {key(m.frame_id, m.is_extended_frame, j1939): m for m in database.messages if not m.is_container}
    except Exception as problem:
        raise Refusal(f"{path} cannot be read as a database of CAN messages: {problem}") from None


def convert():
    arguments = Arguments(ABOUT, "name", "messages or Message.Signal; none: all in the trace",
                          first=[("dbc", "the DBC file")])
    arguments.add_argument("--channel", metavar="NAME", help="frames of this channel only, such as can0 or 1")
    arguments.add_argument("--j1939", action="store_true", help="find messages by their parameter group")
    arguments.add_argument("--source", type=lambda text: int(text, 0), metavar="N",
                           help="frames from this address only, such as 3 or 0x17")
    given = arguments.read()
    cantools, can = library("cantools", "cantools"), library("can", "python-can")
    messages = load(given.dbc, cantools, given.j1939)
    existing(given.file, "trace")

    seen, unknown, total = collections.defaultdict(set), collections.Counter(), 0
    for frame in frames(can, given):
        total += 1
        which = key(frame.arbitration_id, frame.is_extended_id, given.j1939)
        if which in messages:
            seen[which].add((str(frame.channel), frame.arbitration_id & 0xFF if which[1] == "group" else None))
        else:
            unknown[f"0x{frame.arbitration_id:X}"] += 1
    if not total:
        raise Refusal(f"{given.file} has no data frames that can be read, or none of this channel and source")
    if not seen:
        channel = f" on channel {given.channel}" if given.channel else ""
        raise Refusal(f"{given.file}: none of {total} frames{channel} is in {given.dbc}; they have the identifiers "
                      f"{listed(unknown)}; the DBC file has {listed(m.name for m in messages.values())}")

    signals = {messages[which].name: [signal.name for signal in messages[which].signals] for which in seen}
    there = [f"{message}.{name}" for message, names in signals.items() for name in names]
    chosen = choose(given.names, list(signals) + there, "message or signal", given.file)
    wanted = {which: [name for name in signals[messages[which].name]
                      if not given.names or {messages[which].name, f"{messages[which].name}.{name}"} & set(chosen)]
              for which in seen}
    wanted = {which: names for which, names in wanted.items() if names}
    for which in wanted:
        channels, sources = ({origin[i] for origin in seen[which]} for i in (0, 1))
        if len(channels) > 1:
            raise Refusal(f"{given.file}: {messages[which].name} comes on the channels {listed(sorted(channels))}; "
                          "choose one with --channel")
        if len(sources) > 1:
            raise Refusal(f"{given.file}: {messages[which].name} comes from the sources {listed(sorted(sources))}; "
                          "choose one with --source")

    table = Table({which: [f"{messages[which].name}.{name}" for name in names] for which, names in wanted.items()},
                  {f"{messages[which].name}.{s.name}": s.unit for which in wanted for s in messages[which].signals})
    unfit, written = collections.Counter(), 0
    for frame in frames(can, given):
        which = key(frame.arbitration_id, frame.is_extended_id, given.j1939)
        if which in wanted:
            try:
                values = messages[which].decode(bytes(frame.data), decode_choices=False)
            except (cantools.database.DecodeError, ValueError):
                unfit[messages[which].name] += 1
                continue
            table.row(which, frame.timestamp, [values.get(name) for name in wanted[which]])
            written += 1
    if unfit and not written:
        raise Refusal(f"{given.file}: none of {sum(unfit.values())} frames of {listed(unfit)} fits {given.dbc}; "
                      "they are shorter than it says")
    if unfit or unknown:
        print(f"{given.file}: of {total} frames {sum(unknown.values())} are not in {given.dbc} "
              f"({listed(unknown, 5)}), {sum(unfit.values())} do not fit it ({listed(unfit, 5)})", file=sys.stderr)


run(convert, "a CAN trace")
