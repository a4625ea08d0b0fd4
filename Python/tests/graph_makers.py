# SPDX-License-Identifier: Apache-2.0
# ONNX graphs made by hand, in the words that `bagel export` uses, for tests of what reads them.

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    onnx = None

CONTROLLER = {"format": "bagel-controller-1"}
"""What such a graph says of itself."""


class Graph:
    """An ONNX graph under construction, in the words that `bagel export` uses."""

    def __init__(self) -> None:
        self.nodes: List[Any] = []
        self.tensors: List[Any] = []

    def constant(self, values: Any) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = name or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def write(self, path: Path, inputs: Dict[str, int], outputs: Dict[str, int], facts: Dict[str, str]) -> Path:
        def listed(lengths: Dict[str, int]) -> List[Any]:
            return [helper.make_tensor_value_info(one, TensorProto.DOUBLE, ["N", n]) for one, n in lengths.items()]

        graph = helper.make_graph(self.nodes, "test", listed(inputs), listed(outputs), self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        helper.set_model_props(model, facts)
        onnx.save(model, path)
        return path


FACTS = {
    "format": "bagel-model-1",
    "state_names": '["angle", "rate", "angle, 1 row ago"]',
    "state_units": '["rad", "rad/s", "rad"]',
    "action_names": '["valve"]',
    "action_units": '[""]',
    "time_step_seconds": "0.05",
    "start_weights": "[[1, 0], [0, 1], [1, 0]]",
    "start_offsets": "[0, 0, 0.5]",
}


def posterior(path: Path, rows: int, seed: int = 1, facts: Optional[Dict[str, str]] = None) -> Path:
    """A model of the state [angle, rate, angle a row ago] and a valve: mean and deviation of Gaussian processes over
    `rows` rows, Matern 5/2, as sums over the data. The change of the angle is that of the first, ..."""
    draws = np.random.default_rng(seed)
    graph, inputs = Graph(), 4
    data = draws.normal(size=(rows, inputs))
    data[0] = 0
    one, last = graph.constant(np.array([1])), graph.constant(np.array([2]))
    point = graph.node("Unsqueeze", graph.node("Concat", "state", "action", axis=-1), one)
    means, deviations = [], []
    for _ in range(2):
        scale = 1 / draws.uniform(1, 2, size=(1, 1, inputs))
        difference = graph.node("Sub", point, graph.constant(data[np.newaxis]))
        scaled = graph.node("Mul", difference, graph.constant(scale))
        square = graph.node(
            "ReduceSum", graph.node("Mul", scaled, scaled), graph.constant(np.array([-1])), keepdims=1
        )
        r = graph.node("Sqrt", graph.node("Mul", square, graph.constant(np.array([[[5.0]]]))))
        inner = graph.node(
            "Add",
            graph.node("Add", graph.constant(np.array([[[1.0]]])), r),
            graph.node("Div", graph.node("Mul", r, r), graph.constant(np.array([[[3.0]]]))),
        )
        k = graph.node("Squeeze", graph.node("Mul", inner, graph.node("Exp", graph.node("Neg", r))), last)
        covariance = _matern(data * scale[0]) + 1e-2 * np.eye(rows)
        root = np.linalg.inv(np.linalg.cholesky(covariance))
        weights = np.linalg.solve(covariance, 0.1 * draws.normal(size=rows))
        means.append(graph.node("MatMul", k, graph.constant(weights[:, np.newaxis])))
        z = graph.node("MatMul", k, graph.constant(root.T))
        explained = graph.node("ReduceSum", graph.node("Mul", z, z), one, keepdims=1)
        variance = graph.node("Sub", graph.constant(np.array([[1.0]])), explained)
        deviations.append(graph.node("Sqrt", variance))
    zero, two = graph.constant(np.array([0])), graph.constant(np.array([2]))
    present = graph.node("Slice", "state", zero, two, one)
    after = graph.node("Add", present, graph.node("Concat", *means, axis=1))
    before = graph.node("Slice", "state", zero, one, one)
    graph.node("Concat", after, before, axis=-1, name="next_state")
    graph.node("Concat", *deviations, axis=1, name="deviation")
    return graph.write(path, {"state": 3, "action": 1}, {"next_state": 3, "deviation": 2}, {**FACTS, **(facts or {})})


def _matern(z: np.ndarray) -> np.ndarray:
    r = np.sqrt(5 * ((z[:, np.newaxis] - z) ** 2).sum(axis=-1))
    return (1 + r + r * r / 3) * np.exp(-r)
