"""The catalogue of backbones: every network of Keras Applications and two small ones, each a row, findable by name.

Pure data, so that the command line can list and check names without waiting for TensorFlow: it must not import Keras.
The rows themselves are in `catalog_rows`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from core.errors import UnknownModelError, UsageError
from workers.ml.catalog_rows import FAMILIES, Family, Member

NUM_SUGGESTIONS = 3
# Of a mistyped name and the one that is meant, by difflib; below, names that only share letters are near.
MIN_LIKENESS = 0.6


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """What has to be known of a backbone to build it, feed it and cut it where features leave it."""

    name: str  # what a user writes: "mobilenet-0.75"
    family: str  # networks of one design, from small to large
    constructor: str  # dotted path of the function that builds the whole classifier
    preprocess: str  # dotted path of the function that scales RGB pixels as the published weights expect
    size_hw: tuple[int, int]  # input height and width that the published weights were trained for, in pixels
    num_parameters: int  # of the whole classifier, with ImageNet's 1000 classes
    feature_size: int  # length F of the feature vector
    feature_layer: str  # the layer whose flattened output is the feature vector, as a fresh Keras session names it
    classifier_layer: str  # the layer that turns features into classes: Dense, or a convolution of 1x1
    weights_file: str | None  # the published weights with their top layer, in the folder `models` of the Keras cache
    kwargs: Mapping[str, float] = field(default_factory=dict, hash=False)  # what the constructor is called with

    @property
    def is_published(self) -> bool:
        """Whether there are published weights; a network without them can only be trained from scratch."""
        return self.weights_file is not None


def get_backbone(name: str) -> BackboneSpec:
    """Find a backbone by its name.

    Raises:
        UnknownModelError: there is none; the message names the nearest.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        raise UnknownModelError(_describe_unknown(name)) from None


def get_published_backbone(name: str) -> BackboneSpec:
    """Find a backbone that can be used as it was published.

    Raises:
        UnknownModelError: there is none of that name; the message names the nearest.
        UsageError: it has no published weights.
    """
    spec = get_backbone(name)
    if not spec.is_published:
        raise UsageError(describe_unpublished(spec))
    return spec


def describe_unpublished(spec: BackboneSpec) -> str:
    """Say that a backbone has no published weights, and what it is for."""
    return (
        f"{spec.name} has no published weights. Train it: "
        f"`labelyard train DATASET --backbone {spec.name} --mode scratch --name NAME`."
    )


def smallest_of_families() -> list[BackboneSpec]:
    """The member of each family that has the fewest parameters."""
    smallest: dict[str, BackboneSpec] = {}
    for spec in sorted(BACKBONES.values(), key=lambda spec: spec.num_parameters):
        smallest.setdefault(spec.family, spec)
    return list(smallest.values())


def _describe_unknown(name: str) -> str:
    nearest = get_close_matches(name.lower(), BACKBONES, n=NUM_SUGGESTIONS, cutoff=MIN_LIKENESS)
    suggestion = f" Nearest: {', '.join(nearest)}." if nearest else ""
    return f"No backbone is called {name!r}.{suggestion} `labelyard backbones` lists them all."


def _specs() -> Iterator[BackboneSpec]:
    for family in FAMILIES:
        for member in family.members:
            yield _spec(family, member)


def _spec(family: Family, member: Member) -> BackboneSpec:
    return BackboneSpec(
        name=member.name,
        family=family.name,
        constructor=f"{family.package}.{member.constructor}",
        preprocess=f"{family.package}.{family.module}.preprocess_input",
        size_hw=(member.size, member.size),
        num_parameters=member.num_parameters,
        feature_size=member.feature_size,
        feature_layer=family.feature_layer.format(name=member.name),
        classifier_layer=family.classifier_layer.format(name=member.name),
        weights_file=None if family.weights_file is None else family.weights_file.format(member.published_as),
        kwargs={} if member.width is None else {"alpha": member.width},
    )


BACKBONES: Mapping[str, BackboneSpec] = {spec.name: spec for spec in _specs()}
