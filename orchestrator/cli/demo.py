"""`labelyard demo`: the whole product on example images, to see that everything works."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.training import TrainOptions
    from orchestrator.cli.context import Context
    from orchestrator.cli.running import Accept, Outputs
    from orchestrator.summary import JobSummary

AsJson = Annotated[bool, typer.Option("--json", help="Print one machine-readable object.")]

# The first of these whose weights are in the Keras cache is taken; the first of all is downloaded if none is.
DEMO_MODELS = ("mobilenet", "mobilenet-0.75", "mobilenet-0.25")
# What is trained where no published weights can be had: small enough to be trained from nothing in half a minute.
SCRATCH_BACKBONE = "lenet-5"
SCRATCH_EPOCHS = 60
# Photographs that the scikit-image package ships: a cat, a cup of coffee, a rocket, a motorcycle.
DEMO_PHOTOGRAPHS = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
# What the demo calls its model.
MODEL_NAME = "demo"


@dataclass(frozen=True, slots=True)
class _Demo:
    """What the steps of the demo share."""

    context: "Context"
    folder: Path
    as_json: bool

    def say(self, text: str) -> None:
        from orchestrator.cli.printing import print_line

        if not self.as_json:
            print_line(text)


def demo(*, as_json: AsJson = False) -> None:
    """Label example photographs, then train a classifier on drawn pictures and label more of them with it.

    Without published weights there are no photographs to label; the classifier then learns from nothing.
    """
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_json

    with open_context() as context:
        folder = context.settings.home.expanduser() / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        steps = _Demo(context, folder, as_json)
        weights, problem = _find_weights()
        if weights is None:
            steps.say(f"No published weights can be had, so the demo trains from random ones. {problem}")
        photographs = None if weights is None else _label_photographs(steps, weights)
        drawn = _train_on_drawings(steps, weights)
    if as_json:
        print_json({"weights": weights or "random", "photographs": photographs} | drawn)


def _find_weights() -> tuple[str | None, str]:
    """The network whose published weights are here or can be downloaded; else why there is none."""
    from core.errors import WeightsError
    from workers.ml.catalog import get_backbone
    from workers.ml.weights import ensure_weights, is_cached

    name = next((name for name in DEMO_MODELS if is_cached(get_backbone(name))), DEMO_MODELS[0])
    try:
        ensure_weights(get_backbone(name))
    except WeightsError as error:
        return None, str(error)
    return name, ""


def _label_photographs(steps: _Demo, model: str) -> dict[str, Any]:
    from functools import partial

    from orchestrator.cli.running import Outputs
    from orchestrator.submitting import LabelRequest, submit

    photographs = [str(path) for path in _find_photographs()]
    steps.say(f"Labelling {len(photographs)} photographs with {model}.")
    outputs = Outputs(steps.folder / "labels.csv", steps.folder / "labels.png", as_json=steps.as_json)
    request = LabelRequest(photographs, [model], name="demo")
    return _run(steps, partial(submit, request=request), outputs).to_json()


def _train_on_drawings(steps: _Demo, weights: str | None) -> dict[str, Any]:
    from functools import partial

    from core.training import TrainOptions
    from core.types import ResizeMode
    from db.models import latest_model
    from orchestrator.cli.running import Outputs
    from orchestrator.drawing import draw_demo
    from orchestrator.reporting import write_report
    from orchestrator.submitting import LabelRequest, submit
    from orchestrator.training import DatasetRequest, TrainRequest, submit_training

    context, folder = steps.context, steps.folder / "drawings"
    drawn = draw_demo(folder)
    steps.say("")
    steps.say(f"Drew {drawn.num_train} pictures to train on, {drawn.num_test} to test and {len(drawn.truth)} more.")
    options = TrainOptions(backbone=weights or SCRATCH_BACKBONE, classes=(), resize=ResizeMode.STRETCH)
    if weights is None:
        options = _from_scratch(options)
    request = TrainRequest(DatasetRequest(str(folder)), MODEL_NAME, options)
    steps.say(
        f"Training {MODEL_NAME!r}: {options.mode} on {options.backbone}, "
        f"{'random' if weights is None else 'published'} weights."
    )
    _run(steps, partial(submit_training, request=request), Outputs(as_json=steps.as_json))
    with context.database.read() as session:
        newest = latest_model(session, MODEL_NAME)
        model = newest.label if newest is not None else MODEL_NAME
    labels = steps.folder / "drawings.csv"
    steps.say("")
    label = LabelRequest([str(folder / "unlabelled")], [model], name="demo")
    _run(steps, partial(submit, request=label), Outputs(labels, as_json=steps.as_json))
    accuracy = _accuracy(labels, drawn.truth)
    report = steps.folder / "report.html"
    write_report(context.database, context.settings, model, report)
    steps.say("")
    steps.say(f"{model} is right on {accuracy:.1%} of the {len(drawn.truth)} pictures that it had never seen.")
    steps.say(f"Wrote {report}")
    return {"model": model, "mode": str(options.mode), "accuracy": accuracy, "report": str(report)}


def _run(steps: _Demo, accept: "Accept", outputs: "Outputs") -> "JobSummary":
    from core.types import JobState
    from orchestrator.cli.reporting import QuietReporter
    from orchestrator.cli.running import exit_with, finish, run

    if steps.as_json:
        submitted = accept(steps.context.database, steps.context.settings)
        summary = finish(steps.context, submitted.job_id, outputs, reporter=QuietReporter())
    else:
        summary = run(steps.context, accept, outputs)
    if summary.state is not JobState.DONE:
        exit_with(summary)
    return summary


def _from_scratch(options: "TrainOptions") -> "TrainOptions":
    from dataclasses import replace

    from core.types import Augment, TrainMode

    return replace(options, mode=TrainMode.SCRATCH, num_epochs=SCRATCH_EPOCHS, patience=0, augment=Augment.LIGHT)


def _accuracy(labels: Path, truth: "Mapping[str, str]") -> float:
    """The share of lines whose label is what was drawn; names are compared without their folders."""
    import csv

    with labels.open(newline="", encoding="utf-8") as file:
        right = [truth[Path(row["image"]).name] == row["label"] for row in csv.DictReader(file)]
    return sum(right) / len(right)


def _find_photographs() -> list[Path]:
    from importlib.util import find_spec

    from core.errors import SetupError

    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise SetupError(
            "The example photographs come with scikit-image, which is not installed. "
            "Run `pip install 'labelyard[demo]'`, or label photographs of your own: `labelyard label FOLDER`."
        )
    return [Path(package.origin).parent / "data" / name for name in DEMO_PHOTOGRAPHS]
