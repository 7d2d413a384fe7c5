"""Which parts of an image speak for a class: identities that hold for any weights, and places that are known."""

import gc
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from workers.ml.backbones import build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.engines.gradients import input_gradient
from workers.ml.explaining import Explainer, Explanation, split_at_last_map
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import to_bytes
from workers.ml.variables import collect_variables

AVERAGING = ("mobilenet-0.25", "mobilenet_v2-0.35")
OTHERS = ("lenet-5", "mobilenet_v3_small-0.75")
NUM_CLASSES = 5
ZEBRA, BANJO = 340, 420  # of ImageNet's classes


def release_memory() -> None:
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    keras.utils.clear_session()
    gc.collect()


def built(name: str):
    release_memory()
    return build_backbone(get_backbone(name), weights=None, seed=7)


def head_for(backbone) -> tuple[np.ndarray, np.ndarray]:
    """One whose classes differ clearly, however small the features are that random weights make."""
    random = np.random.default_rng(8)
    weights = random.normal(size=(backbone.spec.feature_size, NUM_CLASSES)).astype(np.float32)
    weights *= 2 / logits_of(backbone, weights, np.zeros(NUM_CLASSES, np.float32), noise(backbone)).std()
    return weights, random.normal(size=NUM_CLASSES).astype(np.float32)


def noise(backbone) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (*backbone.spec.size_hw, 3), np.uint8)


def logits_of(backbone, weights: np.ndarray, bias: np.ndarray, image: np.ndarray) -> np.ndarray:
    return (np.asarray(backbone.network(backbone.preprocess(image[None]), training=False)) @ weights + bias)[0]


@pytest.mark.parametrize("name", AVERAGING)
def test_where_the_map_is_averaged_its_values_add_up_to_the_logit(name):
    backbone = built(name)
    weights, bias = head_for(backbone)
    explainer, image = Explainer(backbone, weights, bias), noise(backbone)

    for index, logit in enumerate(logits_of(backbone, weights, bias, image)):
        explanation = explainer.explain(image, [index])
        assert explanation.logit == pytest.approx(logit, abs=1e-4)
        assert explanation.contributions.sum() == pytest.approx(logit - bias[index], abs=1e-4)
        assert np.ptp(explanation.contributions) > 0.01, "another value would do as well in each place"


@pytest.mark.parametrize("name", OTHERS)
def test_elsewhere_a_channel_counts_by_how_much_the_logit_grows_with_it(name):
    """Compared with what happens if each channel is made a little stronger everywhere, and a little weaker."""
    backbone = built(name)
    weights, _ = head_for(backbone)
    body, tail = split_at_last_map(backbone.network)
    maps = body.predict_on_batch(backbone.preprocess(noise(backbone)[None]))
    num_places, num_channels = maps.shape[1] * maps.shape[2], maps.shape[3]
    step = 0.01 * np.abs(maps).mean()

    gradient = input_gradient(tail, maps, weights[:, 3])[0].mean(axis=(0, 1))

    for channel in range(0, num_channels, max(1, num_channels // 16)):
        stronger, weaker = maps.copy(), maps.copy()
        stronger[..., channel] += step
        weaker[..., channel] -= step
        change = (np.asarray(tail(stronger)) - np.asarray(tail(weaker)))[0] @ weights[:, 3]
        expected = change / (2 * step) / num_places
        assert gradient[channel] == pytest.approx(expected, rel=0.05, abs=float(1e-3 * np.abs(gradient).max()))


@pytest.mark.parametrize("name", AVERAGING + OTHERS)
def test_without_a_class_the_likeliest_is_explained_and_of_several_the_likeliest_of_them(name):
    backbone = built(name)
    weights, bias = head_for(backbone)
    explainer, image = Explainer(backbone, weights, bias), noise(backbone)
    logits = logits_of(backbone, weights, bias, image)
    ranked = np.argsort(-logits).tolist()

    best = explainer.explain(image)

    assert best.class_index == ranked[0]
    assert best.score == pytest.approx(np.exp(logits - logits.max()).max() / np.exp(logits - logits.max()).sum())
    assert explainer.explain(image, ranked[2:]).class_index == ranked[2]


def test_every_family_has_a_last_map_with_places(spec):
    import keras  # noqa: PLC0415 - TensorFlow comes with it

    release_memory()
    # In this scope Keras builds the network without making numbers for its weights.
    with keras.StatelessScope(initialize_variables=False):
        body, tail = split_at_last_map(build_backbone(spec, weights=None).network)
    _, height, width, num_channels = body.output_shape
    assert min(height, width) >= 7
    assert tail.input_shape == (None, height, width, num_channels)
    assert tail.output_shape == (None, spec.feature_size)


SCRIPT = """
import sys
sys.modules["tensorflow"] = None
import numpy as np
from workers.ml.explaining import Explainer
from workers.ml.networks import NetworkRecipe
folder = sys.argv[1]
backbone, _ = NetworkRecipe.from_bytes(open(f"{folder}/recipe", "rb").read()).build()
given = np.load(f"{folder}/given.npz")
found = Explainer(backbone, given["weights"], given["bias"]).explain(given["image"], [1])
np.savez(f"{folder}/found.npz", contributions=found.contributions, logit=found.logit)
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed: no other backend to run on")
@pytest.mark.parametrize("name", ["lenet-5"])
def test_jax_explains_as_tensorflow_does(name, tmp_path):
    backbone = built(name)
    (weights, bias), image = head_for(backbone), noise(backbone)
    recipe = NetworkRecipe(backbone.spec, is_published=False, changes=to_bytes(collect_variables(backbone.network), {}))
    (tmp_path / "recipe").write_bytes(recipe.to_bytes())
    np.savez(tmp_path / "given.npz", weights=weights, bias=bias, image=image)

    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    child = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr

    found, expected = np.load(tmp_path / "found.npz"), Explainer(backbone, weights, bias).explain(image, [1])
    assert found["logit"] == pytest.approx(expected.logit, rel=1e-4, abs=1e-4)
    scale = np.abs(expected.contributions).max()
    np.testing.assert_allclose(found["contributions"], expected.contributions, rtol=0, atol=1e-3 * scale)


@pytest.fixture(scope="module")
def explainer(test_data):
    release_memory()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(test_data / "keras"))
        backbone, head = NetworkRecipe(get_backbone("mobilenet-0.75")).build()
    return Explainer(backbone, head.weights, head.bias)


class TestOnPhotographs:
    """With the published weights: the places are those of the animal, and go with it."""

    @staticmethod
    def on_grey(photograph, *, left: int) -> np.ndarray:
        """The photograph, small, on one side of a grey picture."""
        import cv2  # noqa: PLC0415

        picture = np.full((224, 224, 3), 128, np.uint8)
        image = cv2.imread(str(photograph), cv2.IMREAD_COLOR_RGB)
        picture[56:168, left : left + 112] = cv2.resize(image, (112, 112), interpolation=cv2.INTER_AREA)
        return picture

    @staticmethod
    def share(explanation: Explanation, columns: slice) -> float:
        heat = np.maximum(explanation.contributions, 0)
        return float(heat[:, columns].sum() / heat.sum())

    @pytest.mark.parametrize("name", ["n02391049_zebra", "n02128925_jaguar", "n02007558_flamingo"])
    def test_what_speaks_for_an_animal_is_where_it_is(self, explainer, test_data, name):
        photograph = test_data / "data" / "imagenet_samples" / f"{name}.JPEG"
        left = explainer.explain(self.on_grey(photograph, left=0))
        right = explainer.explain(self.on_grey(photograph, left=112), [left.class_index])

        assert self.share(left, slice(0, 4)) > 0.75
        assert self.share(right, slice(3, 7)) > 0.75
        assert left.contributions.argmax() % 7 <= 3 <= right.contributions.argmax() % 7

    def test_two_things_in_one_picture_are_told_apart(self, explainer, test_data):
        folder = test_data / "data" / "imagenet_samples"
        zebra, banjo = folder / "n02391049_zebra.JPEG", folder / "n02787622_banjo.JPEG"
        picture = np.concatenate([self.on_grey(zebra, left=0)[:, :112], self.on_grey(banjo, left=112)[:, 112:]], axis=1)
        for_zebra, for_banjo = explainer.explain(picture, [ZEBRA]), explainer.explain(picture, [BANJO])

        assert for_zebra.contributions.argmax() % 7 < 3 < for_banjo.contributions.argmax() % 7
        assert self.share(for_zebra, slice(3)) > self.share(for_banjo, slice(3)) + 0.4
