#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  a ROS 2 bag (its folder, or one .mcap or .db3 file), or a ROS 1 .bag. No ROS is needed: pip install rosbags
# Out: CSV on standard output. A topic is a group; each numeric field of its messages is a column.
#   logs: [{file: run.mcap, process: [python3, bag_to_csv.py, /joint_states, /cmd]}]
import itertools
import operator
import pathlib
import sys

from tables import Arguments, Refusal, Table, choose, existing, library, listed, run, seconds

ABOUT = """A ROS bag (mcap, sqlite3, or ROS 1) as CSV.

Columns are named as PlotJuggler shows them:
  /imu/angular_velocity/z            a field
  /cmd/data[0]                       an element of an array, up to --longest elements
  /joint_states/elbow_joint/position a joint of sensor_msgs/JointState
Text, arrays of messages and longer arrays are left out. Message types come from the bag, or from those that rosbags
knows. Stamps are header.stamp where a message has one that is set, else the time at which the bag received it."""

LOOK = 20  # messages of a topic that say how long its arrays are
LOOK_JOINTS = 1000  # messages that say which joints there are: several nodes may share /joint_states
MCAP = b"\x89MCAP0\r\n"  # the first and the last bytes of a file
TEXT = {"string", "wstring", "wchar", "float128"}


def types_of(store):
    """Message types by name."""
    return store.fielddefs if hasattr(store, "fielddefs") else store.FIELDDEFS  # rosbags before 0.10


def fields(store, kind, path=""):
    """The numeric fields of a message type: the path of each, and whether it is an array."""
    for name, (node, what) in types_of(store)[kind][1]:
        if node.name == "NAME" and what != "std_msgs/msg/Header":
            yield from fields(store, what, f"{path}{name}.")
        elif node.name == "BASE" and what[0] not in TEXT:
            yield path + name, False
        elif node.name in ("ARRAY", "SEQUENCE") and what[0][0].name == "BASE" and what[0][1][0] not in TEXT:
            yield path + name, True


class Topic:
    """The columns of a topic, and the numbers of its messages."""

    def __init__(self, reader, name, connections, longest, by_receive_time):
        store, kind = reader.typestore, connections[0].msgtype
        self.name, self.strange, self.left = name, 0, sum(connection.msgcount for connection in connections)
        definition = dict(types_of(store)[kind][1])
        self.stamped = not by_receive_time and definition.get("header", (0, 0))[1] == "std_msgs/msg/Header"
        named = kind == "sensor_msgs/msg/JointState"
        look = itertools.islice(reader.messages(connections), LOOK_JOINTS if named else LOOK)
        first = [(time, reader.deserialize(data, kind)) for _, time, data in look]
        if not first:
            raise Refusal(f"the bag counts {self.left} messages of {name}, and has none of them")
        if self.stamped and not any(stamp_of(message) for _, message in first):
            self.stamped = False
            print(f"{name}: header.stamp is not set; the bag's receive time is taken", file=sys.stderr)
        self.ahead = first[0][0] - stamp_of(first[0][1]) if self.stamped else 0
        self.joints = dict.fromkeys(joint for _, message in first for joint in message.name) if named else {}
        self.columns, self.fields = [], []
        for path, is_array in fields(store, kind):
            get = operator.attrgetter(path)
            size = max(len(get(message)) for _, message in first) if is_array else None
            column = f"{name}/{path.replace('.', '/')}"
            if self.joints and size:
                size = len(self.joints)
                self.columns += [f"{name}/{joint}/{path}" for joint in self.joints]
            elif size is None:
                self.columns.append(column)
            elif 0 < size <= longest:
                self.columns += [f"{column}[{i}]" for i in range(size)]
            else:
                continue
            self.fields.append((get, size))

    def values(self, message):
        """The cells of a message, in the order of the columns."""
        cells = []
        for get, size in self.fields:
            value = get(message)
            if size is None:
                cells.append(value)
                continue
            value = list(value) if isinstance(value, (list, tuple)) else value.tolist()
            if self.joints:
                known = dict(zip(message.name, value))
                self.strange += len(known) < len(value) or not known.keys() <= self.joints.keys()
                value = [known.get(joint) for joint in self.joints]
            self.strange += len(value) > size
            cells += value[:size] + [None] * (size - len(value))
        return cells


def stamp_of(message):
    """header.stamp in nanoseconds; 0 if it is not set."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def bag_of(path):
    """The folder of a bag, also where the path is its only file; else the file. Unfinished files are refused."""
    path = pathlib.Path(existing(path, "bag"))
    if path.is_dir() and not (path / "metadata.yaml").exists():
        names = listed(sorted(other.name for other in path.iterdir()), 8)
        raise Refusal(f"{path} has no metadata.yaml, so it is no bag's folder; it has {names}")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    for file in files:
        if file.name.endswith(".db3-wal") or (path == file and pathlib.Path(f"{file}-wal").exists()):
            raise Refusal(f"{file}: the recorder did not close this bag, and rows stand in the -wal file beside it; "
                          "sqlite3 FILE.db3 'pragma wal_checkpoint(truncate)' moves them into it")
        if file.suffix == ".mcap":
            with file.open("rb") as bytes_of:
                start = bytes_of.read(8)
                bytes_of.seek(-8, 2)
                if start == MCAP and bytes_of.read() != MCAP:
                    raise Refusal(f"{file} is cut off, or the recorder did not close it: it does not end as an MCAP "
                                  "file does; mcap recover writes what can be read to a new file")
    others = [other for other in path.parent.iterdir() if other.name != "metadata.yaml"]
    whole = path.is_file() and path.suffix != ".bag" and others == [path] and (path.parent / "metadata.yaml").exists()
    return path.parent if whole else path


def convert():
    arguments = Arguments(ABOUT, "topic", "topics, in the order of the columns; none: all with numeric fields")
    arguments.add_argument("--receive-time", action="store_true", help="the bag's receive time, never header.stamp")
    arguments.add_argument("--longest", type=int, default=64, metavar="N", help="leave longer arrays out (64)")
    given = arguments.read()
    highlevel, typesys = library("rosbags.highlevel", "rosbags"), library("rosbags.typesys", "rosbags")
    known = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)  # for bags that do not store their types: up to Humble
    with highlevel.AnyReader([bag_of(given.file)], default_typestore=known) as reader:
        there = {}
        for connection in reader.connections:
            if connection.msgcount:
                there.setdefault(connection.topic, []).append(connection)
        topics = {}
        for name in choose(given.names, there, "topic with messages", given.file):
            kinds = sorted({connection.msgtype for connection in there[name]})
            if len(kinds) == 1 and kinds[0] in types_of(reader.typestore):
                topic = Topic(reader, name, there[name], given.longest, given.receive_time)
                if topic.columns:
                    topics[name] = topic
            if given.names and name not in topics:
                raise Refusal(f"{given.file}: topic {name} has no numeric fields that can be read; its type is "
                              f"{' and '.join(kinds)}, which must be one type, stored in the bag or known to rosbags")
        if not topics:
            raise Refusal(f"{given.file} has no topic with numeric fields; it has {listed(there)}")
        apart = max(topics.values(), key=lambda topic: abs(topic.ahead))
        if abs(apart.ahead) > 1e9 and not all(topic.stamped for topic in topics.values()):
            other = next(topic.name for topic in topics.values() if not topic.stamped)
            raise Refusal(f"{given.file}: header.stamp of {apart.name} is {abs(apart.ahead) / 1e9:.3f} s away from "
                          f"its receive time, and {other} has receive times alone; use --receive-time, or name one")
        table = Table({name: topic.columns for name, topic in topics.items()})
        for connection, time, data in reader.messages([c for name in topics for c in there[name]]):
            topic, message = topics[connection.topic], reader.deserialize(data, connection.msgtype)
            table.row(topic.name, seconds(stamp_of(message) if topic.stamped else time), topic.values(message))
            topic.left -= 1
        for topic in topics.values():
            if topic.left:
                raise Refusal(f"{given.file}: the bag counts {topic.left} more messages of {topic.name} than it has")
            if topic.strange:
                print(f"{topic.name}: {topic.strange} arrays have more elements, or other joints, than its first "
                      "messages; these elements are left out", file=sys.stderr)


run(convert, "a ROS bag")
