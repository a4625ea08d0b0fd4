# SPDX-License-Identifier: Apache-2.0
# Formulas beside NumPy's own, and what is none: in, text; out, the same numbers, or a refusal.

from __future__ import annotations

import unittest

import log_makers  # noqa: F401  (the package's place)
import numpy as np

from bagel_control.formula import parse


class FormulaTest(unittest.TestCase):
    def test_values(self) -> None:
        states = np.array([[0.3, -2.0], [1.5, 0.25]])
        a, b = states.T
        for text, wanted in [
            ("a - b - 1", a - b - 1), ("-a^2", -(a**2)), ("(-a)^2.0", a**2), ("2e-1 * a / b", 0.2 * a / b),
            ("max(a, b) + min(a, 0.5)", np.maximum(a, b) + np.minimum(a, 0.5)), ("b^-(2)", b**-2.0),
            ("hypot(a, b) * sqrt(a) + log(a)", np.hypot(a, b) * np.sqrt(a) + np.log(a)),
            ("atan2(a, b) + tanh(pi)", np.arctan2(a, b) + np.tanh(np.pi)), ("(abs(b))^0.5", np.abs(b) ** 0.5),
        ]:
            np.testing.assert_allclose(parse(text, ["a", "b"])(states), wanted, rtol=1e-15, err_msg=text)

    def test_what_is_none(self) -> None:
        for text in ["", "a +", "c", "(a", "a b", "max(a)", "sin(a, b)", "__import__('os')", "a ^ b", "1.2.3"]:
            with self.assertRaises(ValueError, msg=text):
                parse(text, ["a", "b"])


if __name__ == "__main__":
    unittest.main()
