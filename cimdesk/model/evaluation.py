"""Expressions applied to the columns of a table, all rows at once.

A comparison with a missing value is neither true nor false, so neither a condition nor its contrary holds there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from cimdesk.base.arrays import AnyArray, Bool, Float, Int32, Strings
from cimdesk.model.columns import Encoded, encode
from cimdesk.model.expression import Binary, Call, ExpressionError, Literal, Name, Node, Unary, parse
from cimdesk.model.features import FeatureTable


@dataclass(frozen=True)
class Texts:
    """Text values: (N,) codes of ``names``, -1 where missing."""

    names: list[str]
    codes: Int32


@dataclass(frozen=True)
class Truths:
    """Truth of each row: ``true`` (N,) and ``known`` (N,), or None where all are known."""

    true: Bool
    known: Bool | None = None


Value: TypeAlias = Float | Texts | Truths
"""Numbers (N,) with NaN for missing, texts, or truths; all have N rows, or 1 where they are the same for all."""


def matching(expression: str, table: FeatureTable, lenient: bool = False) -> Bool:
    """Return (N,) bool of the rows for which an expression is true.

    Parameters
    ----------
    expression : str
    table : FeatureTable
    lenient : bool
        Take an unknown word beside a comparison as text: ``use = office``.

    Raises
    ------
    ExpressionError
    """
    node = _parsed(expression)
    found = _Evaluation(table, lenient).value(node)
    if not isinstance(found, Truths):
        raise ExpressionError(node.position, "This is a value, not a condition that is true or false.")
    return np.broadcast_to(found.true, (len(table),)).copy() if len(found.true) != len(table) else found.true


def values_of(expression: str, table: FeatureTable) -> AnyArray:
    """Return (N,) values of an expression: float64, or object holding str and None.

    Raises
    ------
    ExpressionError
    """
    found = _Evaluation(table, False).value(_parsed(expression))
    if isinstance(found, Texts):
        names: Strings = np.array([*found.names, None], dtype=object)
        out: AnyArray = names[found.codes]
    elif isinstance(found, Truths):
        out = found.true.astype(np.float64)
    else:
        out = found
    return np.broadcast_to(out, (len(table),)).copy() if len(out) != len(table) else out


def check(expression: str, table: FeatureTable) -> None:
    """Raise ExpressionError unless the expression is a condition on this table."""
    matching(expression, table.take(slice(0, 2)))  # type: ignore[arg-type]


@lru_cache(maxsize=128)
def _parsed(expression: str) -> Node:
    return parse(expression)


class _Evaluation:
    """One pass over a tree."""

    def __init__(self, table: FeatureTable, lenient: bool) -> None:
        self._table = table
        self._lenient = lenient

    def value(self, node: Node) -> Value:
        if isinstance(node, Literal):
            return _literal(node)
        if isinstance(node, Name):
            return self._column(node)
        if isinstance(node, Unary):
            inner = self.value(node.operand)
            return _negated(_truths(inner, node.operand)) if node.operator == "not" else -_numbers(inner, node.operand)
        if isinstance(node, Binary):
            return self._binary(node)
        return self._call(node)

    def _column(self, node: Name) -> Value:
        column = resolve(node.name, self._table)
        if column is None:
            near = difflib.get_close_matches(node.name, ["id", *self._table.columns], 1, 0.5)
            raise ExpressionError(
                node.position,
                "There is no attribute {name}.",
                remedy="Is it {near}? Texts stand in single quotes." if near else "Texts stand in single quotes.",
                name=node.name,
                near=near[0] if near else "",
            )
        values = self._table.ids if column == "id" and column not in self._table.columns else self._table.columns[column]
        if values.dtype == bool:
            return Truths(np.asarray(values, dtype=np.bool_))
        if values.dtype != object:
            return values.astype(np.float64)
        encoded: Encoded = encode(values)
        return Texts(encoded.names, encoded.codes)

    def _binary(self, node: Binary) -> Value:
        if node.operator in ("and", "or"):
            left, right = _truths(self.value(node.left), node.left), _truths(self.value(node.right), node.right)
            return _both(left, right) if node.operator == "and" else _negated(_both(_negated(left), _negated(right)))
        left_value, right_value = self._pair(node)
        if node.operator in ("+", "-", "*", "/", "%"):
            if node.operator == "+" and isinstance(left_value, Texts) and isinstance(right_value, Texts):
                return _joined(left_value, right_value)
            return _arithmetic(node.operator, _numbers(left_value, node.left), _numbers(right_value, node.right))
        if node.operator in ("like", "contains", "startswith", "endswith"):
            return _text_test(node, left_value, right_value)
        return _compared(node, left_value, right_value)

    def _pair(self, node: Binary) -> tuple[Value, Value]:
        left = self.value(node.left)
        right = node.right
        if self._lenient and isinstance(right, Name) and not right.quoted and resolve(right.name, self._table) is None:
            return left, Texts([right.name], np.zeros(1, dtype=np.int32))
        return left, self.value(node.right)

    def _call(self, node: Call) -> Value:
        values = [self.value(argument) for argument in node.arguments]
        if node.function == "is null":
            return Truths(_is_missing(values[0]))
        if node.function == "between":
            low = _compared(Binary(">=", node.arguments[0], node.arguments[1], node.position), values[0], values[1])
            high = _compared(Binary("<=", node.arguments[0], node.arguments[2], node.position), values[0], values[2])
            return _both(low, high)
        if node.function == "in":
            return self._in(node, values)
        return _FUNCTIONS[node.function](node, values)

    def _in(self, node: Call, values: list[Value]) -> Truths:
        first = values[0]
        if isinstance(first, Texts):
            choices = {name.casefold() for value in values[1:] if isinstance(value, Texts) for name in value.names}
            numbers = [value for value in values[1:] if not isinstance(value, Texts | Truths)]
            choices |= {f"{float(number[0]):g}" for number in numbers if len(number) == 1}
            return Truths(_mapped(first, lambda name: name.casefold() in choices), first.codes >= 0)
        found = Truths(np.zeros(1, dtype=bool))
        for argument, value in zip(node.arguments[1:], values[1:], strict=True):
            same = _compared(Binary("=", node.arguments[0], argument, node.position), first, value)
            found = _negated(_both(_negated(found), _negated(same)))
        return found


def resolve(name: str, table: FeatureTable) -> str | None:
    """Return the column that a name means, whatever its case, with spaces for underscores; ``id`` is the identifier."""
    if name in table.columns:
        return name
    folded = {key.casefold(): key for key in reversed(list(table.columns))}
    if name.casefold() in folded:
        return folded[name.casefold()]
    if name.casefold() == "id":
        return "id"
    loose = {_loose(key): key for key in reversed(list(table.columns))}
    return loose.get(_loose(name))


def _loose(name: str) -> str:
    return re.sub(r"[\s_]+", "", name.removeprefix("attributes.")).casefold()


def _literal(node: Literal) -> Value:
    if isinstance(node.value, bool):
        return Truths(np.array([node.value]))
    if isinstance(node.value, str):
        return Texts([node.value], np.zeros(1, dtype=np.int32))
    return np.array([np.nan if node.value is None else node.value])


def _numbers(value: Value, node: Node) -> Float:
    if isinstance(value, Texts):
        raise ExpressionError(node.position, "This is text, where a number is needed.", remedy="number(…) reads text as a number.")
    if isinstance(value, Truths):
        return value.true.astype(np.float64)
    return value


def _truths(value: Value, node: Node) -> Truths:
    if isinstance(value, Truths):
        return value
    raise ExpressionError(node.position, "This is a value, not a condition that is true or false.")


def _texts(value: Value) -> Texts:
    """Return values as texts: whole numbers without decimals."""
    if isinstance(value, Texts):
        return value
    numbers = value.true.astype(np.float64) if isinstance(value, Truths) else value
    unique, inverse = np.unique(numbers, return_inverse=True)
    codes = inverse.ravel().astype(np.int32)
    codes[np.isnan(numbers)] = -1
    return Texts([f"{number:g}" if abs(number) < 1e6 else f"{number:.0f}" for number in unique.tolist()], codes)


def _known(truths: Truths) -> Bool:
    return np.ones(len(truths.true), dtype=bool) if truths.known is None else truths.known


def _negated(truths: Truths) -> Truths:
    return Truths(~truths.true if truths.known is None else truths.known & ~truths.true, truths.known)


def _both(left: Truths, right: Truths) -> Truths:
    true = left.true & right.true
    if left.known is None and right.known is None:
        return Truths(true)
    a, b = _known(left), _known(right)
    return Truths(true, (a & b) | (a & ~left.true) | (b & ~right.true))


def _is_missing(value: Value) -> Bool:
    if isinstance(value, Texts):
        return np.asarray(value.codes < 0)
    return ~_known(value) if isinstance(value, Truths) else np.isnan(value)


def _mapped(texts: Texts, test: Callable[[str], bool]) -> Bool:
    hits = np.zeros(len(texts.names) + 1, dtype=bool)
    hits[:-1] = np.fromiter(map(test, texts.names), dtype=bool, count=len(texts.names))
    return hits[texts.codes]


def _arithmetic(operator: str, left: Float, right: Float) -> Float:
    with np.errstate(all="ignore"):
        if operator == "+":
            out = left + right
        elif operator == "-":
            out = left - right
        elif operator == "*":
            out = left * right
        elif operator == "/":
            out = left / right
        else:
            out = np.mod(left, right)
    return np.where(np.isfinite(out), out, np.nan)


def _joined(left: Texts, right: Texts) -> Texts:
    a, b = np.broadcast_arrays(left.codes, right.codes)
    pairs, codes = np.unique(np.column_stack([a, b]), axis=0, return_inverse=True)
    lost: Bool = np.asarray((pairs < 0).any(axis=1))
    names = ["" if gone else left.names[x] + right.names[y] for (x, y), gone in zip(pairs.tolist(), lost, strict=True)]
    return Texts(names, np.where(lost[codes.ravel()], -1, codes.ravel()).astype(np.int32))


def _compared(node: Binary, left: Value, right: Value) -> Truths:
    if isinstance(left, Truths) and isinstance(right, Truths):
        same = left.true == right.true
        return Truths(same if node.operator == "=" else ~same, _known(left) & _known(right))
    if isinstance(left, Texts) or isinstance(right, Texts):
        return _texts_compared(node, left, right)
    a, b = _numbers(left, node.left), _numbers(right, node.right)
    with np.errstate(invalid="ignore"):
        true = _COMPARE[node.operator](a, b)
    known = ~(np.isnan(a) | np.isnan(b))
    return Truths(true & known, known)


_COMPARE: dict[str, Callable[[Float, Float], Bool]] = {
    "=": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


def _texts_compared(node: Binary, left: Value, right: Value) -> Truths:
    if isinstance(right, Texts) and len(right.codes) == 1 and isinstance(left, Texts):
        return _with_one(node.operator, left, right.names[0] if right.codes[0] >= 0 else None)
    if isinstance(left, Texts) and len(left.codes) == 1 and isinstance(right, Texts):
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(node.operator, node.operator)
        return _with_one(turned, right, left.names[0] if left.codes[0] >= 0 else None)
    if not (isinstance(left, Texts) and isinstance(right, Texts)) and node.operator not in ("=", "!="):
        raise ExpressionError(node.position, "A text cannot be compared with a number.")
    a, b = _texts(left), _texts(right)
    every = {name: k for k, name in enumerate(sorted({*map(str.casefold, a.names), *map(str.casefold, b.names)}))}
    ranks = [np.array([*(every[name.casefold()] for name in texts.names), -1], dtype=np.float64)[texts.codes] for texts in (a, b)]
    known = (a.codes >= 0) & (b.codes >= 0)
    return Truths(_COMPARE[node.operator](ranks[0], ranks[1]) & known, known)


def _with_one(operator: str, texts: Texts, other: str | None) -> Truths:
    """Compare a column with one text: case does not matter for equality."""
    known = texts.codes >= 0
    if other is None:
        return Truths(np.zeros(len(texts.codes), dtype=bool), np.zeros(len(texts.codes), dtype=bool))
    wanted = other.casefold()
    tests: dict[str, Callable[[str], bool]] = {
        "=": lambda name: name.casefold() == wanted, "!=": lambda name: name.casefold() != wanted,
        "<": lambda name: name < other, "<=": lambda name: name <= other,
        ">": lambda name: name > other, ">=": lambda name: name >= other,
    }  # fmt: skip
    return Truths(_mapped(texts, tests[operator]), known)


def _text_test(node: Binary, left: Value, right: Value) -> Truths:
    if not isinstance(right, Texts):
        right = _texts(right)
    if len(right.names) != 1 or len(right.codes) != 1:
        raise ExpressionError(node.right.position, "Here a text in single quotes is needed.")
    texts, wanted = _texts(left), right.names[0].casefold()
    tests: dict[str, Callable[[str], bool]] = {
        "contains": lambda name: wanted in name.casefold(),
        "startswith": lambda name: name.casefold().startswith(wanted),
        "endswith": lambda name: name.casefold().endswith(wanted),
    }
    test = tests.get(node.operator) or like_test(right.names[0])
    return Truths(_mapped(texts, test), texts.codes >= 0)


def like_test(pattern: str) -> Callable[[str], bool]:
    """Return the test of a pattern with ``%`` for any characters and ``_`` for one, whatever the case.

    The parts between ``%`` are looked for one after the other, so that no pattern takes long.
    """
    parts = [re.compile("".join("." if c == "_" else re.escape(c) for c in part), re.S) for part in pattern.casefold().split("%")]

    def test(name: str) -> bool:
        text = name.casefold()
        if len(parts) == 1:
            return parts[0].fullmatch(text) is not None
        first = parts[0].match(text)
        if first is None:
            return False
        at = first.end()
        for part in parts[1:-1]:
            found = part.search(text, at)
            if found is None:
                return False
            at = found.end()
        # Each character of the last part stands for one of the text.
        tail = len(pattern.rsplit("%", 1)[1].casefold())
        return len(text) - tail >= at and parts[-1].fullmatch(text, len(text) - tail) is not None

    return test


def _number_function(function: Callable[[Float], Float]) -> Callable[[Call, list[Value]], Value]:
    def call(node: Call, values: list[Value]) -> Value:
        with np.errstate(all="ignore"):
            out = function(_numbers(values[0], node.arguments[0]))
        return np.where(np.isfinite(out), out, np.nan)

    return call


def _text_function(function: Callable[[str], str]) -> Callable[[Call, list[Value]], Value]:
    def call(node: Call, values: list[Value]) -> Value:
        texts = _texts(values[0])
        return Texts([function(name) for name in texts.names], texts.codes)

    return call


def _round(node: Call, values: list[Value]) -> Value:
    digits = _numbers(values[1], node.arguments[1]) if len(values) > 1 else np.zeros(1)
    return np.round(_numbers(values[0], node.arguments[0]), int(np.clip(np.nan_to_num(digits[0]), -9, 9)))


def _extreme(function: Callable[[Float, Float], Float]) -> Callable[[Call, list[Value]], Value]:
    def call(node: Call, values: list[Value]) -> Value:
        out = _numbers(values[0], node.arguments[0])
        for value, argument in zip(values[1:], node.arguments[1:], strict=True):
            out = function(out, _numbers(value, argument))
        return out

    return call


def _coalesce(node: Call, values: list[Value]) -> Value:
    if any(isinstance(value, Texts) for value in values):
        return _chosen_texts([_texts(value) for value in values])
    out = _numbers(values[0], node.arguments[0])
    for value, argument in zip(values[1:], node.arguments[1:], strict=True):
        out = np.where(np.isnan(out), _numbers(value, argument), out)
    return out


def _chosen_texts(options: Sequence[Texts]) -> Texts:
    """Return of each row the first option that is there."""
    names: list[str] = []
    out: Int32 = np.full(1, -1, dtype=np.int32)
    for texts in options:
        codes = np.where(texts.codes >= 0, texts.codes + len(names), -1)
        out = np.where(out >= 0, out, codes).astype(np.int32)
        names += texts.names
    return Texts(names, out)


def _if(node: Call, values: list[Value]) -> Value:
    true = _truths(values[0], node.arguments[0]).true
    if any(isinstance(value, Texts) for value in values[1:]):
        yes, no = _texts(values[1]), _texts(values[2])
        codes = np.where(true, yes.codes, np.where(no.codes >= 0, no.codes + len(yes.names), -1))
        return Texts([*yes.names, *no.names], codes.astype(np.int32))
    return np.where(true, _numbers(values[1], node.arguments[1]), _numbers(values[2], node.arguments[2]))


def _length(node: Call, values: list[Value]) -> Value:
    texts = _texts(values[0])
    return np.array([*map(len, texts.names), np.nan], dtype=np.float64)[texts.codes]


def _number(node: Call, values: list[Value]) -> Value:
    if not isinstance(values[0], Texts):
        return _numbers(values[0], node.arguments[0])
    texts = values[0]
    return np.array([*map(_first_number, texts.names), np.nan], dtype=np.float64)[texts.codes]


def _first_number(text: str) -> float:
    found = re.match(r"\s*([-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)", text)
    return float(found[1].replace(",", "")) if found else np.nan


_FUNCTIONS: dict[str, Callable[[Call, list[Value]], Value]] = {
    "abs": _number_function(np.abs), "floor": _number_function(np.floor), "ceil": _number_function(np.ceil),
    "sqrt": _number_function(np.sqrt), "ln": _number_function(np.log), "log10": _number_function(np.log10),
    "round": _round, "min": _extreme(np.fmin), "max": _extreme(np.fmax), "coalesce": _coalesce, "if": _if,
    "lower": _text_function(str.lower), "upper": _text_function(str.upper), "trim": _text_function(str.strip),
    "length": _length, "number": _number, "text": lambda node, values: _texts(values[0]),
}  # fmt: skip
