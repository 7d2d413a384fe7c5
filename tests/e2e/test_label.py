"""The main job, from files to a file, in real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from program import MODEL, Cli, read_csv

Photographs = Callable[..., Path]


FOREIGN_NAMES = (b"caf\xe9.jpg", b'quo"te, comma.jpg', b"new\nline\r.jpg", "日本.jpg".encode(), b"back\\slash.jpg")
NUM_NUMBERED = 7


@dataclass(frozen=True)
class Labelled:
    """A job that has run, and the program to ask about it."""

    cli: Cli
    summary: dict[str, Any]
    rows: list[dict[str, str]]


@pytest.fixture(scope="module")
def labelled(make_environment, make_photographs, tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """One run over a folder with a bit of everything, which several tests look at."""
    cwd = tmp_path_factory.mktemp("labelled")
    cli = Cli(make_environment(cwd), cwd)
    folder = make_photographs(cwd / "photographs", NUM_NUMBERED)
    for name in FOREIGN_NAMES:
        (folder / os.fsdecode(name)).write_bytes((folder / "00000.jpg").read_bytes())
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("not an image and not named like one")
    summary = cli.json("label", "photographs", "--model", MODEL, "--chunk-size", "3", "--out", "o.csv")
    return Labelled(cli, summary, read_csv(cwd / "o.csv"))


def test_a_folder_becomes_one_line_per_image_in_source_order(labelled: Labelled):
    assert list(labelled.rows[0]) == ["image", "label", "label_id", "score", "topk", "error"]
    names = [os.fsencode(row["image"]) for row in labelled.rows]
    assert names == sorted(names)
    assert len(names) == NUM_NUMBERED + len(FOREIGN_NAMES) + 1
    assert names[:NUM_NUMBERED] == [f"photographs/{n:05d}.jpg".encode() for n in range(NUM_NUMBERED)]


def test_a_prediction_holds_its_best_classes_in_order(labelled: Labelled):
    for row in labelled.rows:
        if row["error"]:
            continue
        best, *others = json.loads(row["topk"])
        assert (best["label"], best["label_id"], best["score"]) == (row["label"], row["label_id"], float(row["score"]))
        assert len(others) == 4
        scores = [choice["score"] for choice in (best, *others)]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1


def test_names_with_foreign_bytes_quotes_and_newlines_come_out_intact(labelled: Labelled):
    def names(images: Iterable[str]) -> set[bytes]:
        return {os.fsencode(image.removeprefix("photographs/")) for image in images}

    assert names(row["image"] for row in labelled.rows) >= set(FOREIGN_NAMES)
    assert labelled.cli("export", "1", "--out", "names.jsonl").returncode == 0
    lines = (labelled.cli.cwd / "names.jsonl").read_text().splitlines()
    assert names(json.loads(line)["image"] for line in lines) >= set(FOREIGN_NAMES)


def test_csv_jsonl_and_parquet_say_the_same(labelled: Labelled):
    for name in ("o.jsonl", "o.parquet"):
        done = labelled.cli("export", "1", "--out", name)
        assert done.returncode == 0, done.stderr
    from_jsonl = [json.loads(line) for line in (labelled.cli.cwd / "o.jsonl").read_text().splitlines()]
    from_parquet = pq.read_table(labelled.cli.cwd / "o.parquet").to_pylist()
    for csv_row, row, other in zip(labelled.rows, from_jsonl, from_parquet, strict=True):
        assert csv_row["image"] == row["image"]
        assert csv_row["label"] == (row["label"] or "")
        assert json.loads(csv_row["topk"] or "[]") == row["topk"] == other.pop("topk")
        assert csv_row["error"] == (row["error"] or "")
        if b"\xe9" in os.fsencode(row["image"]):
            # Parquet's strings are UTF-8; this one name is written escaped.
            assert other.pop("image") == "photographs/caf\\xe9.jpg"
        assert other.items() <= row.items()


def test_json_is_one_object_with_the_counts(labelled: Labelled):
    summary, num_good = labelled.summary, NUM_NUMBERED + len(FOREIGN_NAMES)
    assert summary["state"] == "done"
    assert (summary["num_images"], summary["num_predictions"], summary["num_errors"]) == (num_good + 1, num_good, 1)
    assert summary["errors"] == {"empty_file": 1}
    assert summary["num_skipped"] == 1
    assert summary["seconds"] > 0
    assert summary["images_per_s"] > 0
    assert summary == labelled.cli.json("jobs", "show", "1") | {"out": "o.csv", "figure": None}


def test_two_files_with_the_same_content_are_two_rows(labelled: Labelled):
    by_name = {os.fsencode(row["image"].rpartition("/")[2]): row["label"] for row in labelled.rows}
    assert by_name[FOREIGN_NAMES[0]] == by_name[FOREIGN_NAMES[1]] == by_name[b"00000.jpg"]


def test_a_worker_loads_a_backbone_once_in_its_life(labelled: Labelled):
    assert labelled.summary["num_chunks"] == {"done": 5}
    assert [worker["backbone_loads"] for worker in labelled.summary["workers"]] == [{MODEL: 1}]


def test_people_read_counts_and_where_the_results_are(labelled: Labelled):
    shown = labelled.cli("jobs", "show", "1").stdout
    assert "empty_file" in shown
    listed = labelled.cli("jobs").stdout
    assert "done" in listed
    assert "13/13" in listed


def test_strict_turns_image_errors_into_exit_code_4(cli: Cli, photographs: Photographs):
    photographs(2)
    (cli.cwd / "photographs" / "empty.png").touch()
    done = cli("label", "photographs", "--model", MODEL, "--strict")
    assert done.returncode == 4, done.stderr
    assert "3 images, 2 labelled, 1 error," in done.stdout


def test_a_single_image_prints_its_top_five_with_percentages_and_can_be_drawn(cli: Cli, photographs: Photographs):
    photographs(1)
    done = cli("label", "photographs/00000.jpg", "--model", MODEL, "--figure", "sheet.png")
    assert done.returncode == 0, done.stderr
    assert (cli.cwd / "sheet.png").read_bytes().startswith(b"\x89PNG")
    lines = done.stdout.splitlines()
    assert lines[0] == "photographs/00000.jpg"
    assert sum("%" in line for line in lines) == 5


def test_arrays_name_their_items_and_floats_mean_the_same_as_bytes(cli: Cli):
    array = np.random.default_rng(0).integers(0, 256, (3, 64, 48, 3), np.uint8)
    np.save(cli.cwd / "bytes.npy", array)
    np.save(cli.cwd / "floats.npy", (array / 255).astype(np.float32))
    cli.json("label", "bytes.npy", "floats.npy", "--model", MODEL, "--out", "o.csv")
    rows = read_csv(cli.cwd / "o.csv")
    assert [row["image"] for row in rows] == [f"{kind}.npy#{n}" for kind in ("bytes", "floats") for n in range(3)]
    for of_bytes, of_floats in zip(rows[:3], rows[3:], strict=True):
        best, also_best = json.loads(of_bytes["topk"]), json.loads(of_floats["topk"])
        assert [choice["label_id"] for choice in best] == [choice["label_id"] for choice in also_best]
        # Equal images in different places of a batch agree to the last digits but one.
        scores, other_scores = ([choice["score"] for choice in choices] for choices in (best, also_best))
        assert scores == pytest.approx(other_scores, abs=1e-5)


def test_help_does_not_import_what_it_does_not_need():
    script = (
        "import sys; sys.argv = ['labelyard', '--help']\n"
        "from orchestrator.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'cv2', 'numpy', 'sqlalchemy', 'celery', 'pydantic', 'pyarrow'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_label_does_not_import_tensorflow_in_the_orchestrator(cli: Cli, photographs: Photographs):
    photographs(1)
    script = (
        "import sys; sys.argv = ['labelyard', 'label', 'photographs', '--model', sys.argv[1]]\n"
        "from orchestrator.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'keras' not in sys.modules and 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, MODEL], env=cli.env, cwd=cli.cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
