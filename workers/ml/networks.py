"""How a network is made, small enough to be handed to another process: architecture from code, numbers from files."""

import hashlib
import json
from dataclasses import dataclass

from core.labels import ClassLabel
from workers.ml.backbones import Backbone, build_classifier, split
from workers.ml.catalog import BackboneSpec, get_backbone
from workers.ml.heads import Head
from workers.ml.tensors import from_bytes
from workers.ml.variables import build_trained
from workers.ml.weights import imagenet_labels, weights_path

NUM_IMAGENET_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class NetworkRecipe:
    """What to build, and which numbers go into it."""

    spec: BackboneSpec
    is_published: bool = True  # begins with the published weights, which must be in the cache; else with random ones
    changes: bytes | None = None  # the variables that training changed, as safetensors; None: it was not trained here
    seed: int = 0  # what random weights depend on
    name: str = ""  # what the changes are, for messages: "The network of parts@2"

    def build(self) -> tuple[Backbone, Head | None]:
        """Build the network in Keras.

        Returns:
            The network up to its features, and its own last layer; none where training put another in its place, which
            is stored elsewhere.

        Raises:
            WeightsError: published weights are missing or damaged.
            DamagedModelError: the changes do not fit the network, or do not fill one that begins with nothing.
        """
        if self.changes is None:
            classifier = build_classifier(self.spec, weights="imagenet" if self.is_published else None, seed=self.seed)
            return split(classifier, self.spec, self.head_labels())
        tensors, _ = from_bytes(self.changes, name=self.name)
        return build_trained(self.spec, tensors, from_published=self.is_published, name=self.name), None

    def head_labels(self) -> list[ClassLabel]:
        """What the classes of the network's own last layer are called.

        Raises:
            WeightsError: ImageNet's class names cannot be had.
        """
        if self.is_published:
            return imagenet_labels()
        return [ClassLabel(str(index), str(index)) for index in range(NUM_IMAGENET_CLASSES)]

    def to_bytes(self) -> bytes:
        """Write the recipe for another process of this installation: a line of JSON, then the changes."""
        header = {
            "backbone": self.spec.name,
            "is_published": self.is_published,
            "is_changed": self.changes is not None,
            "seed": self.seed,
            "name": self.name,
        }
        return json.dumps(header).encode() + b"\n" + (self.changes or b"")

    @classmethod
    def from_bytes(cls, data: bytes) -> "NetworkRecipe":
        """Read what `to_bytes` wrote."""
        line, _, changes = data.partition(b"\n")
        header = json.loads(line)
        return cls(
            get_backbone(header["backbone"]),
            header["is_published"],
            changes if header["is_changed"] else None,
            header["seed"],
            header["name"],
        )

    def sha256(self) -> str:
        """What tells this network from every other: equal hashes mean equal numbers in equal places."""
        digest = hashlib.sha256(f"{self.spec.name}\0{self.is_published}\0{self.seed}\0".encode())
        if self.is_published:
            with weights_path(self.spec).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        if self.changes is not None:
            digest.update(self.changes)
        return digest.hexdigest()
