"""Models as tables and sentences on standard output."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from core.training import TrainingRecord
from orchestrator.cli.printing import console, count, print_line, printable
from orchestrator.comparing import Comparison
from orchestrator.models import EvaluationSummary, ModelSummary
from orchestrator.summary import JobSummary
from orchestrator.times import when

# Differences that chance makes less often than this are taken for real.
SIGNIFICANT_P = 0.05

_STATE_STYLES = {"champion": "bold green", "ready": "green", "training": "cyan", "failed": "red", "cancelled": "dim"}


def print_models(summaries: Sequence[ModelSummary]) -> None:
    """Print a table of models."""
    if not summaries:
        print_line("No models of your own yet. `labelyard train DATASET --name NAME` makes the first.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", "state", "backbone", "mode"):
        table.add_column(heading, no_wrap=True)
    for heading in ("classes", "images", "accuracy", "calibration error"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("trained", no_wrap=True)
    for summary in summaries:
        held_out = summary.held_out
        table.add_row(
            summary.model,
            Text(summary.state, style=_STATE_STYLES.get(summary.state, "")),
            summary.backbone,
            summary.mode,
            str(len(summary.classes)),
            "" if summary.record is None else f"{num_images(summary.record):,}",
            "" if held_out is None else f"{held_out.accuracy:.1%}",
            "" if held_out is None else f"{held_out.ece:.3f}",
            when(summary.created_at),
        )
    console().print(table)


def print_trained(summary: ModelSummary, job: JobSummary) -> None:
    """Print what a training came to."""
    record = summary.record
    if record is None:
        return
    print_line(
        f"Trained {summary.model} ({summary.mode} on {summary.backbone}) in {record.duration_s:.1f} s: "
        f"{count(record.num_epochs, 'epoch')}, the best was {record.best_epoch}"
    )
    _print_evaluations(summary.evaluations)
    _print_baseline(record)
    for line in _remarks(summary, record, job):
        print_line(line)


def print_model(summary: ModelSummary) -> None:
    """Print one model in full."""
    record = summary.record
    rows: list[tuple[str, Text | str]] = [
        ("model", summary.model),
        ("state", Text(summary.state, style=_STATE_STYLES.get(summary.state, ""))),
        ("backbone", f"{summary.backbone}, {summary.mode}, resize {summary.resize}"),
        ("classes", printable(", ".join(summary.classes))),
        ("trained", when(summary.created_at) + (f" by job {summary.job_id}" if summary.job_id else "")),
        ("champion then", summary.parent or "none"),
    ]
    if record is not None:
        rows += [
            ("parameters", f"{record.num_trainable:,} trained, {record.num_frozen:,} as published"),
            ("epochs", f"{record.num_epochs}, the best was {record.best_epoch}"),
            ("seed", str(record.options["seed"])),
        ]
        rows += [("tried" if not number else "", _trial(trial)) for number, trial in enumerate(record.trials)]
        rows += [(f"{split} images", _by_class(counts)) for split, counts in record.num_images.items()]
    if summary.temperature is not None:
        rows.append(("temperature", f"{summary.temperature:.3f}"))
    if summary.fingerprint is not None:
        rows.append(("fingerprint", summary.fingerprint))
    grid = Table.grid(padding=(0, 2))
    for heading, value in rows:
        grid.add_row(Text(heading, style="bold"), value)
    console().print(grid)
    _print_evaluations(summary.evaluations)
    if record is not None:
        _print_baseline(record)
        for note in record.notes:
            print_line(note)


def print_comparison(comparison: Comparison) -> None:
    """Print two models side by side, and what can be said of the difference."""
    first, second = comparison.first, comparison.second
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for summary in (first, second):
        table.add_column(summary.model, justify="right")
    held_out = (first.held_out, second.held_out)
    rows: list[tuple[str, list[str]]] = [
        ("state", [first.state, second.state]),
        ("trained", [f"{summary.mode} on {summary.backbone}" for summary in (first, second)]),
        ("accuracy, held out", ["" if found is None else f"{found.accuracy:.1%}" for found in held_out]),
        ("macro F1, held out", ["" if found is None else f"{found.macro_f1:.3f}" for found in held_out]),
        ("calibration error", ["" if found is None else f"{found.ece:.3f}" for found in held_out]),
        ("held-out images", ["" if found is None else f"{found.num_images:,}" for found in held_out]),
    ]
    if comparison.first_accuracy is not None and comparison.second_accuracy is not None:
        accuracies = [comparison.first_accuracy, comparison.second_accuracy]
        rows.append((f"accuracy on {comparison.num_common:,} in common", [f"{value:.1%}" for value in accuracies]))
    rows += [(f"accuracy on {name}", [f"{one:.1%}", f"{other:.1%}"]) for name, one, other in comparison.datasets]
    for heading, values in rows:
        table.add_row(printable(heading), *values)
    console().print(table)
    print_line(_verdict(comparison))


def _verdict(comparison: Comparison) -> str:
    first, second = comparison.first.model, comparison.second.model
    if comparison.p_value is None:
        return (
            "They have no held-out image in common, so the figures above are of different images. "
            f"Measure both on the same: labelyard evaluate {first} --on DATASET"
        )
    counts = (
        f"Only {first} is right on {comparison.num_only_first_right:,}, only {second} on "
        f"{comparison.num_only_second_right:,} of the {count(comparison.num_common, 'image')} in common"
    )
    if comparison.p_value < SIGNIFICANT_P:
        return f"{counts}: a difference that chance alone makes in {comparison.p_value:.1%} of such comparisons."
    return f"{counts}: not enough to tell them apart (p = {comparison.p_value:.2f})."


def num_images(record: TrainingRecord) -> int:
    """How many images a model was trained and measured with."""
    return sum(sum(counts.values()) for counts in record.num_images.values())


def _print_evaluations(evaluations: Sequence[EvaluationSummary]) -> None:
    if not evaluations:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("images of")
    for heading in ("images", "accuracy", "macro F1", "calibration error"):
        table.add_column(heading, justify="right")
    for found in evaluations:
        table.add_row(
            printable(found.split or found.dataset),
            f"{found.num_images:,}",
            f"{found.accuracy:.1%}",
            f"{found.macro_f1:.3f}",
            f"{found.ece:.3f}",
        )
    console().print(table)


def _print_baseline(record: TrainingRecord) -> None:
    if record.zero_shot is None:
        return
    accuracy = record.zero_shot["accuracy"]
    if accuracy is not None:
        print_line(f"Without training, the network's ImageNet classes are right for {accuracy:.1%} of the same images.")
        return
    print_line(
        f"Without training, the network cannot say {', '.join(record.zero_shot['unmatched'])}: ImageNet has no such "
        "class."
    )


def _remarks(summary: ModelSummary, record: TrainingRecord, job: JobSummary) -> list[str]:
    remarks = list(record.notes)
    if record.num_bad:
        remarks.append(
            f"{count(record.num_bad, 'image')} could not be read and {'was' if record.num_bad == 1 else 'were'} left "
            f"out; `labelyard export {job.job_id} --out images.csv` names them."
        )
    if record.num_features_computed or record.num_features_reused:
        remarks.append(f"Features: {record.num_features_computed:,} computed, {record.num_features_reused:,} reused.")
    name = summary.model.partition("@")[0]
    if summary.state == "champion":
        remarks.append(f"It is the champion of {name!r}: labelyard label PHOTOS --model {name}")
    else:
        remarks.append(
            f"It is not in use yet. Look: labelyard models compare {name} {summary.model}. "
            f"Use it: labelyard models promote {summary.model}"
        )
    return remarks


def _by_class(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _trial(trial: Mapping[str, Any]) -> str:
    return (
        f"rate {trial['learning_rate']:g}, {trial['num_epochs']} epochs at most, augmentation {trial['augment']}: "
        f"validation loss {trial['val_loss']:.4f}"
    )
