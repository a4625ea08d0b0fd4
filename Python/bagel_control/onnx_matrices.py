# SPDX-License-Identifier: Apache-2.0
# An ONNX graph in CasADi's words, for one row (N = 1). In: a graph of `bagel export`, a CasADi matrix for each of
# its inputs. Out: a CasADi matrix for each output that is asked for; CasADi differentiates them exactly.
#
# CasADi has matrices only. A value [..., r, c] is the matrix r x c: the axes before have one element, as they do for
# one row. Elementwise operators broadcast over rows and columns as NumPy does.

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import casadi
import numpy as np
import onnx

SMALLEST = 1e-300
"""What a square root is taken of where its operand is less: its derivative is then 0, as BAGEL has it, and not
infinite. (A distance is a root of squares, and 0 where a state stands in the log.)"""


@dataclass(frozen=True)
class Value:
    """Its shape in the graph, and the matrix of its last two axes: DM if it depends on no input, else MX."""

    shape: Tuple[int, ...]
    matrix: Any

    def reshaped(self, shape: Sequence[int]) -> "Value":
        """The same numbers, row by row, in another shape."""
        rows, columns = _extent(shape)
        matrix = self.matrix
        if matrix.shape != (rows, columns):
            source = matrix if 1 in matrix.shape else matrix.T
            if 1 in (rows, columns):
                matrix = casadi.reshape(source, rows, columns)
            else:
                matrix = casadi.reshape(source, columns, rows).T
        return Value(tuple(shape), matrix)

    def integers(self) -> List[int]:
        """Axes, bounds and shapes are constants of the graph."""
        if not isinstance(self.matrix, casadi.DM):
            raise ValueError("an axis or a bound depends on an input")
        return [int(x) for x in np.asarray(self.matrix).ravel()]


class _Node:
    """An operator with its operands. What it cannot be is a ValueError, to which the graph adds where."""

    def __init__(self, node: onnx.NodeProto, operands: Sequence[Value]) -> None:
        self.operands = operands
        self.attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}

    def integers(self, place: int, name: str) -> List[int]:
        """Of an operand, or in graphs before operator set 13 of an attribute; empty if there is neither."""
        if len(self.operands) > place:
            return self.operands[place].integers()
        return list(self.attributes.get(name, []))


def matrices(graph: onnx.GraphProto, inputs: Mapping[str, Any], outputs: Sequence[str]) -> Dict[str, Any]:
    """Output name -> matrix.

    Args:
        inputs: a row [1, length] for each input; missing ones are those that the outputs do not need.
        outputs: only what they depend on is built.

    Raises:
        ValueError: an operator that is not known, or a shape that is no matrix. The text says which.
    """
    needed, wanted = [], set(outputs)
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            needed.append(node)
            wanted.update(node.input)
    unknown = sorted({node.op_type for node in needed} - OPERATORS.keys() - {"Constant"})
    if unknown:
        raise ValueError(f"the graph uses {', '.join(unknown)}, which is not among the operators that are known here")
    values: Dict[str, Value] = {}
    for name, matrix in inputs.items():
        values[name] = Value(matrix.shape, matrix)
    for tensor in graph.initializer:
        if tensor.name in wanted:
            values[tensor.name] = _constant(tensor)
    for node in reversed(needed):
        try:
            values[node.output[0]] = _computed(node, values)
        except (ValueError, KeyError, IndexError) as error:
            raise ValueError(f"node '{node.name or node.output[0]}' ({node.op_type}): {error}") from error
    return {name: values[name].matrix for name in outputs}


def _computed(node: onnx.NodeProto, values: Mapping[str, Value]) -> Value:
    if node.op_type == "Constant":
        return _constant(onnx.helper.get_attribute_value(node.attribute[0]))
    return OPERATORS[node.op_type](_Node(node, [values[name] for name in node.input if name]))


def _constant(tensor: Any) -> Value:
    array = np.asarray(onnx.numpy_helper.to_array(tensor), dtype=np.float64)
    rows, columns = _extent(array.shape)
    return Value(array.shape, casadi.DM(array.reshape(rows, columns)))


def _extent(shape: Sequence[int]) -> Tuple[int, int]:
    """Rows and columns of a value."""
    if prod(shape[:-2]) != 1:
        raise ValueError(f"the shape {list(shape)} has more than two axes that are longer than 1")
    padded = (1, 1, *shape)
    return padded[-2], padded[-1]


# Elementwise


def _spread(matrix: Any, rows: int, columns: int) -> Any:
    """A row, a column or a number as often as it takes. Products with ones, because rows of `repmat` are slow to
    differentiate."""
    if matrix.shape == (1, 1) and not isinstance(matrix, casadi.DM):
        return matrix if (rows, columns) == (1, 1) else casadi.repmat(matrix, rows, columns)
    if matrix.shape[0] < rows:
        matrix = casadi.mtimes(casadi.DM.ones(rows, 1), matrix)
    if matrix.shape[1] < columns:
        matrix = casadi.mtimes(matrix, casadi.DM.ones(1, columns))
    return matrix


def _elementwise(function: Callable[..., Any]) -> Callable[[_Node], Value]:
    def compute(node: _Node) -> Value:
        shape = np.broadcast_shapes(*(value.shape for value in node.operands))
        extent = _extent(shape)
        # CasADi broadcasts single numbers by itself.
        parts = [
            value.matrix if value.matrix.shape == (1, 1) else _spread(value.matrix, *extent)
            for value in node.operands
        ]
        result = function(*parts)
        return Value(tuple(shape), result if result.shape == extent else _spread(result, *extent))

    return compute


def _in_turn(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Of any number of operands."""

    def compute(first: Any, *others: Any) -> Any:
        for other in others:
            first = function(first, other)
        return first

    return compute


def _sqrt(x: Any) -> Any:
    return casadi.sqrt(casadi.fmax(x, SMALLEST))


# Shapes


def _axis(axis: int, shape: Sequence[int]) -> int:
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"axis {axis} of the shape {list(shape)}")
    return axis % len(shape)


def _reshape(node: _Node) -> Value:
    value, wanted = node.operands[0], node.operands[1].integers()
    shape = [value.shape[i] if extent == 0 else extent for i, extent in enumerate(wanted)]
    if -1 in shape:
        shape[shape.index(-1)] = prod(value.shape) // prod(extent for extent in shape if extent != -1)
    if prod(shape) != prod(value.shape):
        raise ValueError(f"the shape {list(value.shape)} cannot become {wanted}")
    return value.reshaped(shape)


def _squeeze(node: _Node) -> Value:
    value = node.operands[0]
    given = node.integers(1, "axes")
    axes = {_axis(axis, value.shape) for axis in given} or {i for i, extent in enumerate(value.shape) if extent == 1}
    return value.reshaped([extent for i, extent in enumerate(value.shape) if i not in axes])


def _unsqueeze(node: _Node) -> Value:
    value, shape = node.operands[0], list(node.operands[0].shape)
    given = node.integers(1, "axes")
    axes = sorted(_axis(axis, [1] * (len(shape) + len(given))) for axis in given)
    for axis in axes:
        shape.insert(axis, 1)
    return value.reshaped(shape)


def _transpose(node: _Node) -> Value:
    value = node.operands[0]
    order = node.attributes.get("perm", list(range(len(value.shape)))[::-1])
    shape = [value.shape[i] for i in order]
    long = [i for i in order if value.shape[i] > 1]
    if long == sorted(long):
        return value.reshaped(shape)
    return Value(tuple(value.matrix.T.shape), value.matrix.T).reshaped(shape)


def _slice(node: _Node) -> Value:
    value, starts, ends = node.operands[0], node.integers(1, "starts"), node.integers(2, "ends")
    axes = node.integers(3, "axes") or list(range(len(starts)))
    steps = node.operands[4].integers() if len(node.operands) > 4 else [1] * len(starts)
    places = [slice(None)] * len(value.shape)
    for axis, start, end, step in zip(axes, starts, ends, steps):
        places[_axis(axis, value.shape)] = slice(start, end, step)
    shape = tuple(len(range(extent)[place]) for extent, place in zip(value.shape, places))
    rows, columns = ([slice(None)] * 2 + places)[-2:]
    if prod(shape) == 0:
        raise ValueError(f"nothing is left of the shape {list(value.shape)}")
    return Value(shape, value.matrix[_range(rows, value.matrix.shape[0]), _range(columns, value.matrix.shape[1])])


def _range(place: slice, extent: int) -> Any:
    """CasADi's slices end where the matrix ends."""
    found = range(extent)[place]
    return slice(found.start, found.stop, found.step) if found.step > 0 else list(found)


def _concat(node: _Node) -> Value:
    values = node.operands
    shape = list(values[0].shape)
    axis = _axis(node.attributes["axis"], shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    if len(values) == 1:
        return values[0]
    parts = [value.matrix for value in values]
    if axis == len(shape) - 1:
        return Value(tuple(shape), casadi.horzcat(*parts))
    if axis == len(shape) - 2:
        return Value(tuple(shape), casadi.vertcat(*parts))
    raise ValueError(f"axis {axis} of the shape {list(values[0].shape)}")


def _expand(node: _Node) -> Value:
    value = node.operands[0]
    shape = np.broadcast_shapes(value.shape, tuple(node.operands[1].integers()))
    return Value(tuple(shape), _spread(value.matrix, *_extent(shape)))


# Sums and products


def _sum(node: _Node) -> Value:
    value = node.operands[0]
    rank = len(value.shape)
    axes = {_axis(axis, value.shape) for axis in node.integers(1, "axes")} or set(range(rank))
    matrix = value.matrix
    if rank - 1 in axes:
        matrix = casadi.sum2(matrix)
    if rank - 2 in axes:
        matrix = casadi.sum1(matrix)
    kept = tuple(1 if i in axes else extent for i, extent in enumerate(value.shape))
    result = Value(kept, matrix)
    if node.attributes.get("keepdims", 1):
        return result
    return result.reshaped([extent for i, extent in enumerate(value.shape) if i not in axes])


def _matmul(node: _Node) -> Value:
    a, b = node.operands
    left, right = (1,) * (len(a.shape) == 1) + a.shape, b.shape + (1,) * (len(b.shape) == 1)
    shape = np.broadcast_shapes(left[:-2], right[:-2]) + (left[-2], right[-1])
    result = Value(tuple(shape), casadi.mtimes(a.reshaped(left).matrix, b.reshaped(right).matrix))
    kept = list(shape[:-2]) + [left[-2]] * (len(a.shape) > 1) + [right[-1]] * (len(b.shape) > 1)
    return result.reshaped(kept)


def _gemm(node: _Node) -> Value:
    """alpha A B + beta C"""
    say = node.attributes
    a, b = node.operands[0].matrix, node.operands[1].matrix
    product = casadi.mtimes(a.T if say.get("transA", 0) else a, b.T if say.get("transB", 0) else b)
    product = product if say.get("alpha", 1.0) == 1 else say["alpha"] * product
    if len(node.operands) > 2:
        bias = node.operands[2].matrix
        bias = bias if say.get("beta", 1.0) == 1 else say["beta"] * bias
        product = product + _spread(bias, *product.shape)
    return Value(tuple(product.shape), product)


OPERATORS: Dict[str, Callable[[_Node], Value]] = {
    **{
        name: _elementwise(function)
        for name, function in {
            "Identity": lambda x: x,
            "Neg": lambda x: -x,
            "Abs": casadi.fabs,
            "Exp": casadi.exp,
            "Log": casadi.log,
            "Sqrt": _sqrt,
            "Reciprocal": lambda x: 1 / x,
            "Sin": casadi.sin,
            "Cos": casadi.cos,
            "Tanh": casadi.tanh,
            "Sigmoid": lambda x: 1 / (1 + casadi.exp(-x)),
            "Relu": lambda x: casadi.fmax(x, 0),
            "Sign": casadi.sign,
            "Add": lambda a, b: a + b,
            "Sub": lambda a, b: a - b,
            "Mul": lambda a, b: a * b,
            "Div": lambda a, b: a / b,
            "Pow": casadi.power,
            "Min": _in_turn(casadi.fmin),
            "Max": _in_turn(casadi.fmax),
            "GreaterOrEqual": lambda a, b: a >= b,
            "Greater": lambda a, b: a > b,
            "LessOrEqual": lambda a, b: a <= b,
            "Less": lambda a, b: a < b,
            "Where": casadi.if_else,
        }.items()
    },
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Slice": _slice,
    "Concat": _concat,
    "Expand": _expand,
    "ReduceSum": _sum,
    "MatMul": _matmul,
    "Gemm": _gemm,
}
"""By the word of ONNX."""
