import subprocess
import sys

import pytest

from core.errors import UnknownModelError
from workers.ml.catalog import BACKBONES, get_backbone, smallest_of_families


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


def test_no_two_rows_share_a_name_or_published_weights():
    assert len({spec.weights_file for spec in BACKBONES.values()}) == len(BACKBONES) == 50


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

    assert len(smallest) == 14
    assert smallest["mobilenet"] == "mobilenet-0.25"
    assert smallest["vgg"] == "vgg16"


def test_the_catalogue_and_the_cache_are_read_without_keras_or_numpy():
    program = "import sys, workers.ml.catalog, workers.ml.weights; print({'keras', 'numpy'} & set(sys.modules))"

    received = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert received.stdout == "set()\n"
