"""`labelyard backbones` and `labelyard show`: what can be applied."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.ml.catalog import BackboneSpec

AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable output.")]


def backbones(*, as_json: AsJson = False) -> None:
    """List every backbone: input size, parameters, feature size, whether its weights are in the cache."""
    from rich.table import Table

    from orchestrator.backbones import list_backbones
    from orchestrator.cli.printing import console, print_json, print_line
    from workers.ml.catalog import BACKBONES
    from workers.ml.weights import keras_home

    if as_json:
        print_json([summary.to_json() for summary in list_backbones()])
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("backbone")
    for heading in ("input", "parameters", "features"):
        table.add_column(heading, justify="right")
    table.add_column("weights")
    for spec in BACKBONES.values():
        height, width = spec.size_hw
        size = f"{height}x{width}"
        table.add_row(spec.name, size, f"{spec.num_parameters:,}", f"{spec.feature_size:,}", _weights_state(spec))
    console().print(table)
    print_line(f"Weights are looked for in {keras_home()} (KERAS_HOME), below `models`.")


def show(
    backbone: Annotated[str, typer.Argument(help="A name that `labelyard backbones` lists.", metavar="BACKBONE")],
) -> None:
    """Show a backbone's layers."""
    import subprocess
    import sys

    from core.errors import SetupError
    from workers.ml.catalog import get_backbone

    spec = get_backbone(backbone)
    # Only a child process imports TensorFlow.
    command = [sys.executable, "-P", "-m", "workers.ml.summary", spec.name]
    child = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if child.returncode != 0:
        raise SetupError(f"The layers of {spec.name} cannot be shown: {child.stderr.strip().splitlines()[-1]}")
    sys.stdout.write(child.stdout)


def _weights_state(spec: "BackboneSpec") -> str:
    from workers.ml.weights import is_cached

    if not spec.is_published:
        return "[dim]none: scratch only[/]"
    return "[green]cached[/]" if is_cached(spec) else "[dim]Keras downloads them[/]"
