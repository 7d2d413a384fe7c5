"""What a human look is worth: accuracy after each round of `review next`, chosen images against random ones.

    python -m benchmarks.active_learning DATASET [--rounds 5] [--count 20] [--start 20] [--seeds 0 1 2]

DATASET has `train/` and `val/` with a folder per class. Training begins with a few images of each class; each round
labels the others with the newest version, asks which are worth a look, answers with the names of their folders, and
trains again by a schedule. `val` is the frozen test part: nothing is chosen by it. All of it is done by the program's
own commands.
"""

import argparse
import csv
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import labelyard, places

STRATEGIES = ("mixed", "random", "uncertain", "diverse")
MODEL = "looked-at"
RESULTS = places.OUT / "active_learning.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is labelled, and how often."""

    dataset: Path
    backbone: str
    num_start: int  # images of each class to begin with
    num_rounds: int
    count: int  # images in each round


@dataclass(frozen=True, slots=True)
class Course:
    """One strategy with one seed."""

    strategy: str
    seed: int
    accuracies: tuple[float, ...]  # on `val`: before the first round, then after each


def main() -> None:
    """Run all strategies with all seeds, and print the table."""
    options = _options()
    plan = Plan(Path(options.dataset).resolve(), options.backbone, options.start, options.rounds, options.count)
    courses = []
    for seed in options.seeds:
        for strategy in options.strategies:
            courses.append(run(plan, strategy, seed))
            print(
                f"{strategy} {seed}: {' '.join(f'{accuracy:.1%}' for accuracy in courses[-1].accuracies)}", flush=True
            )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([[course.strategy, course.seed, course.accuracies] for course in courses]))
    print(table(courses, plan))


def run(plan: Plan, strategy: str, seed: int) -> Course:
    """Label, look, answer, train; round after round."""
    with labelyard.fresh_home() as env, tempfile.TemporaryDirectory() as folder:
        start, pool = _divide(plan, Path(folder), seed)
        labelyard.run(
            "train", start, "--test", plan.dataset / "val", "--name", MODEL, "--backbone", plan.backbone,
            "--seed", seed, env=env,
        )  # fmt: skip
        labelyard.run(
            "schedule", "add", "--name", "rounds", "--model", MODEL, "--cron", "0 0 1 1 *",
            "--promote-if", "accuracy>=0", env=env,
        )  # fmt: skip
        accuracies = [_accuracy_of_first(env)]
        for _ in range(plan.num_rounds):
            newest = f"{MODEL}@{len(accuracies)}"
            job_id = labelyard.run("label", pool, "--model", newest, env=env)["job_id"]
            _answer(plan, env, strategy=strategy, seed=seed, job_id=job_id, folder=Path(folder))
            entry = labelyard.run("schedule", "run", "rounds", env=env)
            accuracies.append(entry["verdict"]["challenger"]["accuracy"])
    return Course(strategy, seed, tuple(accuracies))


def table(courses: Sequence[Course], plan: Plan) -> str:
    """The courses as Markdown: the mean over the seeds, and the range."""
    strategies = list(dict.fromkeys(course.strategy for course in courses))
    lines = [f"| images | {' | '.join(f'`{name}`' for name in strategies)} |", "| ---: |" + " --- |" * len(strategies)]
    num_classes = len(list((plan.dataset / "train").iterdir()))
    for number in range(plan.num_rounds + 1):
        cells = []
        for strategy in strategies:
            found = [course.accuracies[number] for course in courses if course.strategy == strategy]
            cells.append(f"{statistics.mean(found):.1%} ({', '.join(f'{accuracy:.1%}' for accuracy in found)})")
        lines.append(f"| {plan.num_start * num_classes + plan.count * number} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _divide(plan: Plan, folder: Path, seed: int) -> tuple[Path, Path]:
    """Link a few images of each class to begin with, and all others, whose names say nothing, into one folder."""
    start, pool = folder / "start", folder / "pool"
    pool.mkdir()
    rng = random.Random(seed)  # noqa: S311 - which images are drawn is no secret
    others = []
    for class_folder in sorted((plan.dataset / "train").iterdir()):
        images = sorted(class_folder.iterdir())
        rng.shuffle(images)
        (start / class_folder.name).mkdir(parents=True)
        for image in images[: plan.num_start]:
            (start / class_folder.name / image.name).symlink_to(image)
        others += images[plan.num_start :]
    rng.shuffle(others)
    for number, image in enumerate(others):
        (pool / f"{number:05d}{image.suffix}").symlink_to(image)
    return start, pool


def _answer(plan: Plan, env: Mapping[str, str], *, strategy: str, seed: int, job_id: int, folder: Path) -> None:
    """Ask what is worth a look, and say what it shows, as the name of its folder does."""
    sheet = folder / "look.csv"
    labelyard.run(
        "review", "next", "--model", MODEL, "--job", job_id, "--count", plan.count, "--strategy", strategy,
        "--seed", seed, "--out", sheet, env=env,
    )  # fmt: skip
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = Path(row["image"]).resolve().parent.name
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    labelyard.run("labels", "import", sheet, "--model", MODEL, env=env)


def _accuracy_of_first(env: Mapping[str, str]) -> float:
    evaluations = labelyard.run("models", "show", MODEL, env=env)["evaluations"]
    return float(next(found["accuracy"] for found in evaluations if found["split"] == "test"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", help="folder with train/ and val/")
    parser.add_argument("--backbone", default="mobilenet-0.25")
    parser.add_argument("--start", type=int, default=20, help="images of each class to begin with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20, help="images in each round")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=["mixed", "random"])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
