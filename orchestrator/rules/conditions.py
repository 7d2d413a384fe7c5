"""Rules that say when to train again: `new_labels>=50 or drift>0.2 or age>7d`."""

from dataclasses import dataclass

from orchestrator.rules.comparing import digits_to_tell, is_so
from orchestrator.rules.grammar import Vocabulary, parse
from orchestrator.rules.trees import Comparison, Finding, Judgement, Rule, Unit

VOCABULARY = Vocabulary(
    option="--when",
    words={
        "new_labels": frozenset({Unit.NUMBER}),
        "drift": frozenset({Unit.NUMBER}),
        "age": frozenset({Unit.DURATION}),
    },
    example="new_labels>=50 or drift>0.2 or age>7d",
    whole=frozenset({"new_labels"}),
)
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """What a condition is asked about."""

    new_labels: int
    age_s: float
    drift: float | None = None
    drift_unknown_because: str | None = None


def parse_condition(text: str) -> Rule:
    """Read a rule for `--when`.

    Raises:
        UsageError: it cannot be read; the message points at the word.
    """
    return parse(text, VOCABULARY)


def judge_condition(rule: Rule, facts: ConditionFacts) -> Judgement:
    """Ask whether a condition holds. What is not known does not, nor does its opposite."""
    return rule.judge(lambda comparison: _find(comparison, facts))


def _find(comparison: Comparison, facts: ConditionFacts) -> Finding:
    amount = comparison.value.amount
    match comparison.word:
        case "new_labels":
            return Finding(
                is_so(facts.new_labels, comparison.sign, amount), f"new_labels is {facts.new_labels:,} ({comparison})"
            )
        case "age":
            days = facts.age_s / _DAY_S
            digits = digits_to_tell(days, amount / _DAY_S, at_least=1)
            return Finding(is_so(facts.age_s, comparison.sign, amount), f"age is {days:.{digits}f}d ({comparison})")
    if facts.drift is None:
        return Finding(holds=None, reason=f"drift is not known: {facts.drift_unknown_because or 'it was not measured'}")
    digits = digits_to_tell(facts.drift, amount, at_least=3)
    return Finding(is_so(facts.drift, comparison.sign, amount), f"drift is {facts.drift:.{digits}f} ({comparison})")
