"""Temperature scaling: makes a head's scores as sure as it has shown to be right, without changing its answers.

The temperature is folded into weights and bias, so that whoever uses the head need not know that it was calibrated. It
knows nothing of how the logits were made.
"""

from dataclasses import replace

import numpy as np

from workers.ml.heads import Head

# Beyond these, scores are all the same or all 100%: fitted to nothing rather than calibrated.
MIN_TEMPERATURE = 0.05
MAX_TEMPERATURE = 20.0
# Of the temperature's logarithm: a thousandth of the temperature itself, more than any number of images can tell apart.
_TOLERANCE = 1e-3


def fit_temperature(logits: np.ndarray, true: np.ndarray) -> float:
    """Find the temperature under which held-out images are the most likely to have the classes that they have.

    One image's worth of doubt is added, spread evenly over images and classes: each counts as its own class with the
    weight (N + 1/C) / (N + 1). Without it, a head that is right about every held-out image would become certain of
    everything, whatever their number; among many images it weighs nothing.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2, for the temperature; Platt,
    "Probabilistic Outputs for Support Vector Machines", 1999, section 2.2, for targets that are not quite certain.

    Args:
        logits: (N, C) float32, the inputs of the softmax for images that the head was not fitted to.
        true: (N,) int, class indices.

    Returns:
        Between `MIN_TEMPERATURE` and `MAX_TEMPERATURE`; above 1 the head was too sure of itself.

    Raises:
        ValueError: there is no image, the shapes do not fit each other, or a logit is not finite.
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - only training waits for SciPy

    _check(logits, true)
    # Adding a number to a row changes no softmax. The largest exponent is then 0, so that no row overflows.
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    doubt = 1 / (len(logits) + 1)
    # Cross-entropy is linear in its targets, so one target per image is enough: the mean logit under its distribution.
    targets = (1 - doubt) * shifted[np.arange(len(logits)), true] + doubt * shifted.mean(axis=1)

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        normalisers = np.log(np.exp(shifted / temperature).sum(axis=1))
        return float((normalisers - targets / temperature).mean())

    # The loss is convex in 1/T, so it falls and then rises in log T as well and has no second valley to end up in.
    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _TOLERANCE})
    return float(np.clip(np.exp(found.x), MIN_TEMPERATURE, MAX_TEMPERATURE))


def scale(head: Head, temperature: float) -> Head:
    """Make a head whose scores are those of `head` at a temperature.

    Args:
        head: not changed.
        temperature: what its logits are divided by.

    Raises:
        ValueError: the temperature is not a positive number.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"Temperature: expected a positive number, received {temperature}.")
    factor = np.float32(1 / temperature)
    return replace(head, weights=head.weights * factor, bias=head.bias * factor)


def _check(logits: np.ndarray, true: np.ndarray) -> None:
    if logits.ndim != 2 or true.shape != logits.shape[:1] or not logits.size:  # noqa: PLR2004 - the axes N and C
        raise ValueError(
            f"Calibration: expected logits (N, C) and classes (N,) with N above 0, "
            f"received {logits.shape} and {true.shape}."
        )
    if not np.isfinite(logits).all():
        raise ValueError("Calibration: expected finite logits, received some that are not. Lower the learning rate.")
