"""`.keras` files: `keras.saving.load_model` reads them without Labelyard."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# The file is a zip; Keras leaves members alone that it does not know.
METADATA_MEMBER = "labelyard.json"


def write_keras(path: Path, model: "keras.Model", metadata: Mapping[str, str]) -> None:
    """Write a model.

    Args:
        path: ends in `.keras`.
        model: of Keras' own layers.
        metadata: text that goes with it, as JSON texts by name; one JSON object in the member `labelyard.json`.
    """
    model.save(path)
    fields = ", ".join(f'"{name}": {text}' for name, text in metadata.items())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA_MEMBER, f"{{{fields}}}")
