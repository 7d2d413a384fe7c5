"""The teaching notebook's way to label an image, as it stands there; run with an image, it is the notebook's script.

Its colours are in the wrong order (BGR where the network expects RGB), which costs it accuracy, not time.
"""

import sys
from pathlib import Path

import cv2
import keras
import numpy as np

SIZE_HW = (224, 224)


def load() -> keras.Model:
    """Load the network."""
    return keras.applications.MobileNet(alpha=0.75, weights="imagenet")


def label(model: keras.Model, path: Path) -> list[tuple[str, str, float]]:
    """Label one image: its five best classes."""
    image = cv2.resize(cv2.imread(str(path)), SIZE_HW[::-1])
    inputs = keras.applications.mobilenet.preprocess_input(np.expand_dims(image, 0).astype(np.float32))
    labels: list[tuple[str, str, float]] = keras.applications.mobilenet.decode_predictions(
        model.predict(inputs, verbose=0), top=5
    )[0]
    return labels


if __name__ == "__main__":
    print(label(load(), Path(sys.argv[1])))
