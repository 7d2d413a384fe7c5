"""The rows of the catalogue: what differs between networks, grouped by what does not.

Source: Keras 3.15, `keras.applications`, but for the two small networks, which are our own; every number is compared
with the network itself by the tests.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One network of a family."""

    name: str  # what a user writes
    constructor: str  # the function in the family's package
    size: int  # height and width of its square input, in pixels
    num_parameters: int  # of the whole classifier, with ImageNet's 1000 classes
    feature_size: int  # length of the feature vector
    published_as: str = ""  # the part of the weights' file name that differs within the family
    width: float | None = None  # Keras' `alpha`, where a family comes in widths


@dataclass(frozen=True, slots=True)
class Family:
    """Networks of one design."""

    name: str
    module: str  # the module of the package that holds its `preprocess_input`
    feature_layer: str  # `{name}` stands for the member's name
    classifier_layer: str
    weights_file: str | None  # `{}` stands for the member's `published_as`; None: nobody published weights
    members: tuple[Member, ...]
    package: str = "keras.applications"


_CLASSIC_FILE = "{}_weights_tf_dim_ordering_tf_kernels.h5"

FAMILIES = (
    Family(
        "alexnet",
        "small_networks",
        "dropout_fc7",
        "predictions",
        None,
        (Member("alexnet", "small_networks.alexnet", 227, 15_260_008, 1024),),
        package="workers.ml",
    ),
    Family(
        "convnext",
        "convnext",
        "{name}_head_layernorm",
        "{name}_head_dense",
        "{}.h5",
        (
            Member("convnext_tiny", "ConvNeXtTiny", 224, 28_589_128, 768, "convnext_tiny"),
            Member("convnext_small", "ConvNeXtSmall", 224, 50_223_688, 768, "convnext_small"),
            Member("convnext_base", "ConvNeXtBase", 224, 88_591_464, 1024, "convnext_base"),
            Member("convnext_large", "ConvNeXtLarge", 224, 197_767_336, 1536, "convnext_large"),
            Member("convnext_xlarge", "ConvNeXtXLarge", 224, 350_196_968, 2048, "convnext_xlarge"),
        ),
    ),
    Family(
        "densenet",
        "densenet",
        "avg_pool",
        "predictions",
        _CLASSIC_FILE,
        (
            Member("densenet121", "DenseNet121", 224, 8_062_504, 1024, "densenet121"),
            Member("densenet169", "DenseNet169", 224, 14_307_880, 1664, "densenet169"),
            Member("densenet201", "DenseNet201", 224, 20_242_984, 1920, "densenet201"),
        ),
    ),
    Family(
        "efficientnet",
        "efficientnet",
        "top_dropout",
        "predictions",
        "efficientnet{}.h5",
        (
            Member("efficientnet_b0", "EfficientNetB0", 224, 5_330_571, 1280, "b0"),
            Member("efficientnet_b1", "EfficientNetB1", 240, 7_856_239, 1280, "b1"),
            Member("efficientnet_b2", "EfficientNetB2", 260, 9_177_569, 1408, "b2"),
            Member("efficientnet_b3", "EfficientNetB3", 300, 12_320_535, 1536, "b3"),
            Member("efficientnet_b4", "EfficientNetB4", 380, 19_466_823, 1792, "b4"),
            Member("efficientnet_b5", "EfficientNetB5", 456, 30_562_527, 2048, "b5"),
            Member("efficientnet_b6", "EfficientNetB6", 528, 43_265_143, 2304, "b6"),
            Member("efficientnet_b7", "EfficientNetB7", 600, 66_658_687, 2560, "b7"),
        ),
    ),
    Family(
        "efficientnet_v2",
        "efficientnet_v2",
        "top_dropout",
        "predictions",
        "efficientnetv2-{}.h5",
        (
            Member("efficientnet_v2_b0", "EfficientNetV2B0", 224, 7_200_312, 1280, "b0"),
            Member("efficientnet_v2_b1", "EfficientNetV2B1", 240, 8_212_124, 1280, "b1"),
            Member("efficientnet_v2_b2", "EfficientNetV2B2", 260, 10_178_374, 1408, "b2"),
            Member("efficientnet_v2_b3", "EfficientNetV2B3", 300, 14_467_622, 1536, "b3"),
            Member("efficientnet_v2_s", "EfficientNetV2S", 384, 21_612_360, 1280, "s"),
            Member("efficientnet_v2_m", "EfficientNetV2M", 480, 54_431_388, 1280, "m"),
            Member("efficientnet_v2_l", "EfficientNetV2L", 480, 119_027_848, 1280, "l"),
        ),
    ),
    Family(
        "inception_resnet_v2",
        "inception_resnet_v2",
        "avg_pool",
        "predictions",
        _CLASSIC_FILE,
        (Member("inception_resnet_v2", "InceptionResNetV2", 299, 55_873_736, 1536, "inception_resnet_v2"),),
    ),
    Family(
        "inception_v3",
        "inception_v3",
        "avg_pool",
        "predictions",
        _CLASSIC_FILE,
        (Member("inception_v3", "InceptionV3", 299, 23_851_784, 2048, "inception_v3"),),
    ),
    Family(
        "lenet",
        "small_networks",
        "f6",
        "predictions",
        None,
        (Member("lenet-5", "small_networks.lenet_5", 32, 146_156, 84),),
        package="workers.ml",
    ),
    Family(
        "mobilenet",
        "mobilenet",
        "dropout",
        "conv_preds",
        "mobilenet_{}_224_tf.h5",
        (
            Member("mobilenet-0.25", "MobileNet", 224, 475_544, 256, "2_5", width=0.25),
            Member("mobilenet-0.5", "MobileNet", 224, 1_342_536, 512, "5_0", width=0.5),
            Member("mobilenet-0.75", "MobileNet", 224, 2_601_976, 768, "7_5", width=0.75),
            Member("mobilenet", "MobileNet", 224, 4_253_864, 1024, "1_0", width=1.0),
        ),
    ),
    Family(
        "mobilenet_v2",
        "mobilenet_v2",
        "global_average_pooling2d",
        "predictions",
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{}_224.h5",
        (
            Member("mobilenet_v2-0.35", "MobileNetV2", 224, 1_691_208, 1280, "0.35", width=0.35),
            Member("mobilenet_v2-0.5", "MobileNetV2", 224, 1_987_224, 1280, "0.5", width=0.5),
            Member("mobilenet_v2-0.75", "MobileNetV2", 224, 2_663_064, 1280, "0.75", width=0.75),
            Member("mobilenet_v2", "MobileNetV2", 224, 3_538_984, 1280, "1.0", width=1.0),
            Member("mobilenet_v2-1.3", "MobileNetV2", 224, 5_431_048, 1664, "1.3", width=1.3),
            Member("mobilenet_v2-1.4", "MobileNetV2", 224, 6_156_712, 1792, "1.4", width=1.4),
        ),
    ),
    Family(
        "mobilenet_v3",
        "mobilenet_v3",
        "dropout",
        "logits",
        "weights_mobilenet_v3_{}_float.h5",
        (
            Member("mobilenet_v3_small-0.75", "MobileNetV3Small", 224, 2_051_552, 1024, "small_224_0.75", width=0.75),
            Member("mobilenet_v3_small", "MobileNetV3Small", 224, 2_554_968, 1024, "small_224_1.0", width=1.0),
            Member("mobilenet_v3_large-0.75", "MobileNetV3Large", 224, 4_012_616, 1280, "large_224_0.75", width=0.75),
            Member("mobilenet_v3_large", "MobileNetV3Large", 224, 5_507_432, 1280, "large_224_1.0", width=1.0),
        ),
    ),
    Family(
        "nasnet",
        "nasnet",
        "global_average_pooling2d",
        "predictions",
        "nasnet_{}.h5",
        (
            Member("nasnet_mobile", "NASNetMobile", 224, 5_326_716, 1056, "mobile"),
            Member("nasnet_large", "NASNetLarge", 331, 88_949_818, 4032, "large"),
        ),
    ),
    Family(
        "resnet",
        "resnet",
        "avg_pool",
        "predictions",
        _CLASSIC_FILE,
        (
            Member("resnet50", "ResNet50", 224, 25_636_712, 2048, "resnet50"),
            Member("resnet101", "ResNet101", 224, 44_707_176, 2048, "resnet101"),
            Member("resnet152", "ResNet152", 224, 60_419_944, 2048, "resnet152"),
        ),
    ),
    Family(
        "resnet_v2",
        "resnet_v2",
        "avg_pool",
        "predictions",
        _CLASSIC_FILE,
        (
            Member("resnet50_v2", "ResNet50V2", 224, 25_613_800, 2048, "resnet50v2"),
            Member("resnet101_v2", "ResNet101V2", 224, 44_675_560, 2048, "resnet101v2"),
            Member("resnet152_v2", "ResNet152V2", 224, 60_380_648, 2048, "resnet152v2"),
        ),
    ),
    Family(
        "vgg",
        "vgg16",
        "fc2",
        "predictions",
        _CLASSIC_FILE,
        (Member("vgg16", "VGG16", 224, 138_357_544, 4096, "vgg16"),),
    ),
    Family(
        "vgg",
        "vgg19",
        "fc2",
        "predictions",
        _CLASSIC_FILE,
        (Member("vgg19", "VGG19", 224, 143_667_240, 4096, "vgg19"),),
    ),
    Family(
        "xception",
        "xception",
        "avg_pool",
        "predictions",
        _CLASSIC_FILE,
        (Member("xception", "Xception", 299, 22_910_480, 2048, "xception"),),
    ),
)
