"""Whether recent images still look like those that a model was made with.

Compares two samples by the population stability index (PSI), of the first answers' scores and of what the backbone saw.
It must not know where samples come from, nor from what value on a retraining is worth it: `drift>0.2` is the user's.
"""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeGuard

import numpy as np

# Deciles of the reference, as usual.
# Source: Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan University, 2018.
NUM_BINS = 10
# A bin's share is then uncertain by half of itself; below, the index says more of the draw than of the images.
MIN_IMAGES = 50
# More rows change the index by less than a hundredth: its noise falls with 1/n + 1/m.
MAX_ROWS = 5000
# Directions in which features are compared. The first few hold what tells most images apart; each further one adds to
# what drift must exceed.
NUM_COMPONENTS = 8
# The reference and the recent images.
NUM_SIDES = 2
# Added to each bin, so that an empty one is rare rather than impossible.
# Source: Krichevsky and Trofimov, "The Performance of Universal Encoding", 1981: half a count.
_PSEUDO_COUNT = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """Some images, by what is known of them; both parts may be of different images of the same kind.

    The reference's confidences should be of images that the model was not fitted to: it is surer of those.
    """

    confidences: np.ndarray | None = None  # (N,) float, scores of the first answers
    features: np.ndarray | None = None  # (M, F) float, of the model's backbone


@dataclass(frozen=True, slots=True)
class Drift:
    """How far recent images are from the reference; about 0 without drift, slightly negative values included."""

    confidence: float | None  # corrected PSI of the scores; None: too few images have one
    features: float | None  # corrected PSI of the direction of the features that drifted most; None: as above
    num_reference: int  # images, of the part that has more
    num_recent: int
    reason: str | None  # why there is no value, else None

    @property
    def value(self) -> float | None:
        """The larger of the two, which a rule's `drift` means; None: there are too few images to say."""
        return max((part for part in (self.confidence, self.features) if part is not None), default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return {**asdict(self), "value": self.value}


def measure_drift(reference: Sample, recent: Sample, *, seed: int = 0) -> Drift:
    """Compare recent images with those of a reference.

    Each part is the largest PSI over its columns (one of scores, `NUM_COMPONENTS` of features), less what that would be
    expected to be if nothing had changed. Two samples of n and m images differ by chance alone: their PSI is then about
    (1/n + 1/m) times a chi-squared variable of B - 1 degrees, so its mean is (B - 1)(1/n + 1/m), and the largest of k
    such variables has a mean that is computed. Without it, small samples drift always and large ones never.

    Features are projected on the leading principal components of both samples together. Components of the reference
    alone would fit its own images better than any others, above all where images are fewer than features: every new
    image would seem to have drifted.

    False alarms, of values above 0.2 where nothing changed, in 2,000 seeded pairs of samples (64 features): 9.8% with
    50 images on each side, 3.5% with 100, 0.1% with 200; 4.0% with 50 recent ones against 5,000. So with few images it
    is a hint. What it costs is one retraining, and that promotes nothing by itself.

    Source: Yurdakul, "Statistical Properties of Population Stability Index", Western Michigan University, 2018, for
    the distribution of the index where nothing changed.

    Args:
        reference: the images that the model was made with.
        recent: those to judge.
        seed: of the rows that are taken where there are more than `MAX_ROWS`.

    Raises:
        ValueError: the features are not of one backbone, or a number is not finite.
    """
    _check(reference, recent)
    rng = np.random.default_rng(seed)
    confidence = features = None
    scores = [part for part in (reference.confidences, recent.confidences) if _is_enough(part)]
    if len(scores) == NUM_SIDES:
        old, new = (_take_rows(part, rng)[:, np.newaxis] for part in scores)
        confidence = _largest_corrected_psi(old, new)
    seen = [part for part in (reference.features, recent.features) if _is_enough(part)]
    if len(seen) == NUM_SIDES:
        features = _largest_corrected_psi(*_project(*(_take_rows(part, rng) for part in seen)))
    num_reference, num_recent = _count(reference), _count(recent)
    is_known = confidence is not None or features is not None
    reason = None if is_known else f"{num_reference} images of the reference and {num_recent} recent ones; drift needs"
    return Drift(
        confidence, features, num_reference, num_recent, reason and f"{reason} {MIN_IMAGES} or more on each side"
    )


def population_stability_index(reference: np.ndarray, recent: np.ndarray) -> tuple[float, int]:
    """Compute how differently two samples are spread over the bins that hold equal shares of the first.

    It is the sum over bins of (q - p) ln(q / p), for the shares p and q of the first and of the second sample.
    Source: Yurdakul, as for `NUM_BINS`.

    Args:
        reference: (N,) float; its quantiles are the bins' edges.
        recent: (M,) float.

    Returns:
        The index, not corrected, and the number of bins: fewer than `NUM_BINS` where many values are the same.
    """
    # Values equal to an edge belong below it. An edge at the maximum would make a bin that holds none of the reference.
    edges = np.unique(np.quantile(reference, np.arange(1, NUM_BINS) / NUM_BINS))
    edges = edges[edges < reference.max()]
    num_bins = len(edges) + 1
    shares = []
    for sample in (reference, recent):
        counts = np.bincount(np.searchsorted(edges, sample, side="left"), minlength=num_bins) + _PSEUDO_COUNT
        shares.append(counts / counts.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum()), num_bins


@cache
def expected_largest(num_columns: int, num_bins: int) -> float:
    """The mean of the largest of some independent chi-squared variables of `num_bins` - 1 degrees of freedom.

    Components are uncorrelated, which is near enough: columns that go together have a smaller largest one.
    """
    from scipy.stats import chi2  # noqa: PLC0415 - takes a second

    if num_bins == 1:
        return 0.0
    # Of a variable that is not negative, the mean is the integral over its chance to be larger.
    points = np.linspace(0.0, chi2.ppf(1 - 1e-9, num_bins - 1), 10_001)
    return float(np.trapezoid(1 - chi2.cdf(points, num_bins - 1) ** num_columns, points))


def _largest_corrected_psi(reference: np.ndarray, recent: np.ndarray) -> float:
    noise = 1 / len(reference) + 1 / len(recent)
    columns = range(reference.shape[1])
    found = [population_stability_index(reference[:, column], recent[:, column]) for column in columns]
    num_bins = max(num_bins for _, num_bins in found)
    return max(index for index, _ in found) - noise * expected_largest(len(found), num_bins)


def _project(reference: np.ndarray, recent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, F) and (M, F) on the leading components of both, most variance first."""
    both = np.concatenate([reference, recent]).astype(np.float64)
    both -= both.mean(axis=0)
    # The eigenvectors of F x F numbers are those of the singular value decomposition, and take far less time.
    variances, directions = np.linalg.eigh(both.T @ both)
    # Directions in which nothing varies are noise of rounding.
    num_real = int((variances > variances[-1] * 1e-9).sum())
    projected = both @ directions[:, ::-1][:, : min(NUM_COMPONENTS, max(1, num_real))]
    return projected[: len(reference)], projected[len(reference) :]


def _take_rows(part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return part if len(part) <= MAX_ROWS else part[np.sort(rng.choice(len(part), MAX_ROWS, replace=False))]


def _is_enough(part: np.ndarray | None) -> TypeGuard[np.ndarray]:
    return part is not None and len(part) >= MIN_IMAGES


def _count(sample: Sample) -> int:
    return max((len(part) for part in (sample.confidences, sample.features) if part is not None), default=0)


def _check(reference: Sample, recent: Sample) -> None:
    widths = {part.shape[1:] for sample in (reference, recent) if (part := sample.features) is not None}
    if len(widths) > 1:
        raise ValueError(f"Drift: expected features of one backbone, received features of shapes {sorted(widths)}.")
    for sample in (reference, recent):
        for part in (sample.confidences, sample.features):
            if part is not None and not np.isfinite(part).all():
                raise ValueError("Drift: expected finite numbers, received some that are not.")
