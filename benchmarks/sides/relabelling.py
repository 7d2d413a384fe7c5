"""Labelling a folder, then labelling it with a new head: what the backbone saw in each image has been kept."""

import sys
from pathlib import Path

from benchmarks import datasets, labelyard
from benchmarks.measurement import print_measurements

NAME = "insects"
# The head need not be good.
NUM_EPOCHS = 3


def main(folder: Path) -> None:
    """Label, train a head on other images, label again with it."""
    with labelyard.fresh_home() as env:
        url = labelyard.sqlite_url(env)
        first = labelyard.label(folder, env=env, database_url=url, options=("--model", labelyard.MODEL))
        training_set = datasets.insects(with_new=False)
        epochs = ("--epochs", str(NUM_EPOCHS))
        labelyard.run("train", training_set, "--name", NAME, "--backbone", labelyard.MODEL, *epochs, env=env)
        again = labelyard.label(folder, env=env, database_url=url, options=("--model", NAME))
    print_measurements({"label_first": first, "label_again": again})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
