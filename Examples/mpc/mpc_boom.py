#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A model-predictive controller on BAGEL's learnt model, beside BAGEL's own policy on the same machines.

    pip install "../../Python[casadi,gym]"
    bagel learn boom-goals
    bagel export boom-goals --model --format onnx
    python3 mpc_boom.py boom-goals-out/model.onnx boom-goals-out

in:   the exported model, and the folder of the task: its model as machines (`bagel simulate`), its policy
out:  a table: error at rest, rise time, overshoot, milliseconds of computing a command

Every time step the controller solves

    minimise    sum over k = 1 ... H of 10 (angle_k - goal)^2 + 0.1 rate_k^2, and of r (u_k - u_k-1)^2
    subject to  x_k = mean(x_k-1, u_k-1) + e,   -1 <= u_k <= 1,   |rate_k| <= limit - M sd, with --limit and --margin

where e is what the model was wrong by of late, and sd the model's deviation at the usual step of a plan. It begins with
the plan of the step before, one step on, and takes a few iterations from there, with --limit as many as it wants. A
machine is one of those that the log allows, drawn for each seed; both controllers get the same, from the same start.
"""

import argparse
import time

import casadi
import numpy as np

import bagel_control as bagel
from bagel_control.env import ModelEnv


class PredictiveController:
    """Commands [A] for measured states [S], by a plan of H steps."""

    def __init__(self, model, weights, lower, upper, given):
        self.model, self.given, horizon = model, given, given.horizon
        self.step = model.function(outputs=["next_state"])
        self.deviation = model.function("deviation", ["deviation"]).map(horizon)
        self.present = len(model.states)
        count = model.inputs["state"]
        x, u = casadi.MX.sym("x", count, horizon + 1), casadi.MX.sym("u", len(model.actions), horizon)
        begin, goal, last = (
            casadi.MX.sym(name, n)
            for name, n in (("begin", count), ("goal", self.present), ("last", len(model.actions)))
        )
        error = casadi.MX.sym("error", count)
        one, do = casadi.MX.sym("one", count), casadi.MX.sym("do", len(model.actions))
        self.rollout = casadi.Function("rollout", [one, do, error], [self.step(one, do) + error]).mapaccum(horizon)
        after = self.step.map(horizon)(x[:, :-1], u) + casadi.repmat(error, 1, horizon)
        away = x[: self.present, 1:] - casadi.repmat(goal, 1, horizon)
        change = u - casadi.horzcat(last, u[:, :-1])
        cost = casadi.sum2(casadi.mtimes(casadi.DM(weights).T, away**2)) + given.change * casadi.sumsqr(change)
        # Limits give way rather than leave no plan, at a price.
        over = casadi.MX.sym("over")
        self.limits = [i for i, name in enumerate(model.states) if name in given.limit]
        kept = [casadi.vec(sign * x[i, 1:] - over) for i in self.limits for sign in (-1, 1)]
        self.room = np.repeat([given.limit[model.states[i]] for i in self.limits], 2 * horizon)
        variables = casadi.vertcat(casadi.vec(x), casadi.vec(u), over)
        parameters = casadi.vertcat(begin, goal, last, error)
        gaps = casadi.vertcat(x[:, 0] - begin, casadi.vec(after - x[:, 1:]))
        problem = {
            "x": variables,
            "p": parameters,
            "f": cost + 1e3 * over + 1e3 * over**2,
            "g": casadi.vertcat(gaps, *kept),
        }
        self.solver = (interior_point if self.limits else real_time)(problem, given.iterations)
        self.gaps, self.unfinished = gaps.numel(), 0
        free = np.full(count * (horizon + 1), np.inf)
        self.lower, self.upper = (
            np.concatenate([sign * free, np.tile(bounds, horizon), [most]])
            for sign, bounds, most in ((-1, lower, 0.0), (1, upper, np.inf))
        )
        self.reset(np.zeros(len(lower)))

    def reset(self, rest):
        self.last, self.state, self.plan = rest, None, None
        self.error = np.zeros(self.model.inputs["state"])

    def act(self, measured, goal):
        """Once every time step."""
        count, horizon = self.model.inputs["state"], self.given.horizon
        if self.state is None:
            self.state = self.model.start(measured)
        else:
            # What is measured takes the place of what was predicted; earlier rows follow by themselves.
            predicted = np.asarray(self.step(self.state, self.last)).ravel()
            wrong = np.zeros(count)
            wrong[: self.present] = measured - predicted[: self.present]
            self.error += self.given.forget * (wrong - self.error)
            self.state = predicted
            self.state[: self.present] = measured
        begins = self.plan is None
        u = np.tile(self.last, (horizon, 1)) if begins else np.concatenate([self.plan[1][1:], self.plan[1][-1:]])
        # States from what is measured. Rejected: those of the plan before, which may be far off after a few iterations.
        x = np.asarray(self.rollout(self.state, u.T, np.tile(self.error, (horizon, 1)).T)).T
        self.plan = np.vstack([self.state, x]), u
        # Before the first command there is time.
        for _ in range(20 if begins else 1):
            if self.improve(goal):
                break
        else:
            self.unfinished += 1
        bounds = (edge[-1 - horizon * len(self.last) :][: len(self.last)] for edge in (self.lower, self.upper))
        self.last = np.clip(self.plan[1][0], *bounds)
        return self.last

    def improve(self, goal):
        """A few iterations from the plan that is there; returns whether it is the best one."""
        x, u = self.plan
        room = self.room
        if self.given.margin and self.limits:
            # Of the usual step of the plan. Rejected: of each step; it changes with the command, and no plan settles.
            usual = np.median(np.asarray(self.deviation(x[:-1].T, u.T)), axis=1)[self.limits]
            room = room - self.given.margin * np.repeat(usual, 2 * self.given.horizon)
        found = self.solver(
            x0=np.concatenate([x.ravel(), u.ravel(), [0.0]]),
            lbx=self.lower,
            ubx=self.upper,
            p=np.concatenate([self.state, goal, self.last, self.error]),
            lbg=np.concatenate([np.zeros(self.gaps), np.full(len(self.room), -np.inf)]),
            ubg=np.concatenate([np.zeros(self.gaps), room]),
        )
        best = np.asarray(found["x"]).ravel()
        self.plan = best[: x.size].reshape(x.shape), best[x.size : -1].reshape(u.shape)
        return self.solver.stats()["success"]


def real_time(problem, iterations):
    """Few iterations of sequential quadratic programming: quick, and enough where commands alone have limits."""
    quiet = {"print_iter": False, "print_header": False, "print_info": False, "error_on_fail": False}
    silent = {f"print_{what}": False for what in ("time", "header", "iteration", "status")}
    options = {"max_iter": iterations, "tol_pr": 1e-6, "tol_du": 1e-4, "error_on_fail": False, **silent}
    return casadi.nlpsol(
        "plan",
        "sqpmethod",
        problem,
        {"qpsol": "qrqp", "qpsol_options": quiet, "hess_lag": gauss_newton(problem), **options},
    )


def interior_point(problem, iterations):
    """IPOPT with exact second derivatives, to the end: for limits of states, where few iterations lose their way."""
    options = {"print_level": 0, "sb": "yes", "max_iter": 20 * iterations, "tol": 1e-4, "mu_init": 1e-3}
    return casadi.nlpsol("plan", "ipopt", problem, {"print_time": False, "ipopt": options})


def gauss_newton(problem):
    """The cost's second derivatives for those of the Lagrangian: a sum of squares, and half of the time is saved."""
    x, p = problem["x"], problem["p"]
    price, prices = casadi.MX.sym("price"), casadi.MX.sym("prices", problem["g"].numel())
    curvature = price * casadi.hessian(problem["f"], x)[0]
    return casadi.Function(
        "hess_lag", [x, p, price, prices], [curvature], ["x", "p", "lam_f", "lam_g"], ["hess_gamma_x_x"]
    )


def episode(machine, act, seed, start, goal, steps):
    """Measured states [steps + 1, S], commands [steps, A] and seconds of computing a command [steps] of a run."""
    machine.reset(seed=seed, options={"state": start})
    states, commands, seconds = [machine.machines.states[0]], [], []
    for _ in range(steps):
        begin = time.process_time()
        command = act(states[-1], goal)
        seconds.append(time.process_time() - begin)
        machine.step(command)
        commands.append(command)
        states.append(machine.machines.states[0])
    return np.array(states), np.array(commands), np.array(seconds)


def figures(run, start, goal, time_step):
    """Error at rest (degrees), rise time to 90 % (s), overshoot (degrees), largest |rate|, milliseconds a command."""
    states, _, seconds = run
    way = (states[:, 0] - start[0]) / (goal[0] - start[0])
    rest = states[-round(2 / time_step) :, 0] - goal[0]
    risen = np.flatnonzero(way >= 0.9)
    return [
        np.degrees(np.abs(rest).mean()),
        risen[0] * time_step if len(risen) else np.nan,
        np.degrees(abs(goal[0] - start[0])) * max(0, way.max() - 1),
        np.abs(states[:, 1]).max(),
        1e3 * np.median(seconds[1:]),
        1e3 * seconds[1:].max(),
    ]


def named_number(text):
    name, _, value = text.rpartition("=")
    return name, float(value)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", help="what bagel export --model --format onnx wrote")
    options.add_argument("folder", help="the task's folder, with model.safetensors and policy.safetensors")
    options.add_argument("--seeds", type=int, default=8)
    options.add_argument("--seconds", type=float, default=6.0, help="of an episode")
    options.add_argument("--start", type=float, default=-20.0, help="angle, degrees")
    options.add_argument("--goal", type=float, default=20.0, help="angle, degrees")
    options.add_argument("--horizon", type=int, default=20, help="steps of a plan")
    options.add_argument(
        "--iterations", type=int, default=3, help="at most, for a command; with --limit 20 times as many"
    )
    options.add_argument("--change", type=float, default=0.1, metavar="R", help="cost of a command's change")
    options.add_argument(
        "--forget", type=float, default=0.1, help="gain of the estimate of the model's error; 0: none"
    )
    options.add_argument(
        "--limit", nargs="+", default=[], type=named_number, metavar="STATE=SIZE", help="such as rate=0.35"
    )
    options.add_argument("--margin", type=float, default=0.0, metavar="M", help="deviations by which limits are kept")
    given = options.parse_args()
    given.limit = dict(given.limit)
    model = bagel.ExportedModel.load(given.model)
    unknown = [name for name in given.limit if name not in model.states]
    if unknown:
        options.error(f"--limit: no state {', '.join(unknown)}; there are {', '.join(model.states)}")
    policy = bagel.Policy.load(f"{given.folder}/policy.safetensors")
    start, goal = np.radians([given.start, 0]), np.radians([given.goal, 0])
    planner = PredictiveController(model, [10, 0.1], policy.lower, policy.upper, given)
    learnt = policy.controller()
    machine = ModelEnv(
        given.folder,
        reward=lambda states, actions, after: np.zeros(len(states)),
        horizon=10**6,
        doubt="function",
        action_limits=dict(zip(policy.actions, zip(policy.lower, policy.upper))),
        seed=0,
    )
    steps = round(given.seconds / model.time_step)
    rows = {"policy of BAGEL": [], "model-predictive": []}
    for seed in range(given.seeds):
        for name, act, reset in (
            ("policy of BAGEL", learnt.act, learnt.reset),
            ("model-predictive", planner.act, lambda: planner.reset(policy.rest)),
        ):
            reset()
            run = episode(machine, act, seed, start, goal, steps)
            rows[name].append(figures(run, start, goal, model.time_step))
    machine.close()
    heads = ("error at rest, deg", "rise time, s", "overshoot, deg", "largest rate, rad/s", "ms a command")
    way = f"{given.start:g} to {given.goal:g} degrees, {given.seconds:g} s"
    print(f"{given.seeds} machines of the model, {way}; medians (worst)")
    print(" " * 18 + "".join(f"{head:>21}" for head in heads))
    for name, found in rows.items():
        middle, worst = np.median(found, axis=0), np.max(found, axis=0)
        cells = [f"{middle[k]:.3g} ({worst[k]:.3g})" for k in range(4)] + [f"{middle[4]:.3g} ({worst[5]:.3g})"]
        print(f"{name:18}" + "".join(f"{cell:>21}" for cell in cells))
    if planner.unfinished:
        plans = f"{planner.unfinished} of {given.seeds * steps} plans"
        print(f"{plans} ended before their tolerance, at the largest number of iterations")


if __name__ == "__main__":
    main()
