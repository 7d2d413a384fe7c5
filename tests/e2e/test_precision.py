"""Labelling in int8: measured before it is used, and refused where it changes labels."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from program import MODEL, Cli, read_csv

pytestmark = pytest.mark.skipif(find_spec("nncf") is None, reason="nncf is not installed: nothing to make int8 with")


def test_int8_labels_as_full_precision_does_but_for_close_calls(cli: Cli, test_data: Path):
    photographs = test_data / "data" / "imagenet_samples"
    labels = {}
    for precision in ("full", "int8"):
        options = ("--model", "mobilenet-0.75", "--precision", precision, "--force-int8", "--out", "o.csv")
        summary = cli.json("label", photographs, *options)
        assert summary["num_predictions"] == 100
        labels[precision] = [row["label_id"] for row in read_csv(cli.cwd / "o.csv")]
    assert sum(map(str.__eq__, labels["full"], labels["int8"])) >= 94
    networks = {kept["network"] for kept in cli.json("features")}
    assert networks == {"mobilenet-0.75", "mobilenet-0.75:int8"}, "their features are never mixed"


def test_int8_with_too_few_images_to_judge_it_by_fails_the_job_and_says_how_many_it_takes(cli: Cli, photographs):
    done = cli("label", photographs(10), "--model", MODEL, "--precision", "int8")
    assert done.returncode == 1
    assert "expected at least 50 of them, and as many to calibrate on, received 5" in done.stderr + done.stdout
