# SPDX-License-Identifier: Apache-2.0
# BAGEL from Python: learns a machine's dynamics from its log and finds a controller for it. In: logs, tasks.
# Out: models, policies, figures. The command `bagel` computes; this package calls it and reads what it wrote.
"""Learns a machine's dynamics from its log and finds a controller for it.

    import bagel_control as bagel
    model = bagel.fit("log.csv", states=["angle"], actions=["valve"], time_step=0.05, held_out="test.csv")
    found = bagel.optimize(model, goal={"angle": 0.3}, limits={"valve": [-1, 1]})
    found.policy([0.1, 0.0])

`bagel_control.env` has environments of Gymnasium on a learnt model, `bagel_control.stable_baselines` the same for
Stable-Baselines3; import them by name, because they need these packages. `casadi_function` and
`ExportedModel` read what `bagel export --format onnx` wrote, and need `casadi` and `onnx` when they are called.
"""

from .controller import Controller
from .errors import BagelError, DataError, Interrupted, UsageError
from .exported import ExportedGraph, ExportedModel, casadi_function
from .fitting import fit
from .html import Picture
from .judging import evaluate
from .policies import Policy
from .results import Fit, HeldOut, Horizons
from .search_results import Evaluation, Optimization, Tracked
from .searching import optimize
from .tasks import Task

__version__ = "0.1.0"

__all__ = [
    "BagelError", "Controller", "DataError", "Evaluation", "ExportedGraph", "ExportedModel", "Fit", "HeldOut",
    "Horizons", "Interrupted", "Optimization", "Picture", "Policy", "Task", "Tracked", "UsageError",
    "casadi_function", "evaluate", "fit", "optimize",
]
