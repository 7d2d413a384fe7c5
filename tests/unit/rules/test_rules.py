"""Rules are read by a grammar, judged by figures, and refused with a finger on the word."""

import random

import pytest

from core.errors import UsageError
from orchestrator.rules import (
    ConditionFacts,
    PromotionFacts,
    judge_condition,
    judge_promotion,
    parse_condition,
    parse_promotion,
)
from orchestrator.rules.trees import All, Any, Comparison, Node, Not, Rule, Unit, Value

DAY_S = 86_400.0
FIGURES = {"accuracy": 0.9, "macro_f1": 0.9, "macro_precision": 0.9, "macro_recall": 0.9, "ece": 0.05}


def facts(*, new_labels: int = 10, days: float = 3.0, drift: float | None = 0.1) -> ConditionFacts:
    return ConditionFacts(new_labels, days * DAY_S, drift, None if drift is not None else "no job yet")


def promotion(
    *, champion: float = 0.9, challenger: float = 0.9, drops: dict[str, float] | None = None, confidence: float = 0.5
) -> PromotionFacts:
    return PromotionFacts(FIGURES | {"macro_f1": champion}, FIGURES | {"macro_f1": challenger}, drops or {}, confidence)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("new_labels>=10", True),
        ("new_labels>10", False),
        ("new_labels == 10", True),
        ("age>7d", False),
        ("age>2d", True),
        ("age<1w and age>48h and age>90m", True),
        ("drift>0.2", False),
        ("new_labels>=50 or drift>0.05 or age>7d", True),
        ("NOT new_labels>=50 AND age<=3d", True),
        ("not (new_labels>=5 or age>7d)", False),
        # `and` binds closer than `or`.
        ("age>2d or age>7d and new_labels>50", True),
    ],
)
def test_a_condition_holds_or_not(rule: str, holds: bool):
    assert judge_condition(parse_condition(rule), facts()).holds is holds


def test_what_is_not_known_does_not_hold_and_says_why():
    judgement = judge_condition(parse_condition("drift>0.2"), facts(drift=None))
    assert not judgement.holds
    assert judgement.reason == "drift is not known: no job yet."


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("not drift>0.2", False),
        ("not drift<=0.2", False),
        ("not (drift>0.2 and age>1d)", False),
        # What is not known cannot change these.
        ("drift>0.2 or age>1d", True),
        ("not (drift>0.2 and age>7d)", True),
    ],
)
def test_what_is_not_known_does_not_come_true_by_a_not(rule: str, holds: bool):
    assert judge_condition(parse_condition(rule), facts(drift=None)).holds is holds


def test_a_champion_is_not_left_where_no_class_was_measured():
    judgement = judge_promotion(parse_promotion("no_class_drops>0.02"), promotion())
    assert not judgement.holds
    assert "no class's recall is known" in judgement.reason


def test_figures_have_as_many_decimals_as_it_takes_to_tell_them_apart():
    given = promotion(champion=0.90501, challenger=0.90499)
    judgement = judge_promotion(parse_promotion("macro_f1>=champion"), given)
    assert judgement.reason == "macro_f1 is 0.90499, the champion's 0.90501 (macro_f1>=champion)."
    judgement = judge_condition(parse_condition("age>7d"), facts(days=6.99))
    assert judgement.reason == "age is 6.99d (age>7d)."


def test_beside_what_is_not_known_the_other_figures_are_named():
    judgement = judge_condition(parse_condition("new_labels>=50 or drift>0.2 or age>7d"), facts(drift=None))
    assert not judgement.holds
    assert "new_labels is 10" in judgement.reason
    assert "drift is not known" in judgement.reason
    assert "age is 3.0d" in judgement.reason


def test_a_judgement_names_the_figures_that_decided():
    judgement = judge_condition(parse_condition("new_labels>=50 or age>1d"), facts())
    assert judgement.reason == "age is 3.0d (age>1d)."
    judgement = judge_condition(parse_condition("new_labels>=50 and age>1d"), facts())
    assert judgement.reason == "new_labels is 10 (new_labels>=50)."


@pytest.mark.parametrize(
    ("rule", "given", "holds"),
    [
        ("macro_f1>=champion", promotion(champion=0.9, challenger=0.9), True),
        ("macro_f1>champion", promotion(champion=0.9, challenger=0.9), False),
        ("macro_f1>champion", promotion(champion=0.9, challenger=0.9 + 1e-12), False),
        ("macro_f1>=champion+0.01", promotion(champion=0.9, challenger=0.905), False),
        ("macro_f1>=champion + 1%", promotion(champion=0.9, challenger=0.91), True),
        ("macro_f1>=champion-0.01", promotion(champion=0.9, challenger=0.895), True),
        ("macro_f1>=90%", promotion(challenger=0.9), True),
        ("no_class_drops>0.02", promotion(drops={"Hat": 0.01, "Cube": -0.3}), True),
        ("no_class_drops>0.02", promotion(drops={"Hat": 0.03, "Cube": -0.3}), False),
        ("no_class_drops>2%", promotion(drops={"Hat": 0.02}), True),
        ("confidence>=0.95", promotion(confidence=0.96), True),
        ("confidence>=95%", promotion(confidence=0.94), False),
    ],
)
def test_a_promotion_rule_holds_or_not(rule: str, given: PromotionFacts, holds: bool):
    assert judge_promotion(parse_promotion(rule), given).holds is holds


def test_a_class_that_drops_is_named_with_how_much():
    judgement = judge_promotion(
        parse_promotion("macro_f1>=champion and no_class_drops>0.02"), promotion(drops={"Hat": 0.034, "Cube": 0.05})
    )
    assert judgement.reason == "recall falls: 'Cube' by 0.050, 'Hat' by 0.034 (no_class_drops>0.02)."


@pytest.mark.parametrize(
    ("rule", "column", "words"),
    [
        ("new_lables>=50", 0, "Did you mean new_labels?"),
        ("new_labels>=50 or drft>0.2", 18, "Did you mean drift?"),
        ("new_labels 50", 11, "expected one of >= > <= < =="),
        ("new_labels>=50 drift>0.2", 15, "expected"),
        ("new_labels>=", 12, "the rule ends here"),
        ("(new_labels>=50", 15, "the rule ends here"),
        ("age>5", 4, "age cannot be compared with '5'; expected a duration such as 90m, 12h, 7d or 2w"),
        ("new_labels>=7d", 12, "expected a number"),
        ("drift>champion", 6, "drift cannot be compared with 'champion'"),
        ("age>5y", 4, "received '5y'"),
        ("__import__('os')", 10, "received"),
        ("new_labels>=50; drop table", 14, "received"),
        ("new_labels>=50.5", 12, "new_labels counts; expected a whole number such as 50, not '50.5'"),
        ("drift>" + "9" * 400, 6, "drift is never so large"),
        ("age>٣d", 4, "received '٣d'"),
    ],
)
def test_a_rule_that_cannot_be_read_is_pointed_at(rule: str, column: int, words: str):
    with pytest.raises(UsageError) as raised:
        parse_condition(rule)
    message = str(raised.value)
    assert words in message
    lines = message.splitlines()
    assert lines[1] == f"  {rule}"
    assert lines[2] == f"  {' ' * column}^"
    assert lines[3] == "An example: new_labels>=50 or drift>0.2 or age>7d"


@pytest.mark.parametrize(
    ("rule", "column", "words"),
    [
        ("accuracy>=90", 10, "accuracy is from 0 to 1; expected such as 0.9 or 90%, not '90'"),
        ("confidence>=95", 12, "confidence is from 0 to 1"),
        ("no_class_drops>200%", 15, "no_class_drops is from 0 to 1"),
        ("macro_f1>champion and no_class_drops<2%", 36, "no_class_drops cannot stand before '<'; expected > or >="),
        ("no_class_drops>champion", 15, "no_class_drops cannot be compared with 'champion'"),
        ("macro_f2>=champion", 0, "Did you mean macro_f1?"),
    ],
)
def test_a_promotion_rule_that_cannot_be_meant_is_pointed_at(rule: str, column: int, words: str):
    with pytest.raises(UsageError) as raised:
        parse_promotion(rule)
    lines = str(raised.value).splitlines()
    assert words in lines[0]
    assert lines[2] == f"  {' ' * column}^"


def test_a_rule_of_several_lines_is_read():
    assert str(parse_condition("age>1d\n  or age>2d\n")) == "age>1d or age>2d"


def test_a_rule_that_is_too_long_once_it_has_its_spaces_is_refused_at_once():
    part, last = "(not(age>1d or age>2d))and", "(age>1d)"
    kept = str(parse_condition(part * 18 + last))
    assert str(parse_condition(kept)) == kept
    tight = part * 18 + "and".join([last] * 3)
    assert len(tight) <= 500
    with pytest.raises(UsageError, match="has 514 characters"):
        parse_condition(tight)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "(" * 400,
        "(" * 30 + "age>1d" + ")" * 30,
        "not " * 60 + "age>1d",
        "not\t" * 120 + "age>1d",
        "not(" * 30 + "age>1d" + ")" * 30,
        "age>1d and " * 100,
        "age>1d\x00",
        "ä>1",
        "🦊",
    ],
)
def test_hostile_rules_are_refused(text: str):
    with pytest.raises(UsageError):
        parse_condition(text)


def make(rng: random.Random, depth: int) -> Node:
    kind = rng.choice(["comparison", "not", "all", "any"] if depth else ["comparison"])
    if kind == "comparison":
        word, value = rng.choice(
            [
                ("macro_f1", Value(0.01, Unit.CHAMPION, "champion+0.01")),
                ("accuracy", Value(0.9, Unit.NUMBER, "0.9")),
                ("no_class_drops", Value(0.02, Unit.SHARE, "2%")),
                ("ece", Value(0.0, Unit.CHAMPION, "champion")),
            ]
        )
        signs = [">=", ">"] if word == "no_class_drops" else [">=", ">", "<=", "<", "=="]
        return Comparison(word, rng.choice(signs), value)
    if kind == "not":
        return Not(make(rng, depth - 1))
    parts = tuple(make(rng, depth - 1) for _ in range(rng.randint(2, 3)))
    return All(parts) if kind == "all" else Any(parts)


@pytest.mark.parametrize("seed", range(50))
def test_a_rule_written_as_text_reads_back_as_the_same_rule(seed: int):
    rule = Rule(make(random.Random(seed), 3))
    if len(str(rule)) <= 500:
        assert parse_promotion(str(rule)) == rule


def test_only_what_may_stand_there_is_offered():
    with pytest.raises(UsageError) as raised:
        parse_promotion("accuracy > champoin")
    assert "expected a number, a share such as 2%, champion." in str(raised.value)
    with pytest.raises(UsageError) as raised:
        parse_condition("age > seven")
    assert "expected a number, a duration such as 7d." in str(raised.value)
