"""Which layers fine-tuning trains: what `--unfreeze` means for one network.

    30%      the last 30 % of the layers that count, rounded up
    NAME     that layer and all behind it
    all      every layer

"Behind" is the order in which `labelyard show` lists layers. A layer counts if it has weights and is neither batch
normalisation nor the scaling of the input: fine-tuning leaves these as they are, so that "1%" of a network that ends
with one would train nothing. A block that Keras builds as a network within the network counts as one.

Keras numbers layers that their authors left unnamed over the life of a process: the `conv2d_5` of a fresh one may be
`conv2d_193` in a worker. Names here are those of a fresh process, which `labelyard show` prints: Keras hands out
numbers in the order in which layers are made, so a network's layers of one class, ordered by number, can be numbered
again from the start.

The orchestrator checks a text here before it accepts a job. It must not import Keras, so what only a network can
answer, a child process does: `python -m workers.ml.layers BACKBONE TEXT`. It ends with 0, or with 2 where the text
cannot be meant, the reason on standard error.
"""

import math
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from core.errors import SetupError, UsageError
from workers.ml.catalog import get_backbone

if TYPE_CHECKING:
    import keras

ALL = "all"
EXIT_USAGE = 2
NUM_SUGGESTIONS = 3

_EXPECTED = 'Expected a percentage above 0 and up to 100 such as "30%", the name of a layer, or "all".'
_PERCENTAGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*", re.ASCII)


def check_unfreeze(backbone: str, text: str) -> None:
    """Make sure that a text says which layers of a backbone to train.

    Takes some seconds where it names a layer, because a child process has to build the network.

    Raises:
        UnknownModelError: no backbone has that name.
        UsageError: the text cannot be meant.
        SetupError: Keras cannot be used.
    """
    spec = get_backbone(backbone)
    if text == ALL or _read_share(text) is not None:
        return
    command = [sys.executable, "-P", "-m", "workers.ml.layers", spec.name, text]
    child = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if child.returncode == EXIT_USAGE:
        raise UsageError(child.stderr.strip())
    if child.returncode != 0:
        last_line = (child.stderr.strip().splitlines() or ["no message"])[-1]
        raise SetupError(f"The layers of {spec.name} cannot be looked at: {last_line}")


def layers_to_train(network: "keras.Model", text: str) -> list["keras.layers.Layer"]:
    """Find the layers that a text means.

    Args:
        network: up to its feature vector, as `workers.ml.backbones.build_backbone` makes it.
        text: "30%", a layer's name as a fresh process gives it, or "all".

    Returns:
        The layers that have weights, normalisation included, in the network's order; at least one of them counts.

    Raises:
        UsageError: the text cannot be meant.
    """
    share = 1.0 if text == ALL else _read_share(text)
    if share is not None:
        return _last(network, share)
    names = fresh_names(network.layers)
    if text not in names:
        raise UsageError(_describe_unknown(network, text, names))
    first, last = names.index(text), _counting(network)[-1]
    if first > last:
        raise UsageError(
            f"--unfreeze: there is nothing to train from layer {text!r} of {network.name} on. Expected "
            f"{names[last]!r} or a layer before it; the new last layer is trained in any case."
        )
    return _with_weights(network, first)


def fresh_names(layers: Sequence["keras.layers.Layer"]) -> list[str]:
    """What a fresh process calls a network's layers, in their order, whatever else was built in this one.

    Args:
        layers: all of one network.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for layer in layers:
        number = _automatic_number(layer)
        if number is not None:
            numbers[_automatic_prefix(layer)].append(number)
    ranks = {(prefix, number): rank for prefix, used in numbers.items() for rank, number in enumerate(sorted(used))}
    return [_fresh_name(layer, ranks) for layer in layers]


def main(arguments: Sequence[str]) -> int:
    """Check a text for a backbone.

    Args:
        arguments: the backbone's name and the text.

    Returns:
        The exit code.
    """
    from workers.streams import redirect_native_output  # noqa: PLC0415 - for the child process alone

    redirect_native_output()
    name, text = arguments
    try:
        _check_layer(name, text)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    return 0


def _check_layer(name: str, text: str) -> None:
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    from workers.ml.backbones import build_backbone  # noqa: PLC0415 - only for the child process

    # In this scope Keras builds the network without making numbers for its weights, which may be gigabytes.
    with keras.StatelessScope(initialize_variables=False):
        layers_to_train(build_backbone(get_backbone(name), weights=None).network, text)


def _read_share(text: str) -> float | None:
    """The share that a percentage means, 0..1; None if it is none."""
    if not text.strip():
        raise UsageError(f"--unfreeze says nothing: received {text!r}. {_EXPECTED}")
    if not text.rstrip().endswith("%"):
        return None
    match = _PERCENTAGE.fullmatch(text)
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share <= 1:
        raise UsageError(f"--unfreeze cannot be {text!r}. {_EXPECTED}")
    return share


def _last(network: "keras.Model", share: float) -> list["keras.layers.Layer"]:
    counting = _counting(network)
    # Rounded first: 0.07 * 100 is a little more than 7.
    num_layers = math.ceil(round(share * len(counting), 9))
    # What merely normalises in front of the first that counts belongs to "all".
    return _with_weights(network, 0 if num_layers == len(counting) else counting[-num_layers])


def _counting(network: "keras.Model") -> list[int]:
    """The positions of the layers that count."""
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    normalizing = (keras.layers.BatchNormalization, keras.layers.Normalization)
    return [
        position
        for position, layer in enumerate(network.layers)
        if layer.weights and not isinstance(layer, normalizing)
    ]


def _with_weights(network: "keras.Model", first: int) -> list["keras.layers.Layer"]:
    return [layer for layer in network.layers[first:] if layer.weights]


def _fresh_name(layer: "keras.layers.Layer", ranks: dict[tuple[str, int], int]) -> str:
    number = _automatic_number(layer)
    if number is None:
        return str(layer.name)
    prefix = _automatic_prefix(layer)
    rank = ranks[prefix, number]
    return f"{prefix}_{rank}" if rank else prefix


def _automatic_prefix(layer: "keras.layers.Layer") -> str:
    """What Keras begins the name with that it gives to an unnamed layer: `conv2d`."""
    # Source: `to_snake_case` in Keras 3.15, keras/src/utils/naming.py.
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _automatic_number(layer: "keras.layers.Layer") -> int | None:
    """Which layer of its class it is in this process; None if it has a name of its own."""
    match = re.fullmatch(rf"{re.escape(_automatic_prefix(layer))}(?:_(\d+))?", layer.name)
    return int(match[1] or 0) if match else None


def _describe_unknown(network: "keras.Model", text: str, names: Sequence[str]) -> str:
    nearest = get_close_matches(text.lower(), names, n=NUM_SUGGESTIONS, cutoff=0.5)
    suggestion = f" Nearest: {', '.join(nearest)}." if nearest else ""
    return (
        f"--unfreeze: no layer of {network.name} is called {text!r}.{suggestion} {_EXPECTED} "
        f"`labelyard show {network.name}` lists the layers."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
