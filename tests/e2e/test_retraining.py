"""Correcting and retraining from the command line: embedded, and on workers that have only the database."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from program import MODEL, Cli, kill_with_children, wait_for, wait_for_workers

Pictures = Callable[..., Path]
DECIDED = ("promoted", "refused")


@pytest.fixture
def pictures(make_labelled_pictures: Pictures) -> Callable[[Cli], None]:
    """Two classes to learn from, and more images of both."""

    def make(cli: Cli) -> None:
        make_labelled_pictures(cli.cwd / "pictures", num_images=12)
        make_labelled_pictures(cli.cwd / "more", num_images=20)

    return make


def train(cli: Cli) -> None:
    cli.json("train", "pictures", "--name", "shapes", "--backbone", MODEL)


def answer(sheet: Path) -> int:
    """Fill a sheet in, as the folders' names say; returns how many lines it has."""
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = Path(row["image"]).parent.name
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def test_what_people_were_asked_about_is_learned_from(cli: Cli, pictures: Callable[[Cli], None]):
    pictures(cli)
    train(cli)
    labelled = cli.json("label", "more", "--model", "shapes", "--abstain", "0.9", "--out", "labels.csv")
    assert "needs_review" in (cli.cwd / "labels.csv").read_text().splitlines()[0]
    assert labelled["num_to_review"] is not None
    images = cli.json("review", "next", "--count", "6", "--out", "look.csv")
    assert len({image["sha256"] for image in images}) == 6
    assert len(cli.json("review", "list")) == 6
    assert answer(cli.cwd / "look.csv") == 6
    assert cli.json("labels", "import", "look.csv")["num_added"] == 6
    assert cli.json("review", "list") == []
    cli.json("schedule", "add", "--name", "nightly", "--model", "shapes", "--cron", "0 3 * * *", "--tz", "Asia/Seoul")
    assert cli.json("schedule", "run", "nightly")["outcome"] in DECIDED
    again = cli.json("schedule", "run", "nightly")
    assert again["outcome"] == "skipped"
    assert "unchanged" in again["reason"]
    history = cli.json("schedule", "history", "nightly")
    assert [entry["outcome"] for entry in history] == [history[0]["outcome"], "skipped"]
    assert history[0]["verdict"]["paired"]["num_images"] > 0
    shown = cli("schedule", "history", "nightly").stdout
    assert "shapes@2 against shapes@1" in shown
    assert "+0900" in shown


def test_a_promotion_labels_a_job_again_and_what_changed_can_be_written(cli: Cli, pictures: Callable[[Cli], None]):
    pictures(cli)
    train(cli)
    job_id = cli.json("label", "more", "--model", "shapes")["job_id"]
    cli.json(
        "schedule", "add", "--name", "nightly", "--model", "shapes", "--cron", "0 3 * * *", "--data", "more",
        "--promote-if", "accuracy>=0 or not ece>=champion", "--relabel", str(job_id), "--tune",
    )  # fmt: skip
    entry = cli.json("schedule", "run", "nightly")
    if entry["outcome"] == "promoted":
        assert cli.json("jobs", "show", str(entry["relabel_job_id"]))["num_predictions"] == 40
        done = cli("export", str(entry["relabel_job_id"]), "--diff", str(job_id), "--out", "changed.csv")
        assert done.returncode == 0, done.stderr
        assert "of 40 images changed from job" in done.stdout
        assert cli("models", "rollback", "shapes").returncode == 0
        assert [one["outcome"] for one in cli.json("schedule", "history", "nightly")] == ["promoted", "rolled back"]
    else:
        assert "tie" in entry["reason"]
        assert entry["relabel_job_id"] is None


def test_a_run_whose_program_was_killed_is_brought_to_its_end_by_serve(cli: Cli, pictures: Callable[[Cli], None]):
    pictures(cli)
    train(cli)
    cli.json("labels", "import", "more")
    cli.json("schedule", "add", "--name", "nightly", "--model", "shapes", "--cron", "0 3 * * *")

    def outcomes() -> list[str]:
        return [entry["outcome"] for entry in cli.json("schedule", "history", "nightly")]

    running = cli.start("schedule", "run", "nightly")
    wait_for(lambda: outcomes() == ["training"], "a challenger that is being trained")
    kill_with_children(running)
    assert outcomes() == ["training"]
    served = cli.start("serve", LABELYARD_TICK_S="0.5", LABELYARD_LEASE_S="4", LABELYARD_SWEEP_INTERVAL_S="1")
    wait_for(lambda: outcomes()[0] in DECIDED, "the decision")
    kill_with_children(served)
    assert len(outcomes()) == 1


def test_workers_elsewhere_train_and_compare(cluster: Cli, pictures: Callable[[Cli], None]):
    assert cluster("db", "upgrade").returncode == 0
    pictures(cluster)
    cluster.start("worker")
    wait_for_workers(cluster, 1)
    train(cluster)
    assert cluster.json("labels", "import", "more")["num_added"] == 40
    cluster.json("schedule", "add", "--name", "nightly", "--model", "shapes", "--cron", "0 3 * * *")
    entry = cluster.json("schedule", "run", "nightly")
    assert entry["outcome"] in DECIDED
    assert entry["dataset"] == 2
    assert all(cluster.json("jobs", "show", str(job_id))["state"] == "done" for job_id in entry["jobs"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("schedule", "add", "--name", "x", "--model", "nobody", "--cron", "0 3 * * *"),
            "No model called 'nobody' was trained here",
        ),
        (("schedule", "add", "--name", "x", "--model", "nobody", "--cron", "0 3 * *"), "expected five fields"),
        (("schedule", "add", "--name", "x", "--model", "y", "--cron", "0 3 * * *", "--tz", "Seoul"), "Asia/Seoul"),
        (
            ("schedule", "add", "--name", "x", "--model", "y", "--cron", "@daily", "--when", "drfit>1"),
            "Did you mean drift",
        ),
        (("schedule", "history", "nothing"), "There are none yet"),
        (("schedule", "history"), "There are no schedules yet"),
        (("review", "next"), "Say --model NAME"),
        (("labels", "add", "x.jpg", "Hat"), "Say --model NAME"),
        (("labels", "export", "--out", "x.csv", "--format", "yolo"), "Expected one of csv, label-studio, coco"),
        (("label", "job:7"), "job:7 does not exist"),
        (("export", "7", "--diff", "6", "--out", "x.csv"), "There is no job 7"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_exit_code_2(cli: Cli, arguments: tuple[str, ...], words: str):
    done = cli(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
