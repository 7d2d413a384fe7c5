"""What features are kept under. The pipeline that makes them knows of this and of no database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """Which image, as its content is."""

    sha256: str
    variant: str = ""  # which augmented copy; empty: the image itself
