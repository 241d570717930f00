"""Expressions as people write them: ``"floor area" > 500 and use in ('office', '商业')``, read into a small tree.

Nothing is ever executed: the tree holds only the forms below, and `evaluation` knows each of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from cimdesk.base.errors import CimdeskError

MAX_LENGTH = 10_000
MAX_DEPTH = 60
FUNCTIONS: dict[str, tuple[int, int]] = {
    "abs": (1, 1), "round": (1, 2), "floor": (1, 1), "ceil": (1, 1), "sqrt": (1, 1), "ln": (1, 1), "log10": (1, 1),
    "min": (2, 9), "max": (2, 9), "coalesce": (2, 9), "if": (3, 3),
    "lower": (1, 1), "upper": (1, 1), "trim": (1, 1), "length": (1, 1), "number": (1, 1), "text": (1, 1),
}  # fmt: skip
"""Functions and how many arguments each takes."""


class ExpressionError(CimdeskError):
    """An expression cannot be understood.

    Attributes
    ----------
    position : int
        Character at which it goes wrong, from 0.
    """

    def __init__(self, position: int, message: str, *, remedy: str = "", **values: Any) -> None:
        self.position = position
        super().__init__(message, remedy=remedy, **values)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true, false or null."""

    value: float | str | bool | None
    position: int


@dataclass(frozen=True, slots=True)
class Name:
    """An attribute; ``quoted`` names were written in double quotes or brackets."""

    name: str
    position: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Unary:
    """``not x`` or ``-x``."""

    operator: str
    operand: Node
    position: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Two parts and what is between them."""

    operator: str
    left: Node
    right: Node
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `FUNCTIONS`; ``in``, ``between`` and ``is null`` take this form too."""

    function: str
    arguments: tuple[Node, ...]
    position: int


Node: TypeAlias = Literal | Name | Unary | Binary | Call


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


_WIDE = str.maketrans("（），＝＞＜！＋－＊／％“”‘’；", "(),=><!+-*/%\"\"''; ".rstrip())
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<text>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*"|\[[^\]]*\])
  | (?P<sign><=|>=|<>|!=|==|[-+*/%=<>(),])
  | (?P<word>\w[\w.:]*)
    )""",
    re.VERBOSE,
)
_QUOTED = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|\[[^\]]*\])""")
_WORDS = {"且": "and", "并且": "and", "或": "or", "或者": "or", "非": "not", "包含": "contains", "为空": "isnull"}
_COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def parse(text: str) -> Node:
    """Return the tree of an expression.

    Raises
    ------
    ExpressionError
        With the position of what cannot be understood.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(MAX_LENGTH, "The expression is longer than {most} characters.", most=MAX_LENGTH)
    return _Parser(_tokens(text), len(text)).whole()


def quoted(name: str) -> str:
    """Return an attribute's name as it is written in an expression."""
    plain = re.fullmatch(r"[^\W\d][\w.:]*", name) and name.casefold() not in _RESERVED and name not in _WORDS
    return name if plain else '"' + name.replace('"', '""') + '"'


def names_of(node: Node) -> list[str]:
    """Return the attributes that an expression asks for, each once."""
    if isinstance(node, Name):
        return [node.name]
    parts: tuple[Node, ...] = ()
    if isinstance(node, Unary):
        parts = (node.operand,)
    elif isinstance(node, Binary):
        parts = (node.left, node.right)
    elif isinstance(node, Call):
        parts = node.arguments
    return list(dict.fromkeys(name for part in parts for name in names_of(part)))


_RESERVED = frozenset(
    ("and", "or", "not", "in", "like", "contains", "startswith", "endswith", "between", "is", "null", "true", "false")
)


def _tokens(text: str) -> list[_Token]:
    # Wide signs of Chinese keyboards mean the same, outside of quoted text.
    plain = "".join(part if k % 2 else part.translate(_WIDE) for k, part in enumerate(_QUOTED.split(text)))
    found: list[_Token] = []
    at = 0
    while plain[at:].strip():
        match = _TOKEN.match(plain, at)
        if match is None:
            start = at + len(plain[at:]) - len(plain[at:].lstrip())
            if plain[start] in "'\"[":
                raise ExpressionError(start, "The quotation that begins here does not end.")
            raise ExpressionError(start, "“{sign}” has no meaning here.", sign=plain[start])
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return found


class _Parser:
    """Recursive descent: or, and, not, comparison, sum, product, sign, value."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = tokens
        self._end = end
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        if not self._tokens:
            raise ExpressionError(0, "The expression is empty.")
        node = self._or()
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            raise ExpressionError(token.position, "Before “{word}” a word such as “and” is missing.", word=token.text)
        return node

    @property
    def _position(self) -> int:
        return self._tokens[self._at].position if self._at < len(self._tokens) else self._end

    def _peek(self, ahead: int = 0) -> str:
        """Return the coming word in lower case, or sign; empty for names, values and at the end."""
        if self._at + ahead >= len(self._tokens):
            return ""
        token = self._tokens[self._at + ahead]
        if token.kind == "word":
            return _WORDS.get(token.text, token.text.casefold())
        return token.text if token.kind == "sign" else ""

    def _take(self, *wanted: str) -> str:
        """Return the coming word or sign and step over it, if it is one of these."""
        found = self._peek()
        if found and found in wanted:
            self._at += 1
            return found
        return ""

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ExpressionError(self._position, "“{sign}” is missing here.", sign=sign)

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(self._position, "The expression is nested too deeply.")
        node = self._and()
        while True:
            position = self._position
            if not self._take("or"):
                break
            node = Binary("or", node, self._and(), position)
        self._depth -= 1
        return node

    def _and(self) -> Node:
        node = self._not()
        while True:
            position = self._position
            if not self._take("and"):
                return node
            node = Binary("and", node, self._not(), position)

    def _not(self) -> Node:
        turns, position = 0, self._position
        while self._take("not"):
            turns += 1
        node = self._comparison()
        return Unary("not", node, position) if turns % 2 else node

    def _comparison(self) -> Node:
        left = self._sum()
        position, negated = self._position, False
        if self._peek() == "not" and self._peek(1) in ("in", "like", "contains", "between", "startswith", "endswith"):
            self._at += 1
            negated = True
        if sign := self._take(*_COMPARISONS):
            return Binary(_COMPARISONS[sign], left, self._sum(), position)
        node: Node | None = None
        if word := self._take("like", "contains", "startswith", "endswith"):
            node = Binary(word, left, self._sum(), position)
        elif self._take("in"):
            node = Call("in", (left, *self._arguments()), position)
        elif self._take("between"):
            low = self._sum()
            self._expect("and")
            node = Call("between", (left, low, self._sum()), position)
        elif self._take("isnull"):
            node = Call("is null", (left,), position)
        elif self._take("is"):
            negated = bool(self._take("not"))
            self._expect("null")
            node = Call("is null", (left,), position)
        if node is None:
            return left
        return Unary("not", node, position) if negated else node

    def _sum(self) -> Node:
        node = self._product()
        while True:
            position = self._position
            sign = self._take("+", "-")
            if not sign:
                return node
            node = Binary(sign, node, self._product(), position)

    def _product(self) -> Node:
        node = self._signed()
        while True:
            position = self._position
            sign = self._take("*", "/", "%")
            if not sign:
                return node
            node = Binary(sign, node, self._signed(), position)

    def _signed(self) -> Node:
        position, turns = self._position, 0
        while sign := self._take("-", "+"):
            turns += sign == "-"
        node = self._value()
        return Unary("-", node, position) if turns % 2 else node

    def _value(self) -> Node:
        position = self._position
        if self._at >= len(self._tokens):
            raise ExpressionError(position, "Something is missing at the end.")
        token = self._tokens[self._at]
        if self._take("("):
            node = self._or()
            self._expect(")")
            return node
        self._at += 1
        if token.kind == "number":
            return Literal(float(token.text), position)
        if token.kind == "text":
            return Literal(token.text[1:-1].replace("''", "'"), position)
        if token.kind == "quoted":
            name = token.text[1:-1].replace('""', '"') if token.text[0] == '"' else token.text[1:-1]
            return Name(name, position, True)
        word = token.text.casefold()
        if token.kind == "word" and word in FUNCTIONS and self._peek() == "(":
            return self._call(word, position)
        if token.kind == "word" and self._peek() == "(" and word not in _RESERVED:
            raise ExpressionError(
                position, "There is no function {name}.", remedy="There are {known}.", name=token.text, known=", ".join(FUNCTIONS)
            )
        if word in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[word], position)
        if token.kind == "sign" or word in _RESERVED:
            raise ExpressionError(position, "Before “{word}” something is missing.", word=token.text)
        return Name(token.text, position)

    def _call(self, function: str, position: int) -> Node:
        arguments = self._arguments()
        least, most = FUNCTIONS[function]
        if not least <= len(arguments) <= most:
            raise ExpressionError(position, "{name} takes {least} to {most} values.", name=function, least=least, most=most)
        return Call(function, arguments, position)

    def _arguments(self) -> tuple[Node, ...]:
        self._expect("(")
        found = [self._or()]
        while self._take(","):
            found.append(self._or())
        self._expect(")")
        return tuple(found)
