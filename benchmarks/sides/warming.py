"""Before the first round: converts the networks that will be measured, once for all runs to come."""

import sys

from benchmarks.measurement import print_measurements


def main(suites: list[str]) -> None:
    """Load what the suites need."""
    from core.settings import Settings  # noqa: PLC0415
    from workers.ml.catalog import get_backbone  # noqa: PLC0415
    from workers.ml.loading import load_backbone, load_engine  # noqa: PLC0415
    from workers.ml.networks import NetworkRecipe  # noqa: PLC0415

    if "head" in suites:
        load_engine(NetworkRecipe(get_backbone("vgg16"), is_published=False), Settings())
    load_backbone("mobilenet-0.75", Settings())
    print_measurements({})


if __name__ == "__main__":
    main(sys.argv[1:])
