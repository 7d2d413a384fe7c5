"""What there is to say about the networks that can be applied or trained."""

from dataclasses import asdict, dataclass
from typing import Any

from workers.ml.catalog import BACKBONES
from workers.ml.weights import is_cached


@dataclass(frozen=True, slots=True)
class BackboneSummary:
    """One network."""

    name: str
    input_height: int  # of what it sees, in pixels
    input_width: int
    num_parameters: int
    feature_size: int
    weights_file: str | None
    is_published: bool  # whether there are weights to begin with
    is_cached: bool  # whether they are on this machine

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


def list_backbones() -> list[BackboneSummary]:
    """All networks, family by family."""
    return [
        BackboneSummary(
            name=spec.name,
            input_height=spec.size_hw[0],
            input_width=spec.size_hw[1],
            num_parameters=spec.num_parameters,
            feature_size=spec.feature_size,
            weights_file=spec.weights_file,
            is_published=spec.is_published,
            is_cached=is_cached(spec),
        )
        for spec in BACKBONES.values()
    ]
