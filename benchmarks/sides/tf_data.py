"""(b) What TensorFlow's guides recommend: `tf.data` reads, decodes and batches in parallel, `predict` takes it all."""

from pathlib import Path
from time import perf_counter

from benchmarks.measurement import print_side

SIZE_HW = (224, 224)
BATCH_SIZE = 32


def run(files: list[Path]) -> float:
    """Label the files."""
    import keras  # noqa: PLC0415 - its import is part of the start-up

    application = keras.applications.mobilenet
    model = keras.applications.MobileNet(alpha=0.75, weights="imagenet")

    def label(paths: list[Path]) -> None:
        application.decode_predictions(model.predict(_dataset(paths), verbose=0), top=5)

    # A full batch and one of the last one's size: Keras compiles a second time for the second size it meets.
    label(files[: BATCH_SIZE + len(files) % BATCH_SIZE])
    started_at_s = perf_counter()
    label(files)
    return perf_counter() - started_at_s


def _dataset(paths: list[Path]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - tf.data.Dataset
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    def load(path):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - tensors
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return keras.applications.mobilenet.preprocess_input(tf.image.resize(image, SIZE_HW))

    names = tf.data.Dataset.from_tensor_slices([str(path) for path in paths])
    return names.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)


if __name__ == "__main__":
    print_side("tf_data", run)
