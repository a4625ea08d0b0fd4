# SPDX-License-Identifier: Apache-2.0
# From a log to a controller and its episodes: what `fit`, `optimize` and `evaluate` return, and what a
# notebook shows of it.

from __future__ import annotations

import json
import os
import sys
import types
import unittest
from dataclasses import FrozenInstanceError
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

import numpy as np
from log_makers import CommandTest, spring_log, write_csv

import bagel_control as bagel
from bagel_control.html import pictures

SEARCH = {"optimise": {"particles": 20, "horizon": 40, "starts": 1, "iterations": 30}}


def spring_task(**more: Any) -> Dict[str, Any]:
    """The spring with a model that is said, so that nothing is chosen."""
    return {
        "name": "spring", "timeStep": 0.05, "states": [{"name": "position"}, {"name": "velocity"}],
        "actions": [{"name": "force", "limits": np.array([-1, 1])}], "logs": ["log.csv"],
        "heldOut": ["other.csv"],
        "model": {"mean": "linear", "covariance": "squared-exponential", "stateHistory": 0, "noise": "latent",
                  "sampler": "tabulated"},
        "goal": {"position": 0.4}, "start": "logged", "reward": {"saturating": {"weights": {"position": 10}}},
        **SEARCH, **more}


class Tags(HTMLParser):
    """Whether every tag is closed, and the pictures' sources."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: List[str] = []
        self.sources: List[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        if tag == "img":
            self.sources.append(dict(attributes)["src"])
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


class ResultsTest(CommandTest):
    def setUp(self) -> None:
        super().setUp()
        write_csv(self.folder / "log.csv", spring_log(1, 120))
        write_csv(self.folder / "other.csv", spring_log(2, 150))

    def test_a_fit_of_logs(self) -> None:
        lines: List[str] = []
        fit = bagel.fit(
            "log.csv", states=["position"], actions=["force"], time_step=0.05, held_out="other.csv",
            progress=lines.append)
        self.assertEqual(tuple(lines), fit.words)
        self.assertEqual(fit.states, ("position", "position_rate"))
        self.assertEqual((fit.actions, fit.time_step), (("force",), 0.05))
        self.assertEqual(fit.folder, self.folder / "log-out")
        self.assertEqual(fit.model_path, fit.folder / "versions" / str(fit.version) / "model.safetensors")
        self.assertEqual(fit.report_path, fit.folder / "report-fit.html")
        self.assertTrue(fit.model_path.is_file() and fit.report_path.is_file())
        self.assertEqual(fit.read, ())
        held_out = fit.held_out
        self.assertEqual(held_out.rmse.tolist(), fit.json["heldOut"]["rmse"])
        self.assertEqual(held_out.horizons.crps.shape, (len(held_out.horizons.steps), 1))
        self.assertFalse(held_out.horizons.crps.flags.writeable)
        self.assertIn(fit.verdict, repr(fit))
        self.assertIn("position: RMSE, 0.05 s ahead", repr(fit))
        tags = Tags(fit._repr_html_())
        self.assertEqual((tags.open, len(tags.sources)), ([], len(fit.pictures)))
        with self.assertRaises(FrozenInstanceError):
            fit.seconds = 0
        alone = bagel.fit("log.csv", states=["position"], actions=["force"], time_step=0.05, progress=False)
        self.assertIsNone(alone.held_out)
        self.assertIn("no log was held out", alone._repr_html_())
        self.assertEqual(fit._repr_html_(), fit._repr_html_())
        self.assertNotEqual(alone.model_path, fit.model_path)

    def test_from_arrays_to_a_controller(self) -> None:
        fit = bagel.fit(
            spring_log(1, 60), states=["position"], actions=["force"], time_step=0.05, progress=False)
        wishes = {"limits": {"force": [-1, 1]}, "progress": False, **SEARCH}
        found = bagel.optimize(fit, goal={"position": 0.4}, **wishes)
        self.assertIsInstance(found.best_return, float)
        self.assertEqual(len(found.returns), found.iterations)
        self.assertEqual(found.policy.states, ("position", "position_rate"))
        self.assertEqual(found.policy.goals, ())
        self.assertLessEqual(abs(found.policy([0.0, 0.0])[0]), 1)
        self.assertIn("return", found._repr_html_())
        self.assertEqual(Tags(found._repr_html_()).open, [])
        # Any goal of a range: the same model, and a policy that sees its goal.
        other = bagel.optimize(fit, goal={"position": [0.1, 0.4]}, **wishes)
        self.assertIs(other.fit, found.fit)
        self.assertEqual(other.policy.goals, ("position",))
        self.assertNotEqual(*(other.policy([0.0, 0.0], {"position": g})[0] for g in (0.1, 0.4)))
        # The task of it is one of the command's.
        found.task.save("spring.json")
        self.assertTrue(all(os.path.isfile(log) for log in json.loads(Path("spring.json").read_text())["logs"]))
        again = bagel.optimize("spring.json", output=found.folder, progress=False)
        self.assertEqual(again.folder, found.folder)

    def test_what_is_missing_of_a_task(self) -> None:
        fit = bagel.fit(
            spring_log(1, 60), states=["position"], actions=["force"], time_step=0.05, progress=False)
        for wishes, words in [
            ({}, "give the aim: "), ({"goal": {"position": 1}}, "limits= lacks force"),
            ({"goal": {"position": 1}, "limits": {"force": [0, 1], "valve": [0, 1]}}, "limits= has valve"),
            ({"goal": [1, 0], "limits": {"force": [0, 1]}}, "reward= is missing"),
        ]:
            with self.assertRaises(bagel.UsageError) as caught:
                bagel.optimize(fit, progress=False, **wishes)
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(bagel.UsageError):
            bagel.evaluate(fit)

    def test_a_dict_as_a_task_and_its_episodes(self) -> None:
        task = bagel.Task(spring_task(plant="pendulum"), folder=self.folder)
        os.mkdir("elsewhere")
        os.chdir("elsewhere")
        fit = bagel.fit(task, progress=False)
        found = bagel.optimize(fit, progress=False)
        self.assertEqual(found.folder, self.folder / "elsewhere" / "spring-out")
        self.assertIs(found.fit, fit)
        self.assertEqual([n for n in os.listdir(self.folder) if n.startswith(".")], [])
        self.assertNotEqual(found.policy([0, 0])[0], 0)
        self.assertEqual(found.policy_path.parent, found.folder / "versions" / str(found.version))
        self.assertEqual(list(found.warnings)[: len(found.json["warnings"])], found.json["warnings"])
        self.assertTrue(any("the model extrapolates beyond" in warning for warning in found.warnings))
        # A plant of another machine is refused by the command, with its words.
        with self.assertRaises(bagel.BagelError):
            bagel.evaluate(found, progress=False)

    def test_episodes_that_fail_are_no_exception(self) -> None:
        fit = bagel.fit("pendulum", progress=False)
        found = bagel.optimize(fit, iterations=1, progress=False)
        told = bagel.evaluate(found, rival=False, episodes=2, progress=False)
        self.assertEqual((told.solved, told.successes, told.episodes), (False, 0, 2))
        self.assertEqual(told.success_rate, 0)
        self.assertIn("0 of 2 episodes succeed", repr(told))
        tags = Tags(told._repr_html_())
        self.assertEqual((tags.open, len(tags.sources)), ([], len(told.pictures)))
        again = bagel.evaluate(
            "pendulum", found.policy, rival=False, episodes=2, output=found.folder, progress=False)
        self.assertEqual(told.json["tracked"], again.json["tracked"])


class NotebookTest(CommandTest):
    def test_one_line_that_changes(self) -> None:
        shown: List[str] = []

        class Handle:
            def update(self, one: Any) -> None:
                shown.append(repr(one))

        def display(one: Any, display_id: bool = False) -> Handle:
            assert display_id
            shown.append(repr(one))
            return Handle()

        shell = types.SimpleNamespace(kernel=object())
        python = types.ModuleType("IPython")
        python.get_ipython = lambda: shell
        python.display = types.ModuleType("IPython.display")
        python.display.display = display
        with mock.patch.dict(sys.modules, {"IPython": python, "IPython.display": python.display}):
            bagel.fit(spring_log(1, 60), states=["position"], actions=["force"], time_step=0.05)
        self.assertTrue(all("\n" not in line and line.startswith("bagel fit") for line in shown), shown)
        self.assertRegex(shown[-1], r"^bagel fit: [\d.]+ s$")

    def test_pictures_of_a_report(self) -> None:
        report = self.folder / "report.html"
        report.write_text(
            "<h1>x</h1><figure><svg xmlns='a'><text>axis</text><text>A &amp; <b>B</b></text></svg>\n</figure>"
            "<p><em>C &lt; D</em>: no picture: gnuplot is missing.</p><img src=\"data:image/png;base64,AAAA\">")
        found = pictures(report)
        titles = ["A & B", "C < D: no picture: gnuplot is missing.", "picture 3"]
        self.assertEqual([one.title for one in found], titles)
        self.assertIn("<text>axis</text>", found[0].svg())
        self.assertEqual(found[1]._repr_html_(), "<p><em>C &lt; D: no picture: gnuplot is missing.</em></p>")
        self.assertEqual(found[2].svg(), "")


if __name__ == "__main__":
    unittest.main()
