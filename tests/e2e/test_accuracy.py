"""Labels of real photographs are what plain Keras says of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from program import Cli, read_csv

MODEL = "mobilenet-0.75"

# The notebook's way of working, with the product's preprocessing written out once more by hand: the central square of
# 7/8 of the short side, then one resize over areas, RGB.
PLAIN_KERAS = """
import json, sys
from pathlib import Path
import cv2, keras, numpy as np
from keras.applications import mobilenet
model = mobilenet.MobileNet(alpha=0.75)
answers = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    side = min(height, width) * 7 // 8
    top, left = (height - side) // 2, (width - side) // 2
    image = image[top:top + side, left:left + side]
    interpolation = cv2.INTER_AREA if side > 224 else cv2.INTER_LINEAR
    image = cv2.resize(image, (224, 224), interpolation=interpolation)
    batch = mobilenet.preprocess_input(image[np.newaxis].astype("float32"))
    best = mobilenet.decode_predictions(model.predict_on_batch(batch), top=5)[0]
    answers[path.name] = [(label_id, label, float(score)) for label_id, label, score in best]
print("ANSWERS", json.dumps(answers))
"""


@pytest.fixture(scope="session")
def plain_keras(test_data: Path) -> dict[str, list[tuple[str, str, float]]]:
    """What a plain Keras loop says of the photographs."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_KERAS, str(test_data / "data" / "imagenet_samples")],
        env={"KERAS_HOME": str(test_data / "keras"), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
    return json.loads(line.removeprefix("ANSWERS "))


def compare(rows: list[dict[str, str]], plain_keras: dict[str, list[tuple[str, str, float]]]) -> float:
    """Check every row against the plain loop; returns the share that names the photograph's true class."""
    assert len(rows) == len(plain_keras) == 100
    num_right = 0
    for row in rows:
        assert row["error"] == ""
        name = row["image"].rpartition("/")[2]
        expected = plain_keras[name]
        choices = json.loads(row["topk"])
        for choice, (label_id, label, score) in zip(choices, expected, strict=True):
            assert (choice["label_id"], choice["label"]) == (label_id, label), name
            assert choice["score"] == pytest.approx(score, abs=1e-3), name
        num_right += row["label_id"] == name.partition("_")[0]
    return num_right / len(rows)


def test_embedded_labels_of_photographs_equal_plain_keras(cli: Cli, test_data: Path, plain_keras):
    summary = cli.json("label", test_data / "data" / "imagenet_samples", "--model", MODEL, "--out", "o.csv")
    assert (summary["num_images"], summary["num_errors"]) == (100, 0)
    accuracy = compare(read_csv(cli.cwd / "o.csv"), plain_keras)
    expected = [answers[0][0] == name.partition("_")[0] for name, answers in plain_keras.items()]
    assert accuracy == sum(expected) / len(expected)
    assert accuracy > 0.8, "the published network is better than this on ImageNet photographs"


def test_two_models_in_one_pass_say_what_each_says_alone(cli: Cli, test_data: Path, plain_keras):
    names = ("mobilenet-0.25", MODEL)
    summary = cli.json(
        "label", test_data / "data" / "imagenet_samples", "--model", names[0], "--model", names[1], "--out", "o.csv"
    )
    assert (summary["num_images"], summary["num_predictions"]) == (100, 100)
    assert [worker["backbone_loads"] for worker in summary["workers"]] == [dict.fromkeys(names, 1)]
    rows = read_csv(cli.cwd / "o.csv")
    assert [row["model"] for row in rows] == [f"imagenet:{name}@1" for name in names] * 100
    assert [row["image"] for row in rows[::2]] == [row["image"] for row in rows[1::2]]
    smaller, larger = rows[::2], rows[1::2]
    accuracy = compare(larger, plain_keras)
    num_right = sum(row["label_id"] == row["image"].rpartition("/")[2].partition("_")[0] for row in smaller)
    assert num_right / len(smaller) < accuracy, "the smaller network is the weaker one"


def test_redis_and_postgresql_give_the_same_file(cluster: Cli, cli: Cli, test_data: Path):
    photographs = test_data / "data" / "imagenet_samples"
    for _ in range(2):
        cluster.start("worker", "--preload", MODEL)
    cluster.json("label", photographs, "--model", MODEL, "--chunk-size", "16", "--out", "cluster.csv")
    cli.json("label", photographs, "--model", MODEL, "--chunk-size", "16", "--out", "embedded.csv")
    assert (cli.cwd / "cluster.csv").read_bytes() == (cli.cwd / "embedded.csv").read_bytes()
