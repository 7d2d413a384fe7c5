"""From a rule's text to its tree, by a small grammar; an error points at the word.

Knows which words may stand beside which values only as far as a vocabulary says.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from core.errors import UsageError
from orchestrator.rules.trees import All, Any, Comparison, Node, Not, Rule, Unit, Value

if TYPE_CHECKING:
    from lark import Lark, Token, Tree
    from lark.exceptions import UnexpectedInput

# A rule is a line; whoever needs more needs another tool.
MAX_LENGTH = 500
MAX_DEPTH = 20
_MAX_AMOUNT = 1e12  # more than any count or age; far from where floats end
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
# Signs are one terminal, so that a wrong one is pointed at as a whole.
_GRAMMAR = r"""
start: either
?either: both (OR both)*
?both: one (AND one)*
?one: NOT one -> negation
    | "(" either ")"
    | comparison
comparison: WORD SIGN value
value: NUMBER               -> number
     | PERCENT              -> share
     | DURATION             -> duration
     | CHAMPION [OFFSET]    -> champion

OR.3: /or\b/i
AND.3: /and\b/i
NOT.3: /not\b/i
CHAMPION.3: /champion\b/i
WORD: /[a-z_][a-z0-9_]*/i
SIGN: ">=" | "<=" | "==" | ">" | "<"
OFFSET: /[+-]\s*[0-9]+(\.[0-9]+)?%?(?![\w.])/
PERCENT.2: /[0-9]+(\.[0-9]+)?%/
DURATION.2: /[0-9]+(\.[0-9]+)?[mhdw](?![\w.])/i
NUMBER: /[0-9]+(\.[0-9]+)?(?![\w.%])/
%ignore /[ \t\r\n]+/
"""
_EXPECTED = {
    "WORD": "a word",
    "SIGN": "one of >= > <= < ==",
    "NUMBER": "a number",
    "PERCENT": "a share such as 2%",
    "DURATION": "a duration such as 7d",
    "CHAMPION": "champion",
    "OR": "or",
    "AND": "and",
    "NOT": "not",
    "LPAR": "(",
    "RPAR": ")",
    "OFFSET": "an offset such as +0.01",
    "$END": "the end",
}


_TERMINALS_OF_UNITS = {
    "NUMBER": Unit.NUMBER,
    "PERCENT": Unit.SHARE,
    "DURATION": Unit.DURATION,
    "CHAMPION": Unit.CHAMPION,
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which words a kind of rule has, and what may stand beside each."""

    option: str  # what the rule is given by, for messages: "--when"
    words: Mapping[str, frozenset[Unit]]
    example: str
    signs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of words that do not take every sign
    largest: Mapping[str, float] = field(default_factory=dict)  # of words that cannot be more
    whole: frozenset[str] = frozenset()  # words that count


def parse(text: str, vocabulary: Vocabulary) -> Rule:
    """Read a rule.

    Raises:
        UsageError: it cannot be read; the message points at the word.
    """
    from lark.exceptions import UnexpectedInput  # noqa: PLC0415 - only those who schedule need it

    _check_size(text, vocabulary)
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        _refuse(text, vocabulary, _position(text, error), _describe(text, error, vocabulary))
    rule = Rule(_Reader(text, vocabulary).node(_trees(tree)[0]))
    # What is kept is the plain text, which spaces may have made longer; it has to be read again.
    _check_size(str(rule), vocabulary)
    return rule


@cache
def _parser() -> "Lark":
    from lark import Lark  # noqa: PLC0415 - as above

    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)


class _Reader:
    """Makes the tree, and looks at each word and value."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._text = text
        self._vocabulary = vocabulary

    def node(self, tree: "Tree[Token]") -> Node:
        match tree.data:
            case "either":
                return Any(tuple(self.node(part) for part in _trees(tree)))
            case "both":
                return All(tuple(self.node(part) for part in _trees(tree)))
            case "negation":
                return Not(self.node(_trees(tree)[0]))
        word, sign = _tokens(tree)
        return self._comparison(word, sign, _trees(tree)[0])

    def _comparison(self, token: "Token", sign: "Token", tree: "Tree[Token]") -> Comparison:
        word, words = token.lower(), self._vocabulary.words
        if word not in words:
            nearest = get_close_matches(word, words, n=1, cutoff=0.5)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            self._refuse(token, f"there is no word {str(token)!r}.{hint} Expected one of {', '.join(words)}.")
        value = _value(tree)
        if value.unit not in words[word]:
            self._refuse(
                _tokens(tree)[0], f"{word} cannot be compared with {value.text!r}; expected {_kinds(words[word])}."
            )
        signs = self._vocabulary.signs.get(word)
        if signs and sign not in signs:
            self._refuse(sign, f"{word} cannot stand before {str(sign)!r}; expected {' or '.join(signs)}.")
        if problem := self._size_problem(word, value):
            self._refuse(_tokens(tree)[0], problem)
        return Comparison(word, str(sign), value)

    def _size_problem(self, word: str, value: Value) -> str | None:
        if abs(value.amount) > self._vocabulary.largest.get(word, _MAX_AMOUNT):
            if word in self._vocabulary.largest:
                return f"{word} is from 0 to 1; expected such as 0.9 or 90%, not {value.text[:40]!r}."
            return f"{word} is never so large; expected {_MAX_AMOUNT:,.0f} at most."
        if word in self._vocabulary.whole and not value.amount.is_integer():
            return f"{word} counts; expected a whole number such as 50, not {value.text!r}."
        return None

    def _refuse(self, token: "Token", problem: str) -> NoReturn:
        _refuse(self._text, self._vocabulary, token.start_pos or 0, problem)


def _value(tree: "Tree[Token]") -> Value:
    first, *offsets = _tokens(tree)
    match tree.data:
        case "number":
            return Value(float(first), Unit.NUMBER, str(first))
        case "share":
            return Value(float(first[:-1]) / 100, Unit.SHARE, str(first))
        case "duration":
            text = first.lower()
            return Value(float(text[:-1]) * _SECONDS[text[-1]], Unit.DURATION, text)
    text = "".join(part for offset in offsets for part in offset.split())
    amount = 0.0 if not text else float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
    return Value(amount, Unit.CHAMPION, f"champion{text}")


def _tokens(tree: "Tree[Token]") -> "Sequence[Token]":
    from lark import Token  # noqa: PLC0415 - as above

    return [part for part in tree.children if isinstance(part, Token)]


def _trees(tree: "Tree[Token]") -> "Sequence[Tree[Token]]":
    from lark import Tree  # noqa: PLC0415 - as above

    return [part for part in tree.children if isinstance(part, Tree)]


def _kinds(units: frozenset[Unit]) -> str:
    examples = {
        Unit.NUMBER: "a number such as 0.2",
        Unit.SHARE: "a share such as 2%",
        Unit.DURATION: "a duration such as 90m, 12h, 7d or 2w",
        Unit.CHAMPION: "champion, champion+0.01",
    }
    return " or ".join(example for unit, example in examples.items() if unit in units)


def _check_size(text: str, vocabulary: Vocabulary) -> None:
    if not text.strip():
        raise UsageError(f"{vocabulary.option}: the rule is empty. Expected one such as {vocabulary.example!r}.")
    if len(text) > MAX_LENGTH:
        raise UsageError(
            f"{vocabulary.option}: the rule has {len(text):,} characters. Expected {MAX_LENGTH} at most, such as "
            f"{vocabulary.example!r}."
        )
    depth, deepest = 0, 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if max(deepest, len(re.findall(r"\bnot\b", text, re.IGNORECASE))) > MAX_DEPTH:
        raise UsageError(f"{vocabulary.option}: the rule is nested more than {MAX_DEPTH} deep. Expected a simpler one.")


def _position(text: str, error: "UnexpectedInput") -> int:
    """Where reading stopped; at the end, behind the last character."""
    is_end = getattr(getattr(error, "token", None), "type", "") == "$END"
    position = error.pos_in_stream
    return len(text) if is_end or position is None or position < 0 else position


def _describe(text: str, error: "UnexpectedInput", vocabulary: Vocabulary) -> str:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415 - as above

    if isinstance(error, UnexpectedToken):
        names = error.accepts or error.expected
        received = "the rule ends here" if error.token.type == "$END" else f"received {str(error.token)!r}"
    elif isinstance(error, UnexpectedCharacters):
        names = error.allowed or set()
        rest = text[error.pos_in_stream :].split()
        received = f"received {rest[0][:40]!r}" if rest else "the rule ends here"
    else:
        names, received = set(), "the rule ends here"
    units = frozenset().union(*vocabulary.words.values())
    # What no word of this kind of rule is compared with is not offered.
    useless = {name for name, unit in _TERMINALS_OF_UNITS.items() if unit not in units}
    expected = ", ".join(word for name, word in _EXPECTED.items() if name in set(names) - useless)
    return f"{received}; expected {expected or 'something else'}."


def _refuse(text: str, vocabulary: Vocabulary, position: int, problem: str) -> NoReturn:
    shown = "".join(character if character.isprintable() else "�" for character in text)
    raise UsageError(
        f"{vocabulary.option} cannot be read: {problem}\n  {shown}\n  {' ' * position}^\n"
        f"An example: {vocabulary.example}"
    )
