import subprocess
import sys

import pytest

from core.errors import UnknownModelError, UsageError
from workers.ml.catalog import BACKBONES, get_backbone, get_published_backbone, smallest_of_families


@pytest.mark.parametrize(
    "name",
    [
        *("vgg16", "vgg19", "resnet50", "resnet101", "resnet152", "resnet50_v2", "resnet101_v2", "resnet152_v2"),
        *("inception_v3", "inception_resnet_v2", "xception", "densenet121", "densenet169", "densenet201"),
        *("mobilenet", "mobilenet-0.25", "mobilenet-0.5", "mobilenet-0.75", "mobilenet_v2", "nasnet_mobile"),
        *("nasnet_large", "mobilenet_v3_small", "mobilenet_v3_large", *(f"efficientnet_b{n}" for n in range(8))),
        *(f"efficientnet_v2_{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l")),
        *(f"convnext_{size}" for size in ("tiny", "small", "base", "large", "xlarge")),
    ],
)
def test_every_network_has_its_row_under_its_own_name(name):
    assert get_backbone(name).name == name


def test_the_plain_name_is_the_full_width():
    assert get_backbone("mobilenet").kwargs == {"alpha": 1.0}
    assert get_backbone("mobilenet-0.75").kwargs == {"alpha": 0.75}


def test_no_two_rows_share_published_weights():
    published = [spec for spec in BACKBONES.values() if spec.is_published]

    assert len({spec.weights_file for spec in published}) == len(published) == 50


def test_the_small_networks_are_there_to_be_trained_from_scratch():
    unpublished = {spec.name: spec.weights_file for spec in BACKBONES.values() if not spec.is_published}

    assert unpublished == {"lenet-5": None, "alexnet": None}
    assert get_published_backbone("vgg16") is get_backbone("vgg16")
    for name in unpublished:
        with pytest.raises(
            UsageError, match=rf"^{name} has no .* `labelyard train DATASET --backbone {name} --mode scr"
        ):
            get_published_backbone(name)


def test_a_published_network_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(UnknownModelError, match=r"'vgg61'.*Nearest: .*vgg16"):
        get_published_backbone("vgg61")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("mobilnet", "mobilenet"), ("ResNet50V2", "resnet50_v2"), ("efficientnetb0", "efficientnet_b0"), ("vgg", "vgg16")],
)
def test_an_unknown_name_is_answered_with_the_nearest(typed, meant):
    with pytest.raises(UnknownModelError, match=rf"{typed}.*Nearest: .*\b{meant}\b.*labelyard backbones"):
        get_backbone(typed)


def test_a_name_like_no_other_is_answered_without_a_guess():
    with pytest.raises(UnknownModelError, match=r"'qqq'\. `labelyard backbones`"):
        get_backbone("qqq")


def test_each_family_is_represented_by_its_smallest_member():
    smallest = {spec.family: spec.name for spec in smallest_of_families()}

    assert len([name for name in smallest.values() if get_backbone(name).is_published]) == 14
    assert smallest["lenet"] == "lenet-5"
    assert smallest["mobilenet"] == "mobilenet-0.25"
    assert smallest["vgg"] == "vgg16"


def test_the_catalogue_and_the_cache_are_read_without_keras_or_numpy():
    program = "import sys, workers.ml.catalog, workers.ml.weights; print({'keras', 'numpy'} & set(sys.modules))"

    received = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert received.stdout == "set()\n"
