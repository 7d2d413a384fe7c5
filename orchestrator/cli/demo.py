"""`labelyard demo`: label a few example photographs, to see that everything works."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one machine-readable object.")]

# The first of these whose weights are in the Keras cache is taken; the first of all is downloaded if none is.
DEMO_MODELS = ("mobilenet", "mobilenet-0.75", "mobilenet-0.25")
# Photographs that the scikit-image package ships: a cat, a cup of coffee, a rocket, a motorcycle.
DEMO_PHOTOGRAPHS = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


def demo(*, as_json: AsJson = False) -> None:
    """Label a few example photographs and say where the results are."""
    from core.jobs import LabelOptions
    from orchestrator.cli.context import open_context
    from orchestrator.cli.printing import print_line
    from orchestrator.cli.running import Outputs, run
    from orchestrator.submitting import LabelRequest
    from workers.ml.catalog import get_backbone
    from workers.ml.weights import is_cached

    photographs = _find_photographs()
    model = next((name for name in DEMO_MODELS if is_cached(get_backbone(name))), DEMO_MODELS[0])
    request = LabelRequest([str(path) for path in photographs], [model], LabelOptions(), name="demo")
    with open_context() as context:
        folder = context.settings.home.expanduser() / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        outputs = Outputs(out=folder / "labels.csv", figure=folder / "labels.png", as_json=as_json)
        if not as_json:
            print_line(f"Labelling {len(photographs)} photographs with {model}.")
        run(context, request, outputs)


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
