#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  a measurement in MDF 4 (or 3): .mf4, .mdf, .dat. Needs asammdf: pip install asammdf
# Out: CSV on standard output with a line of units. Each channel group of the file is a group with its own clock.
#   logs: [{file: run.mf4, process: [python3, mdf_to_csv.py, oil_pressure, valve]}]
import collections

from tables import Arguments, Refusal, Table, choose, existing, library, listed, run

ABOUT = """An MDF measurement as CSV, with units.

A channel's name is its column's name. Where several groups have a channel of this name, it is name@group, with the
group's number from 0. An array is name[0], name[1] ... A conversion to text is not applied: its raw number is
written. Samples that the file marks as invalid are empty cells. Text, and groups without a time channel, are left
out. t is in seconds since the measurement's start."""


def clock_of(mdf, g):
    """The time channel of a group; None if it has none, or is over an angle, a distance or an index."""
    other = getattr(mdf.groups[g].channel_group, "cg_master_index", None)  # a group may share another's clock
    g = g if other is None else other
    channel = mdf.groups[g].channels[mdf.masters_db[g]] if g in mdf.masters_db else None
    return channel if getattr(channel, "sync_type", 1) in (0, 1) else None


def channels_of(mdf):
    """(name, group, channel) by column name: what can be asked for."""
    clocks = [clock_of(mdf, g) if group.channel_group.cycles_nr else None for g, group in enumerate(mdf.groups)]
    where = [(channel.name, g, c) for g, group in enumerate(mdf.groups) if clocks[g] is not None
             for c, channel in enumerate(group.channels) if channel is not clocks[g]]
    times = collections.Counter(name for name, _, _ in where)
    within = collections.Counter((name, g) for name, g, _ in where)
    return {name if times[name] == 1 else f"{name}@{g}" if within[name, g] == 1 else f"{name}@{g}.{c}": (name, g, c)
            for name, g, c in where}


def columns_of(name, signal, samples):
    """The numeric columns of a channel: one, or one per element of an array; none for text."""
    if samples.dtype.names:  # an array with its axes, or a structure
        samples = samples[samples.dtype.names[0]] if samples[samples.dtype.names[0]].ndim > 1 else samples
    if samples.dtype.kind not in "biuf":
        return {}
    if signal.invalidation_bits is not None and signal.invalidation_bits.any():
        samples = samples.astype(float)
        samples[signal.invalidation_bits.astype(bool)] = float("nan")
    if samples.ndim == 1:
        return {name: samples}
    flat = samples.reshape(len(samples), -1)
    return {f"{name}[{i}]": flat[:, i] for i in range(flat.shape[1])}


def read(mdf, group, channels, path, only=None):
    """The stamps and columns of one group, and the units; of its first samples only, if a number is given."""
    signals = mdf.select(list(channels.values()), ignore_value2text_conversions=True, copy_master=False,
                         record_count=only)
    expected = only or mdf.groups[group].channel_group.cycles_nr
    columns, units = {}, {}
    for name, signal in zip(channels, signals):
        if not len(signal.samples) == len(signal.timestamps) == expected:
            raise Refusal(f"{path} is cut off: it counts {expected} samples of {name}, and has {len(signal.samples)}")
        found = columns_of(name, signal, signal.samples)
        columns.update(found)
        units.update({column: (signal.unit or "").strip() for column in found})
    return signals[0].timestamps, list(columns.values()), units


def convert():
    given = Arguments(ABOUT, "channel", "channels, in the order of the columns; none: all with numbers").read()
    asammdf = library("asammdf", "asammdf")
    with asammdf.MDF(existing(given.file)) as mdf:
        there = channels_of(mdf)
        for name in given.names:
            several = [other for other in there if other.startswith(f"{name}@")]
            if name not in there and several:
                raise Refusal(f"{given.file} has more than one channel {name}: write {' or '.join(several)}")
        groups, names, units = {}, {}, {}
        for name in choose(given.names, there, "channel over time", given.file):
            groups.setdefault(there[name][1], {})[name] = there[name]
        for group, channels in groups.items():
            _, _, found = read(mdf, group, channels, given.file, only=1)
            names[group] = list(found)
            units.update(found)
            for name in given.names:
                if name in channels and name not in found and f"{name}[0]" not in found:
                    raise Refusal(f"{given.file}: channel {name} has no numbers")
        if not units:
            buses = " (frames of a bus: can_to_csv.py reads them)" if "CAN_DataFrame" in mdf.channels_db else ""
            raise Refusal(f"{given.file} has no channel with numbers over time{buses}; "
                          f"it has {listed(sorted(mdf.channels_db))}")
        table = Table(names, units)
        for group, channels in groups.items():
            stamps, columns, _ = read(mdf, group, channels, given.file)
            table.rows(group, stamps, columns)


run(convert, "an MDF measurement")
