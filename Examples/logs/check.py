#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In:  nothing; small logs with known numbers are made in a temporary folder, by the libraries of each format.
# Out: one line per format. All cells, headers, units and refusals are compared; exit code 1 if one is wrong.
#   pip install rosbags asammdf scipy h5py pyarrow cantools python-can mcap; python3 check.py
import csv
import importlib.util
import io
import json
import math
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
EPOCH = 1_700_000_000_123_456_789  # ns; a float of such a stamp is wrong by 100 ns
compared = 0


def start(program, *arguments, **options):
    """Runs a converter: in a fork of this process, which has loaded the libraries; with options, as a process of its own."""
    command = [sys.executable, HERE / program, *map(str, arguments)]
    if options or not hasattr(os, "fork"):
        return subprocess.run(command, capture_output=True, text=True, **options)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        sys.stdout.flush()  # or the fork would say it again
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os._exit(converted(command[1:]))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        errors.seek(0)
        said = [io.TextIOWrapper(file).read() for file in (output, errors)]
    return subprocess.CompletedProcess(command, code, *said)


def converted(words):
    """The exit code of a converter that this process becomes."""
    sys.argv = [str(word) for word in words]
    sys.path.insert(0, str(HERE))
    code = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # as Python itself ends
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def same(what, is_there, expected):
    global compared
    compared += 1
    if is_there != expected:
        raise AssertionError(f"{what}: {is_there!r} is there, {expected!r} was expected")


def stamp(nanoseconds):
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


def gives(rows, program, *arguments, units=None, says=""):
    """The converter's table is these rows: dictionaries by column name, in their order. Text is compared as text."""
    result = start(program, *arguments)
    same(f"{program} {arguments}: exit code with {result.stderr!r}", result.returncode, 0)
    if says not in result.stderr or bool(says) != bool(result.stderr):
        raise AssertionError(f"{program} {arguments} says {result.stderr!r}, not {says!r}")
    lines = list(csv.reader(io.StringIO(result.stdout)))
    names = list(dict.fromkeys(name for row in rows for name in row))
    same(f"{program}: columns", sorted(lines[0]), sorted(names))
    same(f"{program}: first column", lines[0][0], "t")
    if units:
        same(f"{program}: units", dict(zip(lines[0], lines.pop(1))), {**dict.fromkeys(names, ""), "t": "s", **units})
    same(f"{program} {arguments}: rows", len(lines) - 1, len(rows))
    for i, (line, row) in enumerate(zip(lines[1:], rows)):
        same(f"{program}: cells of row {i}", len(line), len(names))
        for name, cell in zip(lines[0], line):
            expected = row.get(name)
            if expected is None or isinstance(expected, str):
                same(f"{program}: row {i}, {name}", cell, expected or "")
            else:
                same(f"{program}: row {i}, {name}", float(cell), float(expected))


def refuses(words, program, *arguments, **options):
    """The converter ends with exit code 1 and one line that has these words."""
    result = start(program, *arguments, **options)
    same(f"{program} {arguments}: exit code", result.returncode, 1)
    line = result.stderr
    if line.count("\n") != 1 or "Traceback" in line or any(word not in line for word in words):
        raise AssertionError(f"{program} {arguments} says {line!r}, which should be one line with {words}")
    same("words", True, True)


def without(module, folder):
    """An environment in which a library cannot be imported."""
    (folder / "without" / module).mkdir(parents=True, exist_ok=True)
    (folder / "without" / module / "__init__.py").write_text(f"raise ImportError('there is no {module}')")
    return {**os.environ, "PYTHONPATH": str(folder / "without")}


def refuses_usual(program, module, file, *before):
    """No file, an empty one, one of another format, one that is cut off, and no library (module; None where a format needs none)."""
    folder, suffix = file.parent, file.suffix
    refuses(["there is no", str(folder / f"none{suffix}")], program, *before, folder / f"none{suffix}")
    cut = file.read_bytes()[:file.stat().st_size * 2 // 3]
    for name, content in (("empty", b""), ("other", b"t,x\n0,1\n" * 100), ("cut", cut)):
        bad = folder / f"{name}{suffix}"
        bad.write_bytes(content)
        if name != "cut" or b"\0" in cut:  # a text has no end that is missing
            refuses([str(bad)], program, *before, bad)
        bad.unlink()
    if module:
        refuses(["pip install"], program, *before, file, env=without(module, folder))
    refuses(["arguments"], program, "--nonsense", file)
    same(f"{program} --help", start(program, "--help").stdout.startswith("usage:"), True)


def check_bags(folder):
    """ROS bags (rosbags)"""
    from rosbags.rosbag1 import Writer as Writer1
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore
    import numpy

    for storage in ("sqlite3", "mcap", "ros1"):
        store = get_typestore(Stores.ROS1_NOETIC if storage == "ros1" else Stores.ROS2_HUMBLE)
        path = folder / f"{storage}.bag" if storage == "ros1" else folder / storage
        pack = store.serialize_ros1 if storage == "ros1" else store.serialize_cdr
        kinds = store.types
        extra = {"seq": 0} if storage == "ros1" else {}
        bag = Writer1(path) if storage == "ros1" else Writer(
            path, version=9, storage_plugin=StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3)

        def joints(at, names, position):
            moment = kinds["builtin_interfaces/msg/Time"](sec=at // 10**9, nanosec=at % 10**9)
            header = kinds["std_msgs/msg/Header"](stamp=moment, frame_id="base", **extra)
            return kinds["sensor_msgs/msg/JointState"](
                header=header, name=names, position=numpy.array(position), velocity=numpy.array([]),
                effort=numpy.array([2.0 * x for x in position]))

        def command(values):
            layout = kinds["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
            return kinds["std_msgs/msg/Float64MultiArray"](layout=layout, data=numpy.array(values))

        rows, received = [], []
        with bag:
            topics = {"/cmd": "std_msgs/msg/Float64MultiArray", "/on": "std_msgs/msg/Bool",
                      "/words": "std_msgs/msg/String",
                      **dict.fromkeys(("/joint_states", "/unset", "/late"), "sensor_msgs/msg/JointState")}
            open_topics = {name: bag.add_connection(name, kind, typestore=store) for name, kind in topics.items()}

            def write(topic, at, message):
                bag.write(open_topics[topic], at, pack(message, topics[topic]))

            for i in range(90):
                at = EPOCH + i * 10_000_000
                angles = [math.sin(0.1 * i), math.nan if i == 7 else 0.1 + i]
                write("/joint_states", at + 300_000, joints(at, ["elbow", "wrist"], angles))
                cells = {"/joint_states/elbow/position": angles[0], "/joint_states/elbow/effort": 2 * angles[0],
                         "/joint_states/wrist/position": angles[1], "/joint_states/wrist/effort": 2 * angles[1]}
                cells = {name: None if value != value else value for name, value in cells.items()}
                rows.append({"t": stamp(at), **cells})
                received.append({**rows[-1], "t": stamp(at + 300_000)})
                if i % 5 == 0:  # the gripper's own node, in another order
                    write("/joint_states", at + 400_000, joints(at + 1, ["grip"], [float(i)]))
                    rows.append({"t": stamp(at + 1), "/joint_states/grip/position": i,
                                 "/joint_states/grip/effort": 2 * i})
                    received.append({**rows[-1], "t": stamp(at + 400_000)})
                if i % 3 == 0:
                    write("/cmd", at + 500_000, command([0.5 * i, -1e-300] + [9.0] * (i == 87)))
                    rows.append({"t": stamp(at + 500_000),
                                 "/cmd/data[0]": 0.5 * i, "/cmd/data[1]": -1e-300, "/cmd/layout/data_offset": 0})
                write("/on", at + 600_000, kinds["std_msgs/msg/Bool"](data=i > 30))
                write("/words", at + 700_000, kinds["std_msgs/msg/String"](data="hello"))
                write("/unset", at + 800_000, joints(0, ["a"], [1.0 * i]))
                write("/late", at + 900_000, joints(at - 5 * 10**9, ["a"], [1.0 * i]))
        gives(rows, "bag_to_csv.py", "/joint_states", "/cmd", path, says="/cmd: 1 arrays have more elements")
        gives(received, "bag_to_csv.py", "--receive-time", "/joint_states", path)
        gives([{"t": stamp(EPOCH + i * 10**7 + 600_000),
                "/on/data": i > 30} for i in range(90)], "bag_to_csv.py", "/on", path)
        gives([{"t": stamp(EPOCH + i * 10**7 + 800_000),
                "/unset/a/position": i, "/unset/a/effort": 2 * i} for i in range(90)],
              "bag_to_csv.py", "/unset", path, says="/unset: header.stamp is not set")
        refuses(["5.001 s away", "--receive-time"], "bag_to_csv.py", "/late", "/cmd", path)
        refuses(["no topic with messages /comd", "mean /cmd?", "/joint_states"], "bag_to_csv.py", "/comd", path)
        refuses(["/words has no numeric fields"], "bag_to_csv.py", "/words", path)
        if storage == "ros1":
            refuses_usual("bag_to_csv.py", "rosbags", path)
            continue
        file = next(x for x in path.iterdir() if x.suffix in (".mcap", ".db3"))
        elsewhere = folder / f"alone{file.suffix}"
        elsewhere.write_bytes(file.read_bytes())
        for other in (file, elsewhere):
            gives(rows, "bag_to_csv.py", "/joint_states", "/cmd", other, says="/cmd: 1 arrays")
        refuses_usual("bag_to_csv.py", "rosbags", elsewhere)
        refuses(["metadata.yaml"], "bag_to_csv.py", folder)


def check_mdf(folder):
    """MDF 4 (asammdf)"""
    from asammdf import MDF, Signal
    import numpy

    fast, slow = numpy.arange(3000) * 0.01, 0.005 + numpy.arange(100) * 0.1
    gear = {"val_0": 1, "text_0": b"low", "val_1": 2, "text_1": b"high", "default": b"none"}
    signals = [Signal(numpy.sin(fast), fast, name="angle", unit="rad"),
               Signal((numpy.arange(3000) % 7).astype("uint8"), fast, name="valve", unit="%"),
               Signal(numpy.arange(3000) * 0.5, fast, name="broken", unit="V",
                      invalidation_bits=numpy.arange(3000) % 10 == 3),
               Signal((numpy.arange(3000) % 2 + 1).astype("uint8"), fast, name="gear", conversion=gear)]
    others = [Signal(slow.astype("float32") * 2, slow, name="temperature", unit="°C"),
              Signal(numpy.arange(100), slow, name="angle", unit="deg"),
              Signal(numpy.array([b"a", b"bc"] * 50), slow, name="words", encoding="latin-1"),
              Signal(numpy.arange(300.0).view([("force", "<f8", (3,))]), slow, name="force"),
              Signal(slow.view([("stick", "<f8")]), slow, name="pose")]
    rows = [{"t": t, "angle@0": float(numpy.sin(t)), "valve": i % 7, "broken": None if i % 10 == 3 else 0.5 * i,
             "gear": i % 2 + 1} for i, t in enumerate(fast.tolist())]
    rows += [{"t": t, "temperature": float(numpy.float32(t) * numpy.float32(2)), "angle@1": i,
              "force[0]": 3 * i, "force[1]": 3 * i + 1, "force[2]": 3 * i + 2,
              "stick": t} for i, t in enumerate(slow.tolist())]
    units = {"angle@0": "rad", "valve": "%", "broken": "V", "temperature": "°C", "angle@1": "deg"}
    by_columns = [("4.20", 1)] if sys.version_info >= (3, 10) else []  # asammdf 8.1 cannot write it
    for version, compression in [("4.10", 0), ("4.10", 2)] + by_columns:
        path = folder / f"{version}-{compression}.mf4"
        with MDF(version=version) as mdf:
            mdf.append(signals)
            mdf.append(others)
            mdf.save(path, compression=compression, overwrite=True)
        gives(rows, "mdf_to_csv.py", path, units=units)
        two = [{key: row[key] for key in ("t", "valve", "temperature") if key in row} for row in rows]
        gives(two, "mdf_to_csv.py", "valve", "temperature", path, units={"valve": "%", "temperature": "°C"})
        gives([{"t": row["t"], "gear": row["gear"]} for row in rows[:3000]], "mdf_to_csv.py", "gear", path)
    refuses(["more than one channel angle", "angle@0 or angle@1"], "mdf_to_csv.py", "angle", path)
    refuses(["no channel over time valv ", "did you mean valve?", "temperature"], "mdf_to_csv.py", "valv", path)
    refuses(["words has no numbers"], "mdf_to_csv.py", "words", path)
    refuses_usual("mdf_to_csv.py", "asammdf", path)
    command = [sys.executable, HERE / "mdf_to_csv.py", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        same("a reader that goes away", child.stderr.read(), b"")


def check_mat(folder):
    """MATLAB v4 to v7.2 (scipy)"""
    import numpy
    import scipy.io

    t = numpy.arange(200) * 0.05
    angle, valve, q = numpy.sin(t), numpy.arange(200) % 3, numpy.arange(600.0).reshape(200, 3)
    rows = [{"t": x, "angle": angle[i], "valve": valve[i], "q[0]": 3 * i, "q[1]": 3 * i + 1, "q[2]": 3 * i + 2}
            for i, x in enumerate(t.tolist())]
    flat = {"t": t, "angle": angle[:, None], "valve": valve.astype(float), "q": q, "gain": 3.0, "name": "boom"}
    signals = numpy.zeros((1, 2), dtype=[("values", object), ("label", object)])
    signals[0, 0]["values"], signals[0, 0]["label"] = angle[:, None], "angle"
    signals[0, 1]["values"], signals[0, 1]["label"] = q[:, :1].reshape(1, 1, 200), "tip"
    nested = {"simout": {"time": t[:, None], "signals": {"values": q, "label": "", "dimensions": 3.0}},
              "scope": {"time": t[:, None] + 1, "signals": signals},
              "ts": {"Time": t[:50], "Data": valve[:50] + 0.5, "Name": "ts"}}
    for version, options in (("4", {"format": "4"}), ("5", {}), ("7", {"do_compression": True})):
        path = folder / f"flat{version}.mat"
        scipy.io.savemat(path, flat, **options)
        gives(rows, "mat_to_csv.py", path)
        gives([{"t": row["t"], "q[0]": row["q[0]"], "q[1]": row["q[1]"], "q[2]": row["q[2]"], "angle": row["angle"]}
               for row in rows], "mat_to_csv.py", "q", "--time", "t", "angle", path)
        gives([{"t": round(0.01 * i, 12), "angle": row["angle"]} for i, row in enumerate(rows)],
              "mat_to_csv.py", "--step", "0.01", "angle", path)
        refuses(["no numbers angel", "did you mean angle?", "valve"], "mat_to_csv.py", "angel", path)
        refuses(["gain is 1x1, its time t has 200 rows"], "mat_to_csv.py", "gain", path)
        refuses(["no numbers stamp"], "mat_to_csv.py", "--time", "stamp", "angle", path)
    path = folder / "nested.mat"
    scipy.io.savemat(path, nested)
    simout = [{"t": x, **{f"simout.signals.values[{k}]": q[i, k] for k in range(3)}}
              for i, x in enumerate(t.tolist())]
    scope = [{"t": x, "scope.angle": angle[i], "scope.tip": q[i, 0]} for i, x in enumerate((t + 1).tolist())]
    ts = [{"t": x, "ts.Data": valve[i] + 0.5} for i, x in enumerate(t[:50].tolist())]
    gives(simout + scope + ts, "mat_to_csv.py", path)
    gives(scope, "mat_to_csv.py", "scope.angle", "scope.tip", path)
    gives(ts, "mat_to_csv.py", "--time", "ts.Time", "ts.Data", path)
    refuses(["no numbers scope.angel", "scope.angle"], "mat_to_csv.py", "scope.angel", path)
    scipy.io.savemat(folder / "untimed.mat", {"angle": angle})
    refuses(["has no time", "--step", "angle (1x200)"], "mat_to_csv.py", folder / "untimed.mat")
    refuses_usual("mat_to_csv.py", "scipy", folder / "flat7.mat")


def check_mat73(folder):
    """MATLAB v7.3 (h5py)"""
    import h5py
    import numpy

    path = folder / "seven.mat"
    t, q = numpy.arange(150) * 0.02, numpy.arange(300.0).reshape(150, 2)
    with h5py.File(path, "w", userblock_size=512) as file:
        def put(name, array, kind=b"double", where=file):
            where.create_dataset(name, data=array).attrs["MATLAB_class"] = numpy.bytes_(kind)

        put("t", t[None, :])
        put("q", q.T)
        put("name", numpy.array([[98, 111]], "uint16"), b"char")
        log = file.create_group("log")
        log.attrs["MATLAB_class"] = numpy.bytes_(b"struct")
        put("time", t[None, :40] + 2, where=log)
        put("on", (numpy.arange(40) % 2).astype("uint8")[None, :], b"logical", log)
        hidden, scope = file.create_group("#refs#"), file.create_group("scope")
        put("time", t[None, :] + 3, where=scope)
        signals = scope.create_group("signals")
        for k, label in enumerate(("one", "two")):
            put(f"v{k}", q[None, :, k], where=hidden)
            put(f"l{k}", numpy.array([[ord(c)] for c in label], "uint16"), b"char", hidden)
        for field, short in (("values", "v"), ("label", "l")):
            references = numpy.array([[hidden[f"{short}{k}"].ref] for k in (0, 1)], h5py.ref_dtype)
            signals.create_dataset(field, data=references)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    rows = [{"t": x, "q[0]": 2 * i, "q[1]": 2 * i + 1} for i, x in enumerate(t.tolist())]
    log = [{"t": x, "log.on": i % 2} for i, x in enumerate((t[:40] + 2).tolist())]
    scope = [{"t": x, "scope.one": 2 * i, "scope.two": 2 * i + 1} for i, x in enumerate((t + 3).tolist())]
    gives(log + rows + scope, "mat_to_csv.py", path)
    gives(rows + scope, "mat_to_csv.py", "q", "scope.one", "scope.two", path)
    refuses(["no numbers p", "log.on"], "mat_to_csv.py", "p", path)
    refuses_usual("mat_to_csv.py", "h5py", path)


def check_parquet(folder):
    """Parquet (pyarrow)"""
    import pyarrow
    import pyarrow.parquet

    count, path = 25_000, folder / "log.parquet"
    stamps = [EPOCH + i * 1_000_003 for i in range(count)]
    text = [stamp(x) for x in stamps]
    pose = pyarrow.struct([("x", pyarrow.float64()), ("label", pyarrow.string())])
    angle = pyarrow.field("angle", pyarrow.float64(), metadata={"unit": "rad"})
    angles = [{4: None, 5: math.nan}.get(i % 9, math.sin(i)) for i in range(count)]
    columns = {"stamp": pyarrow.array(stamps, pyarrow.timestamp("ns", tz="UTC")),
               "ticks": pyarrow.array(stamps, pyarrow.int64()), "angle": pyarrow.array(angles),
               "on": pyarrow.array([i % 2 == 0 for i in range(count)]),
               "count": pyarrow.array([2**60 + i for i in range(count)]), "words": pyarrow.array(["a"] * count),
               "pose": pyarrow.array([{"x": 0.5 * i, "label": "b"} for i in range(count)], pose),
               "force": pyarrow.array([[i, -i] for i in range(count)], pyarrow.list_(pyarrow.float32(), 2)),
               "many": pyarrow.array([[1.0] * (i % 3) for i in range(count)])}
    schema = pyarrow.schema([angle if name == "angle" else pyarrow.field(name, values.type)
                             for name, values in columns.items()])
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=schema), path, row_group_size=7000)
    rows = [{"t": text[i], "ticks": str(stamps[i]), "angle": None if i % 9 in (4, 5) else math.sin(i),
             "on": str(int(i % 2 == 0)), "count": str(2**60 + i), "pose.x": 0.5 * i, "force[0]": i,
             "force[1]": -i} for i in range(count)]
    gives(rows, "parquet_to_csv.py", path, units={"angle": "rad"})
    gives([{"t": row["t"], "pose.x": row["pose.x"], "on": row["on"]} for row in rows],
          "parquet_to_csv.py", "--time", "ticks", "--time-unit", "ns", "pose.x", "on", path)
    refuses(["not in seconds", "--time-unit"], "parquet_to_csv.py", "--time", "ticks", "angle", path)
    refuses(["no column with numbers angel", "did you mean angle?"], "parquet_to_csv.py", "angel", path)
    refuses(["no column with numbers words"], "parquet_to_csv.py", "words", path)
    pyarrow.parquet.write_table(pyarrow.table({"a": [1.0], "b": [2.0]}), folder / "untimed.parquet")
    refuses(["--time NAME", "a, b"], "parquet_to_csv.py", folder / "untimed.parquet")
    refuses_usual("parquet_to_csv.py", "pyarrow", path)


DBC = """VERSION ""
NS_ :
BS_:
BU_: ECU
BO_ 256 Boom: 8 ECU
 SG_ Angle : 0|16@1- (0.001,0) [-30|30] "rad" ECU
 SG_ Gear : 16|8@1+ (1,0) [0|3] "" ECU
BO_ 257 Valve: 2 ECU
 SG_ Duty : 0|16@1+ (0.1,-100) [-100|100] "%" ECU
BO_ 258 Mixed: 3 ECU
 SG_ Which M : 0|8@1+ (1,0) [0|1] "" ECU
 SG_ Oil m0 : 8|16@1+ (0.5,0) [0|500] "bar" ECU
 SG_ Air m1 : 8|16@1+ (0.5,0) [0|500] "kPa" ECU
BO_ 2364540158 Engine: 8 ECU
 SG_ Speed : 24|16@1+ (0.125,0) [0|8031] "rpm" ECU
VAL_ 256 Gear 0 "low" 1 "high" ;
"""


def check_can(folder):
    """CAN with a DBC (cantools, python-can)"""
    import can

    dbc = folder / "machine.dbc"
    dbc.write_text(DBC)
    frames, boom, valve, mixed, engine = [], [], [], [], []
    for i in range(200):
        at = 1_700_000_000.25 + 0.015625 * i  # times that every format can hold
        frames.append((at, 256, False, (i - 100).to_bytes(2, "little", signed=True) + bytes([i % 2]) + bytes(5)))
        boom.append({"t": at, "Boom.Angle": 0.001 * (i - 100), "Boom.Gear": i % 2})
        if i % 4 == 0:
            frames.append((at + 0.001953125, 257, False, (10 * i).to_bytes(2, "little")))
            valve.append({"t": at + 0.001953125, "Valve.Duty": 0.1 * (10 * i) - 100})
            frames.append((at + 0.00390625, 258, False, bytes([i // 4 % 2]) + i.to_bytes(2, "little")))
            value = {"Mixed.Air" if i // 4 % 2 else "Mixed.Oil": 0.5 * i}
            mixed.append({"t": at + 0.00390625, "Mixed.Which": i // 4 % 2, **value})
            frames.append((at + 0.005859375, 0x0CF00417, True, bytes(3) + (8 * i).to_bytes(2, "little") + bytes(3)))
            engine.append({"t": at + 0.005859375, "Engine.Speed": i})
        if i % 50 == 0:
            frames.append((at + 0.0078125, 1023, False, b"\1"))
            frames.append((at + 0.009765625, 257, False, b"\1"))
    units = {"Boom.Angle": "rad", "Valve.Duty": "%", "Mixed.Oil": "bar", "Mixed.Air": "kPa"}
    for suffix in (".log", ".blf", ".asc", ".trc"):
        path = folder / f"trace{suffix}"
        with can.Logger(path) as logger:
            for at, which, extended, data in frames:
                logger(can.Message(timestamp=at, arbitration_id=which, is_extended_id=extended, data=data, channel=1,
                                   is_rx=True))
        first = json.loads(start("can_to_csv.py", dbc, "Boom", path).stdout.splitlines()[2].split(",")[0])
        moved = first - boom[0]["t"] if suffix in (".asc", ".trc") else 0.0  # these count from another moment
        digits = {".log": 6, ".asc": 6, ".trc": 3, ".blf": 9}[suffix]

        def expected(rows):
            return [{**row, "t": row["t"] + moved} for row in rows]

        def close(rows, *arguments, **options):
            """As `gives`, with stamps that are equal to the digits that the format has."""
            result = start("can_to_csv.py", *arguments)
            lines = list(csv.DictReader(io.StringIO(result.stdout)))[1:]
            for line, row in zip(lines, rows):
                if abs(float(line["t"]) - row["t"]) > 0.6 * 10.0**-digits:
                    raise AssertionError(f"{path}: the stamp {line['t']} is there, {row['t']} was expected")
            gives([{**row, "t": line["t"]} for line, row in zip(lines, rows)], "can_to_csv.py", *arguments, **options)
            same(f"{path}: rows", len(lines), len(rows))

        note = "of 358 frames 54 are not in"
        every = sorted(boom + valve + mixed, key=lambda row: row["t"])
        close(expected(every), dbc, path, units=units, says=note)
        close(expected(sorted(boom + valve, key=lambda row: row["t"])), dbc, "Valve", "Boom.Angle", "Boom.Gear", path,
              units={"Boom.Angle": "rad", "Valve.Duty": "%"}, says="4 do not fit it (Valve)")
        close(expected(engine), "--j1939", dbc, "Engine", path, units={"Engine.Speed": "rpm"}, says="4 are not in")
        refuses(["no message or signal Boom.Angel", "mean Boom.Angle?"], "can_to_csv.py", dbc, "Boom.Angel", path)
        refuses(["none of 50 frames", "0xCF00417", "Boom"], "can_to_csv.py", dbc, "--source", "23", path)
        if suffix in (".blf", ".log"):
            refuses_usual("can_to_csv.py", "cantools", path, dbc)
    (folder / "bad.dbc").write_text(DBC.replace("|16@1", "|16@", 1))
    for bad in (folder / "bad.dbc", HERE / "tables.py"):
        refuses([str(bad), "database of CAN messages"], "can_to_csv.py", bad, path)
    refuses(["no DBC file"], "can_to_csv.py", folder / "none.dbc", path)


def check_mcap(folder):
    """CSV to MCAP (mcap)"""
    from mcap.reader import make_reader

    out, header = folder / "out.mcap", "t,angle,valve,word\n"
    rows = [(f"{0.05 * i:.2f}", math.sin(i), "" if i % 3 else i, "on" if i % 2 else "7") for i in range(50)]
    for name in ("episode-000", "episode-001"):
        (folder / f"{name}.csv").write_text(header + "".join(f"{t},{a!r},{v},{w}\n" for t, a, v, w in rows))
    files = [folder / "episode-000.csv", folder / "episode-001.csv"]
    renamed = ("--topic", "/a", "--topic", "/b", "--start", "1700000000.5")
    for options, topics, first in (((), ["/episode-000", "/episode-001"], 0),
                                   (renamed, ["/a", "/b"], 1_700_000_000_500_000_000)):
        same("csv_to_mcap.py", start("csv_to_mcap.py", *options, out, *files).returncode, 0)
        with open(out, "rb") as stream:
            read = [(schema, channel.topic, message.log_time, json.loads(message.data))
                    for schema, channel, message in make_reader(stream).iter_messages(log_time_order=False)]
        same("messages", len(read), 100)
        for i, (schema, topic, at, message) in enumerate(read):
            t, angle, valve, word = rows[i % 50]
            same("topic", topic, topics[i // 50])
            same("log time", at, first + 50_000_000 * (i % 50))
            some = {} if valve == "" else {"valve": valve}
            same("message", message, {"t": float(t), "angle": angle, "word": word, **some})
            kinds = {name: kind["type"] for name, kind in json.loads(schema.data)["properties"].items()}
            same("schema", kinds, {"t": "number", "angle": "number", "valve": "number", "word": "string"})
    bad = folder / "bad.csv"
    for content, words in (("x,y\n1,2\n", "no column t; it has x, y"), ("t,x\n0,1\n0.1\n", "line 3"),
                           ("t,x\n1,1\n0,1\n", "line 3: t is 0"), ("t,x\n1,1\nend,1\n", "t is 'end'"),
                           ("t,x\n", "no rows")):
        bad.write_text(content)
        refuses([str(bad), words], "csv_to_mcap.py", out, bad)
    same("nothing unfinished is left", list(folder.glob("*.part")), [])
    refuses(["does not end with .mcap"], "csv_to_mcap.py", bad, bad)
    refuses(["--topic"], "csv_to_mcap.py", "--topic", "/a", out, *files)
    refuses(["there is no file"], "csv_to_mcap.py", out, folder / "none.csv")
    same("a file that is there stays", make_reader(open(out, "rb")).get_summary().statistics.message_count, 100)
    refuses(["pip install mcap"], "csv_to_mcap.py", out, *files, env=without("mcap", folder))


CHECKS = [(check_bags, ["rosbags"]), (check_mdf, ["asammdf"]), (check_mat, ["scipy"]), (check_mat73, ["h5py"]),
          (check_parquet, ["pyarrow"]), (check_can, ["cantools", "can"]), (check_mcap, ["mcap"])]
failed = 0
for check, modules in CHECKS:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped  {check.__doc__}: no library {', '.join(missing)} here")
        continue
    compared, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            check(pathlib.Path(folder))
            print(f"ok       {check.__doc__}: {compared} comparisons, {time.monotonic() - began:.1f} s")
        except ImportError as problem:
            print(f"skipped  {check.__doc__}: its library is too old to write such a file ({problem})")
        except AssertionError as problem:
            failed = 1
            print(f"WRONG    {check.__doc__}: {problem}")
sys.exit(failed)
