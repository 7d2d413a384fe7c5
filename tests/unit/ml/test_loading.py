from workers.ml.catalog import get_backbone
from workers.ml.loading import affordable_batch_size


def test_light_networks_get_the_batch_that_the_settings_ask_for():
    for name in ("mobilenet-0.25", "resnet50", "densenet121"):
        assert affordable_batch_size(get_backbone(name), 32) == 32


def test_heavy_networks_get_smaller_batches_but_never_none():
    assert 1 <= affordable_batch_size(get_backbone("efficientnet_b7"), 32) < 16
    assert 1 <= affordable_batch_size(get_backbone("convnext_xlarge"), 32) < 32
    assert affordable_batch_size(get_backbone("vgg16"), 32) == 16
    assert affordable_batch_size(get_backbone("vgg16"), 4) == 4
