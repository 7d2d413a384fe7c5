"""A rule as a tree of comparisons, and how it is judged.

Knows the shapes of rules and nothing of what their words mean; whoever judges hands in what each comparison comes to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What a number counts."""

    NUMBER = "number"
    SHARE = "share"  # written with %; worth a hundredth
    DURATION = "duration"  # written with m, h, d or w; worth seconds
    CHAMPION = "champion"  # the same figure of the version in use, plus a number


@dataclass(frozen=True, slots=True)
class Value:
    """The right side of a comparison."""

    amount: float  # of a share: 0.02 for 2%; of a duration: seconds; with the champion: what is added to its figure
    unit: Unit
    text: str  # as it is written


@dataclass(frozen=True, slots=True)
class Comparison:
    """One word beside one value."""

    word: str
    sign: str  # >=, >, <=, <, ==
    value: Value

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.word}{self.sign}{self.value.text}"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a rule."""

    part: "Node"

    def __str__(self) -> str:
        """As it is written."""
        return f"not {_grouped(self.part)}"


@dataclass(frozen=True, slots=True)
class All:
    """Every part has to hold."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        """As it is written."""
        return " and ".join(_grouped(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Any:
    """One part has to hold."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        """As it is written."""
        return " or ".join(_grouped(part) for part in self.parts)


Node = Comparison | Not | All | Any


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a rule holds, and why."""

    holds: bool
    reason: str  # a sentence with the figures that decided


@dataclass(frozen=True, slots=True)
class Finding:
    """What one comparison comes to."""

    holds: bool | None  # None: not known
    reason: str  # a clause: "macro_f1 is 0.912, the champion's 0.905"


Compare = Callable[[Comparison], Finding]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that was read."""

    root: Node

    def __str__(self) -> str:
        """The rule as text that reads back as the same rule."""
        return str(self.root)

    @property
    def words(self) -> frozenset[str]:
        """What it asks about."""
        return _words(self.root)

    def judge(self, compare: Compare) -> Judgement:
        """Ask whether it holds. It does not if that depends on what is not known.

        Args:
            compare: says what one comparison comes to.
        """
        holds, reasons = _judge(self.root, compare)
        return Judgement(holds is True, "; ".join(dict.fromkeys(reasons)) + ".")


def _judge(node: Node, compare: Compare) -> tuple[bool | None, list[str]]:
    """Whether a part holds (None: not known), and the clauses that decided it."""
    match node:
        case Comparison():
            found = compare(node)
            return found.holds, [found.reason]
        case Not(part):
            holds, reasons = _judge(part, compare)
            return None if holds is None else not holds, reasons
        case All(parts) | Any(parts):
            judged = [_judge(part, compare) for part in parts]
            decisive = isinstance(node, Any)  # what one part alone makes of the whole
            answers = {held for held, _ in judged}
            holds = decisive if decisive in answers else None if None in answers else not decisive
            # Of parts that all have to hold, those that do not decide; of parts of which one has to, those that do.
            # What is not known leaves it to the others, so all of them are named.
            deciding = [reasons for held, reasons in judged if holds is None or held == holds]
            return holds, [reason for reasons in deciding for reason in reasons]


def _words(node: Node) -> frozenset[str]:
    match node:
        case Comparison():
            return frozenset({node.word})
        case Not(part):
            return _words(part)
        case All(parts) | Any(parts):
            return frozenset().union(*(_words(part) for part in parts))


def _grouped(node: Node) -> str:
    return f"({node})" if isinstance(node, All | Any) else str(node)
