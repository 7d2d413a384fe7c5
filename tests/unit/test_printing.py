"""Tables on a terminal of eighty columns."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from core.types import JobKind, JobState
from orchestrator.cli import printing
from orchestrator.summary import JobSummary


def summary(job_id: int, models: list[str], name: str, num_images: int) -> JobSummary:
    return JobSummary(
        job_id=job_id,
        kind=JobKind.EVALUATE,
        name=name,
        state=JobState.CANCELLED,
        models=models,
        priority="bulk",
        num_images=num_images,
        num_skipped=0,
        num_predictions=num_images // 2,
        num_errors=3,
        is_planned=True,
        seconds=10.0,
        images_per_s=123.4,
        seconds_left=4000.0,
        num_chunks={},
        stages={},
        labels={},
        errors={},
        num_to_review=None,
        workers=[],
        waits_for=None,
        error=None,
    )


def test_a_narrow_terminal_keeps_the_figures_of_jobs_and_wraps_their_names(monkeypatch: pytest.MonkeyPatch):
    said = io.StringIO()
    monkeypatch.setattr(printing, "console", lambda: Console(file=said, width=80, highlight=False))
    name = "/a/very/long/name/of/[some]/folder/of/photographs"
    long = summary(1, ["imagenet:mobilenet-0.75@1", "insects@12"], name, 1000)
    printing.print_jobs([long, summary(2, ["parts@3"], "p", 12_345)])
    lines = said.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:8] == ["id", "state", "images", "errors", "images/s", "left", "kind", "model"]
    for figures in (["1", "cancelled", "503/1,000"], ["2", "cancelled", "6,175/12,345"]):
        assert any(line.split()[:3] == figures and "123.4" in line and "1:06:40" in line for line in lines)
    second = next(number for number, line in enumerate(lines) if line.startswith(" 2"))
    assert "".join(line[lines[0].index("name") :].strip() for line in lines[1:second]) == name


def test_labels_that_a_summary_does_not_hold_are_numbered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(printing, "console", lambda: Console(width=80, highlight=False))
    held = replace(
        summary(1, ["insects@1", "bugs@1"], "p", 100), labels={"insects@1": {"ant": 6}, "bugs@1": {"bee": 4}}
    )
    printing.print_counts(held, {"insects@1": 90, "bugs@1": 0})
    said = capsys.readouterr().out
    assert said.index("ant") < said.index("… and 90 more labels") < said.index("bee")
    assert said.count("more label") == 1
