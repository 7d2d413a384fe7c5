"""Prints a backbone's layers: `python -m workers.ml.summary NAME`. A process of its own, because it imports Keras."""

import os
import sys

from workers.ml.backbones import build_classifier
from workers.ml.catalog import get_backbone
from workers.streams import redirect_native_output

LINE_LENGTH = 110


def main() -> None:
    """Build the network without weights and print its layers."""
    out = redirect_native_output()
    # Keras lets rich print, which takes a pipe for 80 columns wide and drops what does not fit.
    os.environ["COLUMNS"] = str(LINE_LENGTH)
    spec = get_backbone(sys.argv[1])
    classifier = build_classifier(spec, weights=None, seed=0)
    classifier.summary(line_length=LINE_LENGTH, print_fn=lambda text: out.write(text + "\n"))
    out.write(f"Features: the output of layer {spec.feature_layer!r}, {spec.feature_size:,} numbers per image.\n")
    out.flush()


if __name__ == "__main__":
    main()
