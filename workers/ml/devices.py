"""Prints the devices that Keras can compute on: `python -m workers.ml.devices`. A process of its own for `doctor`."""

from workers.streams import redirect_native_output


def main() -> None:
    """Print the backend and its devices on one line."""
    out = redirect_native_output()
    import keras  # noqa: PLC0415 - after its backend's chatter was silenced

    out.write(f"{keras.backend.backend()}: {', '.join(keras.distribution.list_devices())}\n")
    out.flush()


if __name__ == "__main__":
    main()
