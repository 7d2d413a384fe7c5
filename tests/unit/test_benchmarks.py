"""What the benchmarks make of their measurements; the measurements themselves are nothing for a test."""

import importlib.util
import json
from dataclasses import replace

import pytest

from benchmarks import datasets, labelyard, places
from benchmarks.chart import BARS
from benchmarks.comparison import Figure, Reached, reached
from benchmarks.measurement import Measurement
from benchmarks.report import print_suite
from benchmarks.suites import CEILING, LABELLING, SIDES, SUITES


def took(seconds: float) -> Measurement:
    return Measurement(num_done=100, seconds=seconds, startup_s=1.0, wall_s=seconds + 1.0)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_figures_are_made_of_sides_that_the_suite_has_and_every_run_is_a_module(suite):
    assert {key for figure in suite.figures for key in figure.needs} <= set(suite.sides)
    assert all(importlib.util.find_spec(f"benchmarks.sides.{run.module}") for run in suite.runs)
    assert set(BARS) <= set(SIDES)


def test_a_ratio_is_the_median_of_the_rounds_so_that_one_slow_round_spoils_none():
    figure = Figure("faster", 2.0, lambda one: one["new"].rate / one["old"].rate, ("new", "old"))
    results = [{"new": took(new), "old": took(old)} for new, old in ((1.0, 3.0), (10.0, 30.0), (1.0, 9.0))]
    (found,) = reached([figure], results)
    assert found.ratios == pytest.approx((3.0, 3.0, 9.0))
    assert (found.ratio, found.is_reached) == (pytest.approx(3.0), True)


def test_a_figure_that_is_to_stay_small_is_reached_below_its_target():
    assert Reached("time", 0.5, is_at_most=True, ratios=(0.4,)).is_reached
    assert not Reached("time", 0.5, is_at_most=True, ratios=(0.6,)).is_reached


def test_the_roof_is_what_cores_do_that_share_engine_and_decoder():
    measured = {"engine": took(2.0), "decoding": took(1.0), "embedded": took(3.0)}
    found = {figure.name: figure.ratio for figure in reached(LABELLING.figures, [measured])}
    assert found == {"embedded against the roof 1/(1/e + 1/f)": pytest.approx(1.0)}


def test_the_ceiling_is_reached_by_rate_and_by_memory():
    measured = {
        "sqlite_hundredth": Measurement(10_000, 0.5, 1.0, 1.5, peak_mb=100.0),
        "sqlite_all": Measurement(1_000_000, 50.0, 1.0, 51.0, peak_mb=120.0),
    }
    found = list(reached(CEILING.figures, [measured]))
    assert [figure.ratio for figure in found] == pytest.approx([20_000, 1.2, 120])
    assert all(figure.is_reached for figure in found)


def test_memory_that_was_not_measured_is_not_small():
    measured = {"sqlite_all": took(1.0)}
    assert [figure.is_reached for figure in reached(CEILING.figures, [measured])] == [False, False]


def test_cost_and_memory_are_shown_where_memory_was_measured(capsys):
    results = [{"sqlite_tenth": replace(took(1.0), peak_mb=104.4), "sqlite_all": took(1.0)}]
    print_suite(CEILING, results, num_images=100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].endswith("10000.0 µs an image,  104 MB")
    assert lines[-1].endswith("2.0 s")


def test_a_measurement_survives_being_handed_over():
    measured = replace(took(1.0), peak_mb=104.4)
    assert Measurement.from_json(json.loads(json.dumps(measured.to_json()))) == measured


def test_references_are_listed_whole_in_a_tenth_and_in_a_hundredth_and_no_two_are_equal(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "KEPT", tmp_path)
    folder = datasets.manifests(2000)
    lists = {name: (folder / f"{name}.txt").read_text().splitlines() for name in datasets.MANIFESTS}
    assert {name: len(set(entries)) for name, entries in lists.items()} == {"all": 2000, "tenth": 200, "hundredth": 20}
    assert lists["all"][1999] == "/photographs/000001/000001999.jpg"


def test_a_side_that_failed_leaves_out_the_figures_that_need_it_and_only_in_that_round():
    assert list(reached(LABELLING.figures, [{"embedded": took(1.0)}])) == []
    (found,) = reached(LABELLING.figures, [{"embedded": took(1.0)}, {"embedded": took(1.0), "servers": took(2.0)}])
    assert found.ratios == pytest.approx((0.5,))


def test_a_steady_rate_begins_when_the_first_chunk_is_finished_whichever_it_is():
    measured = labelyard.steady([(12.0, 64), (11.0, 60), (14.0, 32)], started_at_s=10.0, wall_s=6.0)
    assert measured == Measurement(num_done=96, seconds=3.0, startup_s=1.0, wall_s=6.0)


def test_what_has_to_be_set_is_said(monkeypatch):
    monkeypatch.delenv("LABELYARD_TEST_DATA", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert [sentence.split()[0] for sentence in places.missing()] == ["LABELYARD_TEST_DATA", "KERAS_HOME"]
