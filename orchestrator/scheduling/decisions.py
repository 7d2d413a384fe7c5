"""Whether a challenger is taken into use: the rule decides, and a tie keeps the champion."""

from dataclasses import dataclass

from orchestrator.retraining.verdicts import Verdict
from orchestrator.rules import PromotionFacts, Rule, judge_promotion
from orchestrator.rules.promotions import FIGURES


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a challenger, and why."""

    promotes: bool
    reason: str  # a sentence


def decide(verdict: Verdict, rule: Rule) -> Decision:
    """Judge a challenger by a rule."""
    if verdict.is_tie:
        return Decision(
            promotes=False,
            reason=f"A tie on {verdict.paired.num_images:,} test images; {verdict.champion.model} stays.",
        )
    judgement = judge_promotion(rule, facts_of(verdict))
    return Decision(judgement.holds, judgement.reason)


def facts_of(verdict: Verdict) -> PromotionFacts:
    """What a rule may ask about."""
    return PromotionFacts(
        champion={word: getattr(verdict.champion, word) for word in FIGURES},
        challenger={word: getattr(verdict.challenger, word) for word in FIGURES},
        drops=verdict.drops,
        confidence=verdict.paired.macro_f1.confidence,
    )
