# SPDX-License-Identifier: Apache-2.0
# Exported graphs in CasADi beside ONNX Runtime: values to 1e-12, Jacobians beside central differences and beside the
# graph's own; generated C, as acados takes it; a step of do-mpc where it is there.

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from graph_makers import CONTROLLER, Graph, posterior
from log_makers import CommandTest, command, spring_log, write_csv
from reference import write_policy
from test_policies import MACHINES, Machine
from test_results import spring_task

import bagel_control as bagel
from bagel_control import DataError, ExportedGraph, ExportedModel, UsageError, casadi_function

try:
    import casadi
    import onnx  # noqa: F401 (graph_makers has it too; without it all tests here are skipped)
except ImportError as error:
    casadi = None
    print(f"test_casadi.py is skipped: casadi or onnx is not there ({error})", file=sys.stderr)
try:
    import onnxruntime
except ImportError:
    onnxruntime = None

TOLERANCE = 1e-12
"""Sums of some hundred terms in another order, relative to the largest number of an output."""


def results(function: Any, values: Sequence[np.ndarray]) -> List[np.ndarray]:
    """Outputs of a CasADi function as vectors."""
    found = function(*values)
    return [np.asarray(one).ravel() for one in (found if isinstance(found, tuple) else (found,))]


@unittest.skipIf(casadi is None, "casadi or onnx is not there")
class GraphTest(unittest.TestCase):
    """Compares functions of CasADi with ONNX Runtime and with themselves."""

    def scratch(self) -> Path:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name).resolve()

    def runs(self, path: Path, outputs: Sequence[str], rows: Dict[str, np.ndarray]) -> List[np.ndarray]:
        """ONNX Runtime's outputs [N, length]."""
        if onnxruntime is None:
            self.skipTest("onnxruntime is not there")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        found: List[np.ndarray] = session.run(list(outputs), rows)
        return found

    def agrees(self, path: Path, *, about: Optional[Dict[str, np.ndarray]] = None, count: int = 20) -> ExportedGraph:
        """Values beside ONNX Runtime's at `count` points, the Jacobian at one beside central differences."""
        exported = ExportedGraph.load(path)
        function, draws = exported.function(), np.random.default_rng(8)
        self.assertEqual(function.name_in(), list(exported.inputs))
        self.assertEqual(function.name_out(), list(exported.outputs))
        rows = {
            name: (about or {}).get(name, 0.0) + draws.normal(size=(count, length))
            for name, length in exported.inputs.items()
        }
        wanted = self.runs(path, list(exported.outputs), rows)
        for k in range(count):
            found = called(function, [values[k] for values in rows.values()])
            for one, other in zip(found, wanted):
                size = max(1.0, float(np.abs(other).max()))
                np.testing.assert_allclose(one, other[k], rtol=0, atol=TOLERANCE * size)
        self.differentiates(function, np.concatenate([values[0] for values in rows.values()]))
        return exported

    def differentiates(self, function: Any, at: np.ndarray) -> np.ndarray:
        """The Jacobian [outputs, inputs], all of them one after another."""
        together = joined(function)
        jacobian = np.asarray(together.jacobian()(at, 0))
        step = 1e-5 * np.eye(len(at))
        wanted = np.array(
            [(called(together, [at + one])[0] - called(together, [at - one])[0]) / 2e-5 for one in step]
        ).T
        np.testing.assert_allclose(jacobian, wanted, rtol=0, atol=1e-6 * max(1.0, float(np.abs(wanted).max())))
        return jacobian


class ModelTest(GraphTest):
    def setUp(self) -> None:
        self.path = posterior(self.scratch() / "model.onnx", 120)

    def test_values_and_slopes(self) -> None:
        exported = self.agrees(self.path)
        self.assertIsInstance(exported, ExportedModel)
        self.assertIn("state [3], action [1] -> next_state [3], deviation [2]", repr(exported))

    def test_a_state_of_the_log(self) -> None:
        """The distance is 0 there, and its root has no slope."""
        jacobian = self.differentiates(casadi_function(self.path), np.zeros(4))
        self.assertTrue(np.isfinite(jacobian).all())

    def test_facts_and_start(self) -> None:
        model = ExportedModel.load(self.path)
        self.assertEqual((model.states, model.actions, model.disturbances), (("angle", "rate"), ("valve",), ()))
        self.assertEqual(model.state_names[2], "angle, 1 row ago")
        self.assertEqual((model.units["rate"], model.time_step), ("rad/s", 0.05))
        np.testing.assert_array_equal(model.start({"rate": 2, "angle": 1}), [1, 2, 1.5])
        for state in ([1], {"angle": 1}, [1, 2, 3]):
            with self.assertRaisesRegex(UsageError, "angle, rate"):
                model.start(state)

    def test_some_outputs(self) -> None:
        model = ExportedModel.load(self.path)
        mean = model.function("mean", outputs=["next_state"])
        self.assertEqual((mean.name(), mean.n_out()), ("mean", 1))
        # Nothing of the deviation is built.
        self.assertLess(mean.n_instructions(), model.function().n_instructions())
        for outputs in ([], ["jacobian"]):
            with self.assertRaisesRegex(UsageError, "next_state, deviation"):
                model.function(outputs=outputs)

    @unittest.skipUnless(shutil.which("cc"), "no C compiler")
    def test_generated_c(self) -> None:
        """What acados compiles."""
        function, folder = casadi_function(self.path), self.scratch()
        generator = casadi.CodeGenerator("model.c")
        generator.add(function)
        generator.add(joined(function).jacobian())
        generator.generate(f"{folder}/")
        subprocess.run(["cc", "-O1", "-fPIC", "-shared", "model.c", "-o", "model.so"], cwd=folder, check=True)
        point = [np.array([0.2, -0.3, 0.1]), np.array([0.4])]
        compiled = casadi.external(function.name(), f"{folder}/model.so")
        for one, other in zip(called(compiled, point), called(function, point)):
            np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE)
        slopes = joined(function).jacobian()
        compiled = casadi.external(slopes.name(), f"{folder}/model.so")
        at = np.concatenate(point)
        np.testing.assert_allclose(np.asarray(compiled(at, 0)), np.asarray(slopes(at, 0)), rtol=0, atol=TOLERANCE)

    @unittest.skipUnless(importlib.util.find_spec("do_mpc"), "do-mpc is not there")
    def test_do_mpc(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import do_mpc
        step = ExportedModel.load(self.path).function(outputs=["next_state"])
        model = do_mpc.model.Model("discrete", "MX")
        state = model.set_variable("_x", "state", shape=(3, 1))
        action = model.set_variable("_u", "action", shape=(1, 1))
        model.set_rhs("state", step(state, action))
        model.setup()
        simulator = do_mpc.simulator.Simulator(model)
        simulator.set_param(t_step=0.05)
        simulator.setup()
        simulator.x0 = np.array([0.1, 0.2, 0.0])
        found = simulator.make_step(np.array([[0.3]]))
        wanted = called(step, [np.array([0.1, 0.2, 0.0]), np.array([0.3])])[0]
        np.testing.assert_allclose(found.ravel(), wanted, rtol=0, atol=TOLERANCE)

    def test_what_cannot_be_read(self) -> None:
        folder = self.path.parent
        other = folder / "other.onnx"
        graph = Graph()
        graph.node("Softmax", graph.node("LRN", "state"), name="action")
        graph.write(other, {"state": 2}, {"action": 2}, CONTROLLER)
        with self.assertRaisesRegex(DataError, "uses LRN, Softmax"):
            casadi_function(other)
        with self.assertRaisesRegex(DataError, "is a controller"):
            ExportedModel.load(other)
        graph = Graph()
        graph.node("Add", "state", graph.constant(np.zeros((2, 3, 4))), name="action")
        graph.write(other, {"state": 4}, {"action": 4}, CONTROLLER)
        with self.assertRaisesRegex(DataError, "more than two axes"):
            casadi_function(other)
        graph.write(other, {"state": 4}, {"action": 4}, {"format": "bagel-controller-9"})
        with self.assertRaisesRegex(DataError, "bagel-controller-9"):
            casadi_function(other)
        graph.write(other, {"state": 4}, {"action": 4}, CONTROLLER)
        with self.assertRaisesRegex(DataError, "time step"):
            _ = ExportedGraph.load(other).time_step
        for facts, words in (
            ({"format": "bagel-model-9"}, "bagel-model-9"),
            ({"start_offsets": "[0]"}, "start_offsets"),
            ({"state_names": "angle"}, "damaged"),
            ({"state_names": '["angle"]'}, "state_names has the length 1, not 3"),
            ({"action_names": '["a", "b"]'}, "action has the length 1"),
        ):
            with self.assertRaisesRegex(DataError, words) as caught:
                ExportedModel.load(posterior(other, 5, facts=facts))
            self.assertEqual(caught.exception.file, str(other))
        other.write_bytes(b"no graph at all")
        with self.assertRaises(DataError):
            ExportedGraph.load(other)
        with self.assertRaisesRegex(DataError, "No such file"):
            ExportedGraph.load(folder / "none.onnx")


class OperatorsTest(GraphTest):
    def test_every_shape(self) -> None:
        """Values of three axes, reshaped, joined and multiplied, beside ONNX Runtime."""
        graph = Graph()
        draws = np.random.default_rng(4)
        whole = {n: graph.constant(np.array([n])) for n in (-1, 0, 1, 2, 3)}
        # [N, 6] as a matrix a row of the batch, times a vector, and the vector times it.
        matrix = graph.node("Reshape", "state", graph.constant(np.array([0, 2, 3])))
        two, three = (graph.node("Slice", "state", whole[0], whole[n], whole[1]) for n in (2, 3))
        right = graph.node(
            "Squeeze", graph.node("MatMul", matrix, graph.node("Unsqueeze", three, whole[2])), whole[2]
        )
        left = graph.node("Squeeze", graph.node("MatMul", graph.node("Unsqueeze", two, whole[1]), matrix), whole[1])
        back = graph.node("Reshape", matrix, graph.constant(np.array([0, -1])))
        turned = graph.node("Transpose", matrix, perm=[0, 2, 1])
        flat = graph.node("Reshape", turned, graph.constant(np.array([0, 6])))
        # Rows of data [1, 4, 3] beside the batch [N, 1, 3].
        rows = graph.node(
            "Mul", graph.node("Unsqueeze", three, whole[1]), graph.constant(draws.normal(size=(1, 4, 3)))
        )
        sums = graph.node("Squeeze", graph.node("ReduceSum", rows, whole[-1], keepdims=1), whole[2])
        others = graph.node("ReduceSum", rows, whole[1], keepdims=0)
        slopes = graph.node("MatMul", graph.constant(draws.normal(size=(2, 4))), rows)
        both = graph.node("Reshape", graph.node("Concat", slopes, matrix, axis=1), graph.constant(np.array([0, 12])))
        gemm = graph.node(
            "Gemm", back, graph.constant(draws.normal(size=(2, 6))), graph.constant(draws.normal(size=2)), transB=1
        )
        graph.node("Concat", right, left, back, flat, sums, others, both, gemm, axis=-1, name="action")
        self.agrees(graph.write(self.scratch() / "g.onnx", {"state": 6}, {"action": 38}, CONTROLLER))

    def test_elementwise(self) -> None:
        graph = Graph()
        positive = graph.node("Exp", "state")
        small = graph.node("Tanh", "state")
        half, row = graph.constant(np.array([[0.5]])), graph.constant(np.array([[-0.3, 0.2, 0.9]]))
        parts = [
            graph.node(kind, "state")
            for kind in ("Neg", "Abs", "Sin", "Cos", "Tanh", "Sigmoid", "Identity", "Relu", "Sign")
        ]
        parts += [graph.node(kind, positive) for kind in ("Log", "Sqrt", "Reciprocal")]
        parts += [graph.node(kind, small, row) for kind in ("Add", "Sub", "Mul", "Div", "Min", "Max")]
        parts.append(graph.node("Pow", positive, half))
        last = graph.node("ReduceSum", "state", graph.constant(np.array([1])), keepdims=1)
        for test in ("GreaterOrEqual", "Greater", "LessOrEqual", "Less"):
            parts.append(graph.node("Where", graph.node(test, small, row), last, positive))
        # Roots and quotients of the part that is not taken are no numbers.
        is_positive = graph.node("Greater", small, graph.constant(np.array([[0.0]])))
        parts.append(graph.node("Where", is_positive, graph.node("Log", small), small))
        graph.node("Concat", *parts, axis=1, name="action")
        self.agrees(graph.write(self.scratch() / "g.onnx", {"state": 3}, {"action": 3 * len(parts)}, CONTROLLER))


@unittest.skipIf(casadi is None, "casadi or onnx is not there")
class ControllerTest(GraphTest, CommandTest):
    def test_every_form(self) -> None:
        for name, words in MACHINES.items():
            with self.subTest(name):
                machine = Machine(**words)
                write_policy(self.folder / "policy.safetensors", machine.words, machine.tensors)
                (self.folder / "task.json").write_text(json.dumps(machine.task))
                path = self.folder / "controller.onnx"
                ended = subprocess.run(
                    [
                        command(),
                        "export",
                        "task.json",
                        "--format=onnx",
                        "--policy=policy.safetensors",
                        f"--file={path}",
                        "--output=out",
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if ended.returncode != 0:
                    # An angle's shorter way is an arc tangent of two numbers.
                    self.assertIn("angle", name)
                    self.assertIn("ONNX cannot express", ended.stderr)
                    continue
                exported = self.agrees(path)
                self.assertIn("state", exported.inputs)
                self.assertEqual((exported.outputs["action"], exported.time_step), (2, 0.05))


@unittest.skipIf(casadi is None, "casadi or onnx is not there")
class ExportedModelTest(GraphTest, CommandTest):
    def test_the_commands_model(self) -> None:
        """Values, and slopes beside the graph's own."""
        if "--model" not in subprocess.run([command(), "export", "--help"], capture_output=True, text=True).stdout:
            self.skipTest("this command has no export --model")
        write_csv(self.folder / "log.csv", spring_log(1, 120))
        write_csv(self.folder / "other.csv", spring_log(2, 150))
        disturbed = spring_task(states=[{"name": "position"}], disturbances={"velocity": "varying"})
        for task, rows, mean in ((spring_task(), 0, "linear"), (spring_task(), 2, "zero"), (disturbed, 1, "linear")):
            with self.subTest(f"{rows} earlier rows, mean {mean}"):
                task["model"] = {**task["model"], "stateHistory": rows, "actionHistory": rows, "mean": mean}
                self.compared(self.exported(bagel.Task(task, folder=self.folder)))

    def exported(self, task: bagel.Task) -> Path:
        bagel.fit(task, output=self.folder / "out", progress=False)
        task.save(self.folder / "task.json")
        path = self.folder / "model.onnx"
        ended = subprocess.run(
            [command(), "export", "task.json", "--model", "--format=onnx", f"--file={path}", "--output=out"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return path

    def compared(self, path: Path) -> None:
        model = self.agrees(path)
        assert isinstance(model, ExportedModel)
        self.assertEqual(model.states + model.disturbances, ("position", "velocity"))
        values = {"state": model.start(np.full(len(model.states), 0.2)), "action": np.array([0.3])}
        if model.disturbances:
            values["disturbance"] = np.array([0.1])
        own = self.runs(path, ["jacobian"], {name: one[np.newaxis] for name, one in values.items()})[0]
        slopes = self.differentiates(model.function(outputs=["next_state"]), np.concatenate(list(values.values())))
        wanted = own.reshape(len(model.states), -1)
        np.testing.assert_allclose(slopes[: len(wanted)], wanted, atol=1e-9 * np.abs(own).max())


def called(function: Any, point: Sequence[np.ndarray]) -> List[np.ndarray]:
    """Outputs as vectors."""
    found = function(*point)
    return [np.asarray(one).ravel() for one in (found if isinstance(found, tuple) else (found,))]


def joined(function: Any) -> Any:
    """The same function of one vector, with one vector of results."""
    ends = np.cumsum([0] + [function.size1_in(i) for i in range(function.n_in())])
    z = casadi.MX.sym("z", int(ends[-1]))
    results = function(*casadi.vertsplit(z, ends.tolist()))
    return casadi.Function("joined", [z], [casadi.vertcat(*results) if isinstance(results, tuple) else results])


if __name__ == "__main__":
    unittest.main()
