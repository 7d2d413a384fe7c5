"""What a class is called."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassLabel:
    """One class of a head."""

    label: str  # for people: "tabby"
    label_id: str  # for programs: the WordNet id "n02123045" for ImageNet, else the class index
