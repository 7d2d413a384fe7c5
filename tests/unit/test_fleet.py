"""How fast workers are, drawn from the chunks that they had."""

import pytest

from orchestrator.cli.workers import BARS, _height
from orchestrator.fleet import Span, rates


def test_images_are_spread_evenly_over_the_time_that_they_took():
    assert rates([Span(5, 15, 100)], [0, 10, 20]) == [5.0, 5.0]
    assert rates([Span(0, 40, 40)], [10, 20, 30]) == [1.0, 1.0]


def test_spans_add_up_and_what_is_outside_does_not_count():
    assert rates([Span(0, 10, 10), Span(0, 10, 20), Span(-20, -10, 99)], [0, 10]) == [3.0]


def test_what_took_no_time_at_all_still_happened():
    assert rates([Span(5, 5, 30)], [0, 10]) == pytest.approx([3.0])


def test_what_is_not_nothing_is_seen():
    heights = [_height(rate, 1000.0, len(BARS) - 1) for rate in (0.0, 0.001, 500.0, 1000.0)]
    assert heights == [0, 1, 4, 8]
