"""Labelling a folder of mutated images with the real program, and what came of it. Knows nothing of pytest."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fuzz.mutations import make_files
from fuzz.seeds import make_picture, pillow
from program import MODEL, Cli, read_csv

# Of so many files one is whole.
GOOD_EVERY = 10
NUM_GOOD_PICTURES = 10
# An image that takes longer is a finding.
MAX_IMAGE_S = 5.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of a run."""

    rows: list[dict[str, str]]
    num_files: int
    good_labels: dict[str, str]  # of the whole images, by name, as they were labelled among themselves
    num_deaths: int  # of workers, by the ledger's count
    peak_bytes: int  # of the largest worker's resident memory
    duration_s: float

    @property
    def reasons(self) -> Counter[str]:
        """How many error rows have which reason."""
        return Counter(row["error"].partition(":")[0] for row in self.rows if row["error"])

    @property
    def num_labelled(self) -> int:
        """How many images have a label."""
        return sum(bool(row["label"]) for row in self.rows)

    def problems(self, *, max_bytes: int) -> list[str]:
        """What must not have happened, in words; empty if all is well."""
        labels = {row["image"].rpartition("/")[2]: row["label"] for row in self.rows}
        wrong = sorted(name for name, label in self.good_labels.items() if labels.get(name) != label)
        killers = {reason: self.reasons[reason] for reason in ("timed_out", "out_of_memory", "decoder_crashed")}
        found = {
            f"{len(self.rows)} rows, {len(labels)} images of {self.num_files} files": not (
                len(self.rows) == len(labels) == self.num_files
            ),
            f"whole images with another label: {wrong}": bool(wrong),
            f"{self.num_deaths} workers died": self.num_deaths > 0,
            f"images that killed or stopped a decoder: {killers}": any(killers.values()),
            f"a worker took {self.peak_bytes / 1e6:.0f} MB": self.peak_bytes > max_bytes,
        }
        return [words for words, is_so in found.items() if is_so]


def fuzz(cli: Cli, *, seed: int, number: int) -> Findings:
    """Label that many mutated images, with whole ones among them."""
    good = cli.cwd / "good"
    mutated = cli.cwd / "mutated"
    for folder in (good, mutated):
        folder.mkdir()
    for index in range(NUM_GOOD_PICTURES):
        (good / f"{index}.png").write_bytes(pillow("PNG")(make_picture(index)))
    assert cli("label", "good", "--model", MODEL, "--out", "good.csv").returncode == 0
    label_of = {Path(row["image"]).stem: row["label"] for row in read_csv(cli.cwd / "good.csv")}
    good_labels = {}
    for index, (name, data) in enumerate(make_files(seed, number)):
        (mutated / name).write_bytes(data)
        if index % GOOD_EVERY == 0:
            stem = str(index // GOOD_EVERY % NUM_GOOD_PICTURES)
            sibling = f"{index:05d}-whole.png"
            (mutated / sibling).write_bytes((good / f"{stem}.png").read_bytes())
            good_labels[sibling] = label_of[stem]
    started_at_s = time.monotonic()
    # Features are not kept: equal pictures would be decoded once.
    running = cli.start(
        *("label", "mutated", "--model", MODEL, "--no-features", "--out", "mutated.csv"),
        LABELYARD_MAX_IMAGE_S=str(MAX_IMAGE_S),
    )
    peak_bytes = 0
    while running.poll() is None:
        peak_bytes = max([peak_bytes, *_peaks(running.pid)])
        time.sleep(0.1)
    assert running.stdout is not None
    assert running.returncode == 0, running.stdout.read()
    return Findings(
        rows=read_csv(cli.cwd / "mutated.csv"),
        num_files=number + len(good_labels),
        good_labels=good_labels,
        num_deaths=int(cli.query("SELECT coalesce(sum(deaths), 0) FROM chunk")[0][0]),
        peak_bytes=peak_bytes,
        duration_s=time.monotonic() - started_at_s,
    )


def summary(findings: Findings) -> str:
    """The figures as JSON."""
    return json.dumps(
        {
            "files": findings.num_files,
            "labelled": findings.num_labelled,
            "errors": dict(findings.reasons.most_common()),
            "worker_deaths": findings.num_deaths,
            "peak_worker_mb": round(findings.peak_bytes / 1e6),
            "duration_s": round(findings.duration_s, 1),
        },
        indent=2,
    )


def _peaks(pid: int) -> list[int]:
    """The most that each child of a process has had in memory so far, in bytes. Source: proc(5), VmHWM."""
    peaks = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                status = dict(line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
                peaks.append(int(status["VmHWM"].split()[0]) * 1024)
        except (OSError, KeyError):
            continue  # it has ended meanwhile
    return peaks
