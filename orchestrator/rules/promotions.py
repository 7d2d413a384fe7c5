"""Rules that say when a new version is taken into use: `macro_f1>=champion and no_class_drops>0.02`."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.rules.comparing import digits_to_tell, is_so
from orchestrator.rules.grammar import Vocabulary, parse
from orchestrator.rules.trees import Comparison, Finding, Judgement, Rule, Unit

FIGURES = ("accuracy", "macro_f1", "macro_precision", "macro_recall", "ece")
# Read as "no class drops > 0.02".
NO_CLASS_DROPS = "no_class_drops"
CONFIDENCE = "confidence"
DEFAULT_PROMOTION_RULE = "macro_f1>=champion and no_class_drops>0.02"
VOCABULARY = Vocabulary(
    option="--promote-if",
    words={
        **dict.fromkeys(FIGURES, frozenset({Unit.NUMBER, Unit.SHARE, Unit.CHAMPION})),
        NO_CLASS_DROPS: frozenset({Unit.NUMBER, Unit.SHARE}),
        CONFIDENCE: frozenset({Unit.NUMBER, Unit.SHARE}),
    },
    example=DEFAULT_PROMOTION_RULE,
    signs={NO_CLASS_DROPS: (">", ">=")},
    largest=dict.fromkeys((*FIGURES, NO_CLASS_DROPS, CONFIDENCE), 1.0),
)


@dataclass(frozen=True, slots=True)
class PromotionFacts:
    """What a promotion rule is asked about."""

    champion: Mapping[str, float]  # by word of FIGURES
    challenger: Mapping[str, float]
    drops: Mapping[str, float]  # by how much the recall of each class falls; below 0 where it rises
    confidence: float  # share of resamples in which the challenger's macro F1 is better


def parse_promotion(text: str) -> Rule:
    """Read a rule for `--promote-if`.

    Raises:
        UsageError: it cannot be read; the message points at the word.
    """
    return parse(text, VOCABULARY)


def judge_promotion(rule: Rule, facts: PromotionFacts) -> Judgement:
    """Ask whether a promotion rule holds."""
    return rule.judge(lambda comparison: _find(comparison, facts))


def _find(comparison: Comparison, facts: PromotionFacts) -> Finding:
    amount, sign = comparison.value.amount, comparison.sign
    match comparison.word:
        case "no_class_drops":
            return _find_drops(comparison, facts)
        case "confidence":
            digits = digits_to_tell(facts.confidence, amount, at_least=3)
            return Finding(
                is_so(facts.confidence, sign, amount), f"confidence is {facts.confidence:.{digits}f} ({comparison})"
            )
    mine, theirs = facts.challenger[comparison.word], facts.champion[comparison.word]
    limit = theirs + amount if comparison.value.unit is Unit.CHAMPION else amount
    digits = digits_to_tell(mine, limit, at_least=3)
    return Finding(
        is_so(mine, sign, limit),
        f"{comparison.word} is {mine:.{digits}f}, the champion's {theirs:.{digits}f} ({comparison})",
    )


def _find_drops(comparison: Comparison, facts: PromotionFacts) -> Finding:
    if not facts.drops:
        return Finding(holds=None, reason=f"no class's recall is known ({comparison})")
    dropping = {
        name: drop
        for name, drop in sorted(facts.drops.items(), key=lambda item: -item[1])
        if is_so(drop, comparison.sign, comparison.value.amount)
    }
    if not dropping:
        return Finding(holds=True, reason=f"no class's recall falls that much ({comparison})")
    digits = digits_to_tell(min(dropping.values()), comparison.value.amount, at_least=3)
    falls = ", ".join(f"{name!r} by {drop:.{digits}f}" for name, drop in dropping.items())
    return Finding(holds=False, reason=f"recall falls: {falls} ({comparison})")
