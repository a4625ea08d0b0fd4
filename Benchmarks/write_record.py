#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A record as JSON on standard input -> the same, sorted, without what names this machine's folders.

usage: write_record.py FILE"""
import json, sys

record = json.load(sys.stdin)
doctor = record["doctor"]
doctor["compilerVersion"] = doctor["compilerVersion"].split(" (")[0]
record["doctor"] = {k: v for k, v in doctor.items() if k not in ("cache", "cacheNotes", "compiler", "gnuplot")}
with open(sys.argv[1], "w") as file:
    json.dump(record, file, indent=1, sort_keys=True)
print("wrote", sys.argv[1])
