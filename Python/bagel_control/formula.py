# SPDX-License-Identifier: Apache-2.0
# Formulas of a policy's goals. In: text over the states' names, and states. Out: numbers. The grammar is the
# command's own:
#
#   sum = product (('+' | '-') product)*        product = factor (('*' | '/') factor)*
#   factor = '-' factor | power                 power = atom ('^' factor)?
#   atom = number | name | function '(' sum (',' sum)* ')' | '(' sum ')'

from __future__ import annotations

from typing import Callable, Dict, List, Sequence

import numpy as np

Value = Callable[[np.ndarray], np.ndarray]
"""States [N, S] -> numbers [N]."""


class FormulaError(ValueError):
    """A text that is no formula here."""


_UNARY: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "abs": np.abs, "exp": np.exp, "log": np.log, "tanh": np.tanh,
    "sin": np.sin, "cos": np.cos, "sqrt": np.sqrt,
}
_BINARY: Dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "min": lambda a, b: smaller(a, b),
    "max": lambda a, b: larger(a, b),
    # Zeros without a sign, as the command has them.
    "atan2": lambda a, b: np.arctan2(a + 0.0, b + 0.0),
    "hypot": np.hypot,
}
_DEEPEST = 200


def smaller(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The first where it is smaller, else the second (also where one is no number)."""
    return np.where(a < b, a, b)


def larger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The first where it is larger, else the second (also where one is no number)."""
    return np.where(a > b, a, b)


def parse(text: str, names: Sequence[str]) -> Value:
    """A formula as a function of states.

    Args:
        text: the formula.
        names: of the states [S], in their order.

    Raises:
        ValueError: the text is no formula of these names.
    """
    parser = _Parser(text, {name: index for index, name in enumerate(names)})
    value = parser.sum()
    if parser.next() != "":
        raise FormulaError(f"unexpected '{parser.next()}' in '{text}'")
    return value


class _Parser:
    def __init__(self, text: str, places: Dict[str, int]) -> None:
        self._text, self._places = text, places
        self._tokens = list(_tokens(text))
        self._position = 0
        self._depth = 0

    def next(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        self._position += 1
        return self._tokens[self._position - 1] if self._position <= len(self._tokens) else ""

    def _expect(self, wanted: str) -> None:
        if self._take() != wanted:
            raise FormulaError(f"'{wanted}' is missing in '{self._text}'")

    def sum(self) -> Value:
        value = self._product()
        while self.next() in ("+", "-"):
            value = _combined(np.add if self._take() == "+" else np.subtract, value, self._product())
        return value

    def _product(self) -> Value:
        value = self._factor()
        while self.next() in ("*", "/"):
            value = _combined(np.multiply if self._take() == "*" else np.divide, value, self._factor())
        return value

    def _factor(self) -> Value:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FormulaError(f"too many brackets within one another in '{self._text}'")
        try:
            if self.next() == "-":
                self._take()
                return _applied(np.negative, self._factor())
            base = self._atom()
            if self.next() != "^":
                return base
            self._take()
            return _power(base, self._exponent())
        finally:
            self._depth -= 1

    def _exponent(self) -> float:
        sign = 1.0
        while self.next() in ("-", "("):
            if self._take() == "(":
                value = sign * self._exponent()
                self._expect(")")
                return value
            sign = -sign
        return sign * float(self._take())

    def _atom(self) -> Value:
        token = self._take()
        if token == "(":
            value = self.sum()
            self._expect(")")
            return value
        if token[:1].isdigit() or token[:1] == ".":
            return _constant(float(token))
        if self.next() == "(" and (token in _UNARY or token in _BINARY):
            return self._call(token)
        if token == "pi":
            return _constant(np.pi)
        if token not in self._places:
            raise FormulaError(f"'{token}' is unknown in '{self._text}'")
        place = self._places[token]
        return lambda states: states[:, place]

    def _call(self, name: str) -> Value:
        self._expect("(")
        arguments = [self.sum()]
        while self.next() == ",":
            self._take()
            arguments.append(self.sum())
        self._expect(")")
        if len(arguments) != (1 if name in _UNARY else 2):
            raise FormulaError(f"{name} has {len(arguments)} arguments in '{self._text}'")
        if name in _UNARY:
            return _applied(_UNARY[name], arguments[0])
        return _combined(_BINARY[name], arguments[0], arguments[1])


def _tokens(text: str) -> List[str]:
    tokens: List[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        end = position + 1
        if character.isspace():
            position = end
            continue
        if character.isdigit() or character == ".":
            while end < len(text) and (
                text[end].isdigit() or text[end] in ".eE"
                or (text[end] in "+-" and text[end - 1] in "eE")
            ):
                end += 1
        elif character.isalpha() or character == "_":
            while end < len(text) and (text[end].isalnum() or text[end] in "_."):
                end += 1
        elif character not in "+-*/^(),":
            raise FormulaError(f"unexpected '{character}' in '{text}'")
        tokens.append(text[position:end])
        position = end
    return tokens


def _constant(number: float) -> Value:
    return lambda states: np.full(len(states), number)


def _applied(function: Callable[[np.ndarray], np.ndarray], a: Value) -> Value:
    return lambda states: function(a(states))


def _combined(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], a: Value, b: Value
) -> Value:
    return lambda states: function(a(states), b(states))


def _power(base: Value, exponent: float) -> Value:
    return lambda states: np.power(base(states), exponent)
