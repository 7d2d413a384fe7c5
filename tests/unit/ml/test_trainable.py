"""What is trained: the notebook's figures for VGG16, and that nothing but the named layers changes."""

import keras
import numpy as np
import pytest

from core.labels import ClassLabel
from core.types import TrainMode
from workers.ml.backbones import Backbone, build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.fitting import ArrayExamples, FitOptions, Fitting
from workers.ml.heads import Head
from workers.ml.keras_learner import KerasLearner
from workers.ml.layers import layers_to_train
from workers.ml.linear_learner import LinearLearner
from workers.ml.trainable import build_network_model, count_parameters, head_from
from workers.ml.variables import changed_variables, collect_variables
from workers.training.fits import num_backbone_parameters

LABELS = (ClassLabel("Hat", "0"), ClassLabel("Cube", "1"))
FIVE = tuple(ClassLabel(name, str(index)) for index, name in enumerate(("Hat", "Cube", "Card", "Torch", "Screw")))


def test_five_classes_on_vgg16_are_20485_parameters_to_train_and_134260544_that_stay():
    backbone = build_backbone(get_backbone("vgg16"), weights=None)
    learner = LinearLearner(np.ones((2, backbone.spec.feature_size), np.float32), 5)
    assert learner.head(FIVE).num_parameters == 20_485
    assert num_backbone_parameters(backbone.spec) == backbone.network.count_params() == 134_260_544


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3), np.uint8)


@pytest.fixture
def backbone() -> Backbone:
    return build_backbone(get_backbone("mobilenet-0.25"), weights=None)


def head_for(backbone: Backbone) -> Head:
    random = np.random.default_rng(1)
    weights = random.normal(size=(backbone.spec.feature_size, 2)).astype(np.float32)
    return Head(weights, np.zeros(2, np.float32), LABELS)


def train_one_epoch(model: keras.Model, images: np.ndarray, mode: TrainMode) -> None:
    examples = ArrayExamples(images, np.array([0, 1, 0, 1]))
    list(
        Fitting(KerasLearner(model), FitOptions(mode, 1, 0, 0.01, 0, None, 4)).run(
            examples, None, on_batch=lambda: None
        )
    )


def test_fine_tuning_changes_the_named_layers_and_no_statistics(backbone: Backbone, images: np.ndarray):
    # Random weights let next to nothing through 27 layers that normalise with statistics of nothing.
    for layer in backbone.network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(np.full(layer.gamma.shape, 4.0, np.float32))
    before = collect_variables(backbone.network)
    layers = layers_to_train(backbone.network, "conv_pw_13")
    model = build_network_model(backbone, 2, head=head_for(backbone), trainable=layers, batch_norm_frozen=True)
    train_one_epoch(model, images, TrainMode.FINETUNE)
    changed = changed_variables(before, backbone.network)
    allowed = collect_variables(backbone.network, layers)
    assert set(changed) <= set(allowed)
    assert [key for key in changed if "kernel" in key]
    assert not [key for key in changed if any(word in key for word in ("gamma", "beta", "moving"))]


def test_training_from_scratch_changes_everything_and_the_statistics_too(backbone: Backbone, images: np.ndarray):
    before = collect_variables(backbone.network)
    layers = layers_to_train(backbone.network, "all")
    model = build_network_model(backbone, 2, head=None, trainable=layers, batch_norm_frozen=False)
    num_trainable, num_frozen = count_parameters(model)
    train_one_epoch(model, images, TrainMode.SCRATCH)
    changed = changed_variables(before, backbone.network)
    assert {key.partition("/")[2] for key in changed} >= {"kernel", "gamma", "beta", "moving_mean", "moving_variance"}
    assert len(changed) == len(before)
    statistics = sum(value.size for key, value in before.items() if "moving" in key)
    assert (num_trainable, num_frozen) == (sum(v.size for v in before.values()) - statistics + 2 * 256 + 2, statistics)


def test_fine_tuning_begins_with_the_answers_of_the_head(backbone: Backbone, images: np.ndarray):
    head = head_for(backbone)
    features = np.array(backbone.network(backbone.preprocess(images)))
    layers = layers_to_train(backbone.network, "30%")
    model = build_network_model(backbone, 2, head=head, trainable=layers, batch_norm_frozen=True)
    np.testing.assert_allclose(np.array(model(images)), head.logits(features), rtol=1e-3, atol=1e-4)
    assert np.array_equal(head_from(model, LABELS).weights, head.weights)


def nested_backbone() -> Backbone:
    """A network in the network, as ConvNeXt's stem is, and its size of LeNet's."""
    keras.utils.set_random_seed(0)
    block = keras.Sequential([keras.layers.Conv2D(4, 5, name="inner"), keras.layers.BatchNormalization(name="norm")])
    image = keras.Input((32, 32, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="outer")(block(image)))
    return Backbone(get_backbone("lenet-5"), keras.Model(image, features))


def changed_by_training(mode: TrainMode, unfreeze: str, *, batch_norm_frozen: bool) -> set[str]:
    backbone = nested_backbone()
    before = collect_variables(backbone.network)
    layers = layers_to_train(backbone.network, unfreeze)
    head = None if mode is TrainMode.SCRATCH else Head(np.eye(4, 2, dtype=np.float32), np.zeros(2, np.float32), LABELS)
    model = build_network_model(backbone, 2, head=head, trainable=layers, batch_norm_frozen=batch_norm_frozen)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    train_one_epoch(model, images, mode)
    return set(changed_variables(before, backbone.network))


INNER_KERNEL, OUTER_KERNEL = "0000/kernel", "0006/kernel"
STATISTICS = {"0004/moving_mean", "0005/moving_variance"}


def test_a_network_within_the_network_is_trained_with_it():
    changed = changed_by_training(TrainMode.SCRATCH, "all", batch_norm_frozen=False)
    assert changed >= {INNER_KERNEL, OUTER_KERNEL} | STATISTICS


def test_a_network_within_the_network_stays_as_it_is_unless_it_is_named():
    changed = changed_by_training(TrainMode.FINETUNE, "outer", batch_norm_frozen=True)
    assert OUTER_KERNEL in changed
    assert all(key.startswith(("0006", "0007")) for key in changed)


def test_fine_tuning_all_layers_leaves_batch_normalisation_as_it_is_too():
    changed = changed_by_training(TrainMode.FINETUNE, "all", batch_norm_frozen=True)
    assert changed >= {INNER_KERNEL, OUTER_KERNEL}
    assert not [key for key in changed if any(word in key for word in ("gamma", "beta", "moving"))]
