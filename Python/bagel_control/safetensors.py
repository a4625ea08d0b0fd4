# SPDX-License-Identifier: Apache-2.0
# Reads BAGEL's files of numbers (.safetensors). In: a path. Out: arrays by name, and the words of the header.
# The format: 8 bytes (header length, little-endian), the header as JSON, the data. Nothing is believed before
# it is checked.

from __future__ import annotations

import json
import math
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union

import numpy as np

from .errors import DataError

_TYPES: Dict[str, np.dtype] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4")}
_LARGEST_HEADER = 10_000_000
_CHECKSUM = re.compile(rb'"crc32":"([0-9a-f]{8})"')
"""In a header: of header and data, while its own eight digits are zeros."""


@dataclass(frozen=True)
class TensorFile:
    """A file's arrays (float64, read only) and the metadata of its header."""

    path: str
    tensors: Mapping[str, np.ndarray]
    metadata: Mapping[str, str]

    def structure(self, wanted: str) -> Dict[str, Any]:
        """The words of a file of BAGEL's own.

        Args:
            wanted: the format's name and version.

        Raises:
            DataError: the file is of another kind or version.
        """
        found = self.metadata.get("format")
        if found != wanted:
            problem = f"has the format {found}, but this package reads {wanted}"
            raise _damaged(self.path, problem if found else f"names no format; {wanted} is wanted")
        try:
            structure = json.loads(self.metadata["structure"])
        except (KeyError, ValueError):
            structure = None
        if not isinstance(structure, dict):
            raise _damaged(self.path, "is damaged: its header does not describe its structure")
        return structure


def read(path: Union[str, Path], names: Optional[Sequence[str]] = None) -> TensorFile:
    """Reads a file of float64 and float32 numbers.

    Args:
        path: of the file.
        names: arrays that are wanted; None for all.

    Raises:
        DataError: it is missing, damaged or of another kind, or lacks one of the names.
    """
    return _read(str(path), names)


def read_words(path: Union[str, Path]) -> TensorFile:
    """The same without its arrays, however large they are. Raises: DataError."""
    return _read(str(path), ())


def _read(path: str, names: Optional[Sequence[str]]) -> TensorFile:
    try:
        with open(path, "rb") as file:
            start, size = file.read(8), os.fstat(file.fileno()).st_size
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(size - 8, _LARGEST_HEADER):
                raise _damaged(path, "is not a safetensors file, or it is cut off")
            text = file.read(length)
            stated = _CHECKSUM.search(text)
            total = zlib.crc32(_CHECKSUM.sub(b'"crc32":"00000000"', text, count=1))
            data = b"" if names == () else file.read()
            total = zlib.crc32(data, total)
            while names == () and (block := file.read(1 << 20)):
                total = zlib.crc32(block, total)
    except OSError as error:
        raise _damaged(path, f"cannot be read: {error.strerror}") from error
    try:
        header = json.loads(text.decode("utf-8"))
        metadata = header.pop("__metadata__", {})
        if metadata.pop("crc32", None) is not None and (stated is None or stated.group(1).decode() != f"{total:08x}"):
            raise _damaged(path, "was changed after it was written, or is damaged: its checksum does not match")
        tensors = {
            name: _tensor(header[name], memoryview(data)) for name in (header if names is None else names)}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, f"is damaged: {error}") from error
    return TensorFile(path, tensors, metadata)


def _tensor(entry: Mapping[str, Any], data: memoryview) -> np.ndarray:
    dtype: np.dtype = _TYPES[entry["dtype"]]
    start, end = entry["data_offsets"]
    shape = [int(dimension) for dimension in entry["shape"]]
    count = math.prod(shape)
    if min(shape, default=1) < 0 or not 0 <= start <= end <= len(data):
        raise ValueError("a tensor lies outside the file")
    if end - start != count * dtype.itemsize:
        raise ValueError(f"a tensor of {count} numbers has {end - start} bytes")
    array = np.frombuffer(data[start:end], dtype=dtype).reshape(shape).astype(np.float64)
    array.flags.writeable = False
    return array


def _damaged(path: str, problem: str) -> DataError:
    return DataError(f"{path}: {problem}", file=path, problem=problem)
