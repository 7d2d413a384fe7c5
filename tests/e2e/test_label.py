"""The main job, from files to a file, in real processes."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from program import MODEL, Cli, wait_for

Photographs = Callable[..., Path]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_one_line_per_image_in_source_order(cli: Cli, photographs: Photographs):
    photographs(7)
    done = cli("label", "photographs", "--model", MODEL, "--out", "labels.csv", "--chunk-size", "3")
    assert done.returncode == 0, done.stderr
    rows = read_csv(cli.cwd / "labels.csv")
    assert list(rows[0]) == ["image", "label", "label_id", "score", "topk", "error"]
    assert [row["image"] for row in rows] == [f"photographs/{n:05d}.jpg" for n in range(7)]
    for row in rows:
        best, *others = json.loads(row["topk"])
        assert (best["label"], best["label_id"], best["score"]) == (row["label"], row["label_id"], float(row["score"]))
        assert len(others) == 4
        scores = [choice["score"] for choice in (best, *others)]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1
        assert row["error"] == ""
    assert "7 images, 7 labelled, 0 errors" in done.stdout


def test_csv_jsonl_and_parquet_say_the_same(cli: Cli, photographs: Photographs):
    photographs(3)
    (cli.cwd / "photographs" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    job_id = cli.json("label", "photographs", "--model", MODEL)["job_id"]
    for name in ("o.csv", "o.jsonl", "o.parquet"):
        done = cli("export", str(job_id), "--out", name)
        assert done.returncode == 0, done.stderr
    from_jsonl = [json.loads(line) for line in (cli.cwd / "o.jsonl").read_text().splitlines()]
    assert pq.read_table(cli.cwd / "o.parquet").to_pylist() == from_jsonl
    for csv_row, row in zip(read_csv(cli.cwd / "o.csv"), from_jsonl, strict=True):
        assert csv_row["image"] == row["image"]
        assert csv_row["label"] == (row["label"] or "")
        assert json.loads(csv_row["topk"] or "[]") == row["topk"]
        assert csv_row["error"] == (row["error"] or "")
    assert [row["image"] for row in from_jsonl if row["error"]] == ["photographs/broken.jpg"]


def test_json_is_one_object_with_the_counts(cli: Cli, photographs: Photographs):
    photographs(4)
    (cli.cwd / "photographs" / "empty.png").touch()
    (cli.cwd / "photographs" / "notes.txt").write_text("not an image and not named like one")
    summary = cli.json("label", "photographs", "--model", MODEL)
    assert summary["state"] == "done"
    assert (summary["num_images"], summary["num_predictions"], summary["num_errors"]) == (5, 4, 1)
    assert summary["errors"] == {"empty_file": 1}
    assert summary["num_skipped"] == 1
    assert summary["seconds"] > 0
    assert summary["images_per_s"] > 0
    assert summary == cli.json("jobs", "show", str(summary["job_id"])) | {"out": None, "figure": None}


def test_strict_turns_image_errors_into_exit_code_4(cli: Cli, photographs: Photographs):
    photographs(2)
    (cli.cwd / "photographs" / "empty.png").touch()
    assert cli("label", "photographs", "--model", MODEL).returncode == 0
    assert cli("label", "photographs", "--model", MODEL, "--strict").returncode == 4


def test_a_single_image_prints_its_top_five_with_percentages(cli: Cli, photographs: Photographs):
    photographs(1)
    done = cli("label", "photographs/00000.jpg", "--model", MODEL)
    lines = done.stdout.splitlines()
    assert lines[0] == "photographs/00000.jpg"
    assert sum("%" in line for line in lines) == 5


def test_a_figure_shows_the_images(cli: Cli, photographs: Photographs):
    photographs(3)
    done = cli("label", "photographs", "--model", MODEL, "--figure", "sheet.png")
    assert done.returncode == 0, done.stderr
    assert (cli.cwd / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_names_with_foreign_bytes_quotes_and_newlines_come_out_intact(cli: Cli, photographs: Photographs):
    folder = photographs(1)
    names = [b"caf\xe9.jpg", b'quo"te, comma.jpg', b"new\nline\r.jpg", "日本.jpg".encode(), b"back\\slash.jpg"]
    for name in names:
        (folder / os.fsdecode(name)).write_bytes((folder / "00000.jpg").read_bytes())
    (folder / "00000.jpg").unlink()
    done = cli("label", "photographs", "--model", MODEL, "--out", "o.csv")
    assert done.returncode == 0, done.stderr
    found = {os.fsencode(row["image"].removeprefix("photographs/")) for row in read_csv(cli.cwd / "o.csv")}
    assert found == set(names)
    cli("export", "1", "--out", "o.jsonl")
    from_jsonl = [json.loads(line)["image"] for line in (cli.cwd / "o.jsonl").read_text().splitlines()]
    assert {os.fsencode(name.removeprefix("photographs/")) for name in from_jsonl} == set(names)


def test_two_files_with_the_same_content_are_two_rows(cli: Cli, photographs: Photographs):
    folder = photographs(1)
    (folder / "copy.jpg").write_bytes((folder / "00000.jpg").read_bytes())
    cli("label", "photographs", "--model", MODEL, "--out", "o.csv")
    first, second = read_csv(cli.cwd / "o.csv")
    assert first["image"] != second["image"]
    assert first["topk"] == second["topk"]


def test_an_array_names_its_items(cli: Cli):
    array = np.random.default_rng(0).random((3, 64, 48, 3), np.float32)
    np.save(cli.cwd / "array.npy", array)
    cli("label", "array.npy", "--model", MODEL, "--out", "floats.csv")
    np.save(cli.cwd / "array.npy", (array * 255).round().astype(np.uint8))
    cli("label", "array.npy", "--model", MODEL, "--out", "bytes.csv")
    floats, integers = read_csv(cli.cwd / "floats.csv"), read_csv(cli.cwd / "bytes.csv")
    assert [row["image"] for row in floats] == ["array.npy#0", "array.npy#1", "array.npy#2"]
    assert [row["topk"] for row in floats] == [row["topk"] for row in integers]


def test_ctrl_c_leaves_a_job_that_the_same_command_finishes(cli: Cli, photographs: Photographs):
    photographs(400)
    command = ("label", "photographs", "--model", MODEL, "--chunk-size", "20", "--out", "o.csv")
    running = cli.start(*command)
    done_before = wait_for(lambda: num_done_chunks(cli), "a finished chunk")
    os.kill(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[0]
    assert running.returncode == 130, said
    assert "jobs resume 1" in said
    job = cli.json("jobs", "show", "1")
    assert job["state"] == "paused"
    assert "jobs resume 1" in job["waits_for"]
    assert not (cli.cwd / "o.csv").exists()
    attempts = attempts_of_done_chunks(cli)
    assert len(attempts) >= done_before

    again = cli(*command)
    assert again.returncode == 0, again.stderr
    assert "Going on with job 1" in again.stderr
    assert len(read_csv(cli.cwd / "o.csv")) == 400
    assert len(cli.json("jobs")) == 1
    assert attempts.items() <= attempts_of_done_chunks(cli).items(), "finished chunks are not done again"


def test_jobs_resume_finishes_what_a_killed_command_left(cli: Cli, photographs: Photographs):
    photographs(300)
    running = cli.start("label", "photographs", "--model", MODEL, "--chunk-size", "20")
    wait_for(lambda: num_done_chunks(cli), "a finished chunk")
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    done = cli("jobs", "resume", "1", "--out", "o.csv", LABELYARD_LEASE_S="2", LABELYARD_SWEEP_INTERVAL_S="1")
    assert done.returncode == 0, done.stderr
    assert len(read_csv(cli.cwd / "o.csv")) == 300


def test_a_killed_worker_process_is_replaced_and_every_image_has_one_row(cli: Cli, photographs: Photographs):
    photographs(400)
    running = cli.start("label", "photographs", "--model", MODEL, "--chunk-size", "50", "--out", "o.csv")
    worker = wait_for(lambda: worker_of_a_leased_chunk(cli), "a leased chunk")
    os.kill(worker, signal.SIGKILL)
    said = running.communicate(timeout=120)[0]
    assert running.returncode == 0, said
    rows = read_csv(cli.cwd / "o.csv")
    assert len({row["image"] for row in rows}) == len(rows) == 400
    assert all(row["label"] for row in rows)


def test_retry_mends_the_images_that_can_be_read_by_now(cli: Cli, photographs: Photographs):
    folder = photographs(3)
    good = (folder / "00001.jpg").read_bytes()
    (folder / "00001.jpg").write_bytes(good[: len(good) // 2])
    (folder / "00002.jpg").write_bytes(b"")
    assert cli.json("label", "photographs", "--model", MODEL)["errors"] == {"empty_file": 1, "truncated": 1}
    (folder / "00001.jpg").write_bytes(good)
    retried = cli.json("jobs", "retry", "1")
    assert (retried["num_predictions"], retried["num_errors"], retried["errors"]) == (2, 1, {"empty_file": 1})


def test_a_worker_loads_a_backbone_once_in_its_life(cli: Cli, photographs: Photographs):
    photographs(30)
    summary = cli.json("label", "photographs", "--model", MODEL, "--chunk-size", "5")
    assert summary["num_chunks"] == {"done": 6}
    assert [worker["backbone_loads"] for worker in summary["workers"]] == [{MODEL: 1}]


def test_no_wait_leaves_the_work_to_a_worker(cli: Cli, photographs: Photographs):
    photographs(5)
    accepted = cli.json("label", "photographs", "--model", MODEL, "--no-wait")
    assert (accepted["state"], accepted["num_images"], accepted["is_planned"]) == ("running", 5, True)
    assert "labelyard worker" in accepted["waits_for"]
    worker = cli.start("worker")
    wait_for(lambda: cli.json("jobs", "show", "1")["state"] == "done", "the job's end")
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(30) == 0


def test_two_commands_on_one_sqlite_file_both_end_well(cli: Cli, photographs: Photographs):
    photographs(60, "one")
    photographs(60, "two")
    first = cli.start("label", "one", "--model", MODEL, "--chunk-size", "10", "--out", "one.csv")
    second = cli.start("label", "two", "--model", MODEL, "--chunk-size", "10", "--out", "two.csv")
    for process in (first, second):
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
    assert len(read_csv(cli.cwd / "one.csv")) == len(read_csv(cli.cwd / "two.csv")) == 60


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


def num_done_chunks(cli: Cli) -> int:
    return len(attempts_of_done_chunks(cli))


def attempts_of_done_chunks(cli: Cli) -> dict[int, int]:
    return dict(query(cli, "SELECT id, attempt FROM chunk WHERE state = 'done'"))


def worker_of_a_leased_chunk(cli: Cli) -> int | None:
    rows = query(
        cli,
        "SELECT worker.pid FROM chunk JOIN worker ON worker.id = chunk.worker_id "
        "WHERE chunk.state = 'leased' AND chunk.num_processed > 0",
    )
    return rows[0][0] if rows else None


def query(cli: Cli, sql: str) -> list[tuple[int, ...]]:
    path = Path(cli.env["LABELYARD_HOME"]) / "labelyard.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(path, timeout=30)
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []  # the tables are not there yet
    finally:
        connection.close()
