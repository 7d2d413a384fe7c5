"""Rules of schedules: when to train again, when to take the new version into use. Read by a grammar, never run.

`grammar` reads text, `conditions` and `promotions` say which words there are and what they are asked about, `trees`
judges.
"""

from orchestrator.rules.conditions import ConditionFacts, judge_condition, parse_condition
from orchestrator.rules.promotions import DEFAULT_PROMOTION_RULE, PromotionFacts, judge_promotion, parse_promotion
from orchestrator.rules.trees import Judgement, Rule

__all__ = [
    "DEFAULT_PROMOTION_RULE",
    "ConditionFacts",
    "Judgement",
    "PromotionFacts",
    "Rule",
    "judge_condition",
    "judge_promotion",
    "parse_condition",
    "parse_promotion",
]
