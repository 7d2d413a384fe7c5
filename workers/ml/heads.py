"""Heads: what turns a feature vector into class probabilities.

A head is a matrix and a bias, whether ImageNet's own last layer or one trained here, so it is computed with numpy and
needs no Keras. It knows nothing of the backbone that made the features beyond their size.
"""

from dataclasses import dataclass

import numpy as np

from core.labels import ClassLabel

# Up to so many classes it is quicker to look for the best one again and again than to sort all of them.
_MANY = 100


@dataclass(frozen=True, eq=False, slots=True)
class Head:
    """A linear classifier with a softmax on the features of one backbone.

    Raises:
        ValueError: the shapes do not fit each other, or the numbers are not float32.
    """

    weights: np.ndarray  # (F, C) float32
    bias: np.ndarray  # (C,) float32
    labels: tuple[ClassLabel, ...]  # C of them, in the order of the columns

    def __post_init__(self) -> None:
        """Refuse parts that do not fit each other."""
        if self.weights.ndim != 2:  # noqa: PLR2004 - the two axes of a matrix
            raise ValueError(f"Head weights: expected shape (features, classes), received {self.weights.shape}.")
        num_classes = self.weights.shape[1]
        if self.bias.shape != (num_classes,):
            raise ValueError(f"Head bias: expected shape {(num_classes,)}, received {self.bias.shape}.")
        if len(self.labels) != num_classes:
            raise ValueError(f"Head labels: expected {num_classes}, one per class, received {len(self.labels)}.")
        for name, array in (("weights", self.weights), ("bias", self.bias)):
            if array.dtype != np.float32:
                raise ValueError(f"Head {name}: expected float32, received {array.dtype}.")

    @property
    def num_features(self) -> int:
        """Length of the feature vectors that the head takes."""
        return int(self.weights.shape[0])

    @property
    def num_classes(self) -> int:
        """How many classes the head tells apart."""
        return int(self.weights.shape[1])

    @property
    def num_parameters(self) -> int:
        """How many numbers weights and bias are."""
        return int(self.weights.size + self.bias.size)

    @property
    def num_bytes(self) -> int:
        """Memory that weights and bias take."""
        return self.weights.nbytes + self.bias.nbytes

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Score feature vectors.

        Args:
            features: (N, F) float32.

        Returns:
            (N, C) float32 of any range; what the softmax is taken of.

        Raises:
            ValueError: the features are not this head's size.
        """
        if features.ndim != 2 or features.shape[1] != self.num_features:  # noqa: PLR2004 - the axes N and F
            raise ValueError(f"Features: expected shape (N, {self.num_features}), received {features.shape}.")
        scores: np.ndarray = features @ self.weights + self.bias
        return scores

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Classify feature vectors.

        Args:
            features: (N, F) float32.

        Returns:
            (N, C) float32 in [0, 1]; each row sums to 1.

        Raises:
            ValueError: the features are not this head's size.
        """
        shares = self.logits(features)
        # The largest exponent is then 0, so that no row overflows.
        shares -= shares.max(axis=1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=1, keepdims=True)
        return shares


def top_k(probabilities: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Pick the best classes of each row; among equals the lower index comes first.

    Args:
        probabilities: (N, C) float32.
        k: how many; all C where there are fewer.

    Returns:
        Class indices (N, min(k, C)) int64 and their scores (N, min(k, C)) float32, best first.

    Raises:
        ValueError: `k` is below 1.
    """
    if k < 1:
        raise ValueError(f"k: expected 1 or more, received {k}.")
    num_rows, num_classes = probabilities.shape
    if k > _MANY:
        indices = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    else:
        indices = np.empty((num_rows, min(k, num_classes)), np.int64)
        rows, remaining = np.arange(num_rows), probabilities.copy()
        for column in indices.T:
            # Of equals it finds the first.
            remaining.argmax(axis=1, out=column)
            remaining[rows, column] = -np.inf
    return indices, np.take_along_axis(probabilities, indices, axis=1)
