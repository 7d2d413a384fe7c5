"""Which parts of an image speak for a class: Grad-CAM, from a network's last feature map.

A map is the sum of the last feature map's channels, each by how much the class's logit grows with it on average.
Networks that average the map and put one matrix behind it need no approximation: there each position's value is its
share of the logit, and all of them add up to the logit less the bias.

Sources: Selvaraju et al., Grad-CAM, 2017, equations 1 and 2; Zhou et al., Learning deep features for discriminative
localization, 2016, equation 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workers.ml.backbones import Backbone
from workers.ml.engines.gradients import input_gradient

if TYPE_CHECKING:
    import keras

_NUM_AXES = 4  # of a batch of maps: image, row, column, channel


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """What speaks for one class."""

    class_index: int
    contributions: np.ndarray  # (h, w) float32; negative: speaks against it
    logit: float
    bias: float  # the part of the logit that no image changes
    score: float  # the class's probability, 0..1


class Explainer:
    """Explains what one network with one head says.

    Args:
        backbone: the network.
        weights: (F, C) float32, the head's.
        bias: (C,) float32, the head's.
    """

    def __init__(self, backbone: Backbone, weights: np.ndarray, bias: np.ndarray) -> None:
        self._backbone = backbone
        self._weights = weights
        self._bias = bias
        self._body, self._tail = split_at_last_map(backbone.network)

    def explain(self, image: np.ndarray, classes: Sequence[int] = ()) -> Explanation:
        """Tell which parts of an image speak for a class.

        Args:
            image: (H, W, 3) uint8 RGB, the network's input.
            classes: of these, the one that the network takes for the likeliest; none: of all.
        """
        maps = np.asarray(self._body.predict_on_batch(self._backbone.preprocess(image[None])), np.float32)
        # The rest is small: it is not worth the time that compiling it would take.
        features = np.asarray(self._tail(maps, training=False), np.float32)
        logits = (features @ self._weights + self._bias)[0]
        asked = list(classes) or range(len(logits))
        index = max(asked, key=lambda each: float(logits[each]))
        gradient = input_gradient(self._tail, maps, self._weights[:, index])
        shares = np.exp(logits - logits.max())
        return Explanation(
            class_index=index,
            contributions=maps[0] @ gradient[0].mean(axis=(0, 1)),
            logit=float(logits[index]),
            bias=float(self._bias[index]),
            score=float(shares[index] / shares.sum()),
        )


def split_at_last_map(network: "keras.Model") -> tuple["keras.Model", "keras.Model"]:
    """Cut a network where an image still has places.

    Pooling is left behind the cut: the map in front of it is finer.

    Args:
        network: up to its feature vector.

    Returns:
        From the input to the last feature map, and from there to the features.
    """
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    pooling = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
    # Steps and not layers: a network may add maps up without a layer.
    steps = [step for step in network.operations if _has_places(step.output) and not isinstance(step, pooling)]
    last = steps[-1].output
    return keras.Model(network.input, last), keras.Model(last, network.output)


def _has_places(output: "keras.KerasTensor") -> bool:
    return len(output.shape) == _NUM_AXES and output.shape[1] * output.shape[2] > 1
