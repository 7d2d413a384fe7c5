"""The comparisons: which sides belong to each, what is to be reached. Source of the targets: issue 4, "To reach"."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from benchmarks import datasets
from benchmarks.comparison import Figure
from benchmarks.measurement import Measurement

NUM_PHOTOGRAPHS, NUM_CAMERA_PHOTOGRAPHS = 1000, 200
NUM_REFERENCES = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """A process that measures one side, or several that belong together."""

    module: str  # below benchmarks.sides
    argument: str | None = None  # what it gets besides the folder


@dataclass(frozen=True, slots=True)
class Suite:
    """What is compared in one go."""

    name: str  # what --only takes
    title: str  # {number} stands for the number of images
    sides: Mapping[str, str]  # what the keys of the measurements mean
    runs: tuple[Run, ...]  # in the order of each round
    figures: tuple[Figure, ...]
    images: Callable[[int], Path] | None = None  # makes the folder that every run gets
    num_images: int = 0
    is_rate: bool = True  # shown as images a second, else as seconds
    max_rounds: int | None = None  # where a round takes minutes and compares nothing


def _faster(name: str, key: str, than: str, target: float) -> Figure:
    def ratio(measured: dict[str, Measurement]) -> float:
        return measured[key].rate / measured[than].rate

    return Figure(name, target, ratio, (key, than))


def _share_of_roof(measured: dict[str, Measurement]) -> float:
    engine, decoding = measured["engine"].rate, measured["decoding"].rate
    return measured["embedded"].rate * (1 / engine + 1 / decoding)


def _share_of_time(measured: dict[str, Measurement]) -> float:
    return measured["one_labelyard"].wall_s / measured["one_notebook"].wall_s


def _rate(name: str, key: str, target: float) -> Figure:
    return Figure(name, target, lambda measured: measured[key].rate, (key,))


def _peak_mb(name: str, key: str, target: float) -> Figure:
    return Figure(name, target, lambda measured: measured[key].peak_mb or inf, (key,), is_at_most=True)


def _peak_growth(name: str, key: str, than: str, target: float) -> Figure:
    def ratio(measured: dict[str, Measurement]) -> float:
        return (measured[key].peak_mb or inf) / (measured[than].peak_mb or inf)

    return Figure(name, target, ratio, (key, than), is_at_most=True)


SIDES = {
    "notebook": "(a) notebook: predict, one by one",
    "tf_data": "(b) tf.data + predict",
    "ray_keras": "(c) Ray Data, Keras",
    "ray_openvino": "(d) Ray Data, our engine",
    "engine": "(e) engine alone",
    "decoding": "(f) decoding alone",
    "embedded": "(g) Labelyard, embedded",
    "servers": "(h) Labelyard, Redis + PostgreSQL",
}
LABELLING = Suite(
    "labelling",
    "{number} photographs of about 500 x 375, MobileNet-0.75",
    SIDES,
    (
        Run("notebook_loop"),
        Run("tf_data"),
        Run("ray_keras"),
        Run("ray_openvino"),
        Run("engine"),
        Run("decoding"),
        Run("embedded"),
        Run("servers"),
    ),
    (
        _faster("embedded against the notebook (g/a)", "embedded", "notebook", 15),
        _faster("embedded against tf.data (g/b)", "embedded", "tf_data", 4),
        _faster("embedded against Ray with Keras (g/c)", "embedded", "ray_keras", 6),
        _faster("embedded against Ray with our engine (g/d)", "embedded", "ray_openvino", 1.2),
        Figure("embedded against the roof 1/(1/e + 1/f)", 0.95, _share_of_roof, ("embedded", "engine", "decoding")),
        _faster("servers against embedded (h/g)", "servers", "embedded", 0.85),
    ),
    datasets.photographs,
    NUM_PHOTOGRAPHS,
)
CAMERA = Suite(
    "camera",
    "{number} photographs of 4000 x 3000, MobileNet-0.75",
    {key: SIDES[key] for key in ("notebook", "tf_data", "ray_keras", "embedded")},
    (Run("notebook_loop"), Run("tf_data"), Run("ray_keras"), Run("embedded")),
    (
        _faster("camera: embedded against the notebook (g/a)", "embedded", "notebook", 8),
        _faster("camera: embedded against tf.data (g/b)", "embedded", "tf_data", 3),
        _faster("camera: embedded against Ray with Keras (g/c)", "embedded", "ray_keras", 3),
    ),
    datasets.camera_photographs,
    NUM_CAMERA_PHOTOGRAPHS,
)
HEAD = Suite(
    "head",
    "A head on VGG16: 65 images, 10 epochs",
    {
        "head_notebook": "notebook: fit of the frozen network",
        "head_warm": "Labelyard: features once, then a head",
        "head_cold": "Labelyard, network not converted yet",
    },
    (Run("head_fit", "notebook"), Run("head_fit", "warm"), Run("head_fit", "cold")),
    (_faster("VGG16 head against the notebook's fit", "head_warm", "head_notebook", 12),),
    is_rate=False,
)
RETRAINING = Suite(
    "retraining",
    "A head on MobileNet-0.75: 232 images, then 245",
    {"train_first": "first training", "train_again": "again after 5% new images"},
    (Run("retraining"),),
    (_faster("retraining after 5% new images against the first", "train_again", "train_first", 10),),
    is_rate=False,
)
RELABELLING = Suite(
    "relabelling",
    "{number} photographs, then the same with a new head",
    {"label_first": "labelling them first", "label_again": "labelling them with a new head"},
    (Run("relabelling"),),
    (_faster("relabelling with a new head against the first time", "label_again", "label_first", 15),),
    datasets.photographs,
    NUM_PHOTOGRAPHS,
)
ONE_IMAGE = Suite(
    "one-image",
    "One image, the whole process",
    {"one_notebook": "the notebook's script", "one_labelyard": "labelyard label"},
    (Run("one_image"),),
    (Figure("one image: time against the notebook's", 0.5, _share_of_time, ("one_notebook", "one_labelyard"), True),),
    datasets.photographs,
    NUM_PHOTOGRAPHS,
    is_rate=False,
)
CEILING = Suite(
    "ceiling",
    "{number} references, a tenth and a hundredth of them; neither read nor computed",
    {
        "sqlite_hundredth": "SQLite, a hundredth",
        "sqlite_tenth": "SQLite, a tenth",
        "sqlite_all": "SQLite, all",
        "servers_hundredth": "Redis + PostgreSQL, a hundredth",
        "servers_tenth": "Redis + PostgreSQL, a tenth",
        "servers_all": "Redis + PostgreSQL, all",
    },
    (Run("ceiling", "sqlite"), Run("ceiling", "servers")),
    (
        _rate("images/s through SQLite", "sqlite_all", 10_000),
        _rate("images/s through PostgreSQL + Redis", "servers_all", 5_000),
        _peak_growth("SQLite: memory for all against a hundredth", "sqlite_all", "sqlite_hundredth", 1.3),
        _peak_growth("PostgreSQL: memory for all against a hundredth", "servers_all", "servers_hundredth", 1.3),
        _peak_mb("SQLite: the orchestrator's memory, MB", "sqlite_all", 300),
        _peak_mb("PostgreSQL: the orchestrator's memory, MB", "servers_all", 300),
    ),
    datasets.manifests,
    NUM_REFERENCES,
    max_rounds=1,
)
SUITES = {suite.name: suite for suite in (LABELLING, CAMERA, HEAD, RETRAINING, RELABELLING, ONE_IMAGE, CEILING)}
