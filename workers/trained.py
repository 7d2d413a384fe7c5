"""Trained models, from the database to memory: a worker on any machine needs nothing else.

Numbers alone are stored. The architecture comes from code; shapes and sha256 are checked before anything is used.
"""

import threading
from collections import OrderedDict

import numpy as np

from core.errors import DamagedModelError
from core.settings import Settings
from core.types import ArtifactKind, TrainMode
from db.artifacts import read_artifact
from db.database import Database
from db.model_tables import ModelTable
from db.models import find_model
from db.results import class_labels
from workers.ml.backbones import Backbone
from workers.ml.catalog import get_backbone, get_published_backbone
from workers.ml.heads import Head
from workers.ml.loading import load_backbone, load_engine
from workers.ml.model_cache import LoadedBackbone
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import check_shapes, from_bytes
from workers.ml.weights import ensure_weights

# A head takes some kilobytes; a worker seldom sees more models than this in turn.
MAX_HEADS = 64

WEIGHTS, BIAS = "weights", "bias"


def head_tensors(head: Head) -> dict[str, np.ndarray]:
    """A head as it is stored."""
    return {WEIGHTS: head.weights, BIAS: head.bias}


def load_network(name: str, settings: Settings, database: Database) -> LoadedBackbone:
    """Load what `db.model_tables.ModelTable.network` names: a published backbone, or a model's own network.

    Raises:
        UnknownModelError: this version knows no such backbone.
        WeightsError: published weights that it needs cannot be had.
        DamagedModelError: what is stored of the model is damaged, or gone.
    """
    model = _find_own(name, database)
    return load_backbone(name, settings) if model is None else _load_own(model, settings, database)


def recipe_of(name: str, database: Database) -> tuple[NetworkRecipe, ModelTable | None]:
    """How to make what `load_network` loads, and the model whose own network it is, if it is one's.

    Raises:
        UnknownModelError: this version knows no such backbone.
        WeightsError: published weights that it needs cannot be had.
        DamagedModelError: what is stored of the model is damaged, or gone.
    """
    model = _find_own(name, database)
    if model is not None:
        return _recipe(model, database), model
    spec = get_published_backbone(name)
    ensure_weights(spec)
    return NetworkRecipe(spec), None


def _find_own(name: str, database: Database) -> ModelTable | None:
    """The model that a network belongs to; None for a published one, which belongs to nobody."""
    model_name, at, version = name.partition("@")
    if not at:
        return None
    with database.read() as session:
        model = find_model(session, model_name, int(version))
    if model is None:
        raise DamagedModelError(f"{name} is not in the database any more. Train the model again, or use another.")
    return model


def read_head(database: Database, model: ModelTable) -> Head:
    """Read and check a model's head.

    Raises:
        DamagedModelError: it is missing, or not what was written.
    """
    with database.read() as session:
        labels = [label for _, label in sorted(class_labels(session, model.id).items())]
    tensors = read_tensors(database, model, ArtifactKind.HEAD)
    num_features = get_backbone(model.backbone).feature_size
    expected = {WEIGHTS: ((num_features, len(labels)), "float32"), BIAS: ((len(labels),), "float32")}
    check_shapes(tensors, expected, name=f"The head of {model.label}")
    return Head(tensors[WEIGHTS], tensors[BIAS], tuple(labels))


class HeadCache:
    """Heads in memory, the least recently used dropped. Chunks that are worked on at the same time share them.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heads: OrderedDict[int, Head] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model_id: int) -> Head:
        """A model's head.

        Raises:
            DamagedModelError: it is missing, or not what was written.
        """
        with self._lock:
            if model_id not in self._heads:
                with self._database.read() as session:
                    model = session.get_one(ModelTable, model_id)
                self._heads[model_id] = read_head(self._database, model)
            self._heads.move_to_end(model_id)
            while len(self._heads) > MAX_HEADS:
                self._heads.popitem(last=False)
            return self._heads[model_id]


def load_whole_parts(model: ModelTable, database: Database) -> tuple[Backbone, Head]:
    """Load a trained model's network and head, not yet in an engine.

    Raises:
        WeightsError: published weights that it needs cannot be had.
        DamagedModelError: what is stored of the model is damaged.
    """
    backbone, _ = _recipe(model, database).build()
    return backbone, read_head(database, model)


def read_whole_recipe(model: ModelTable, database: Database) -> tuple[NetworkRecipe, Head | None]:
    """How to make a model in another process, of published weights that are there or to be had from there.

    Returns:
        The network's recipe, and the model's head; None: its head is the network's own last layer.

    Raises:
        UnknownModelError: this version knows no such backbone.
        DamagedModelError: what is stored of the model is damaged.
    """
    if model.mode is None:
        return NetworkRecipe(get_published_backbone(model.backbone)), None
    return _stored_recipe(model, database), read_head(database, model)


def read_tensors(database: Database, model: ModelTable, kind: ArtifactKind) -> dict[str, np.ndarray]:
    """Read one of a model's artifacts.

    Raises:
        DamagedModelError: it is missing, or not what was written.
    """
    tensors, _ = from_bytes(_read(database, model, kind), name=_describe(model, kind))
    return tensors


def _load_own(model: ModelTable, settings: Settings, database: Database) -> LoadedBackbone:
    recipe = _recipe(model, database)
    engine, _ = load_engine(recipe, settings)
    return LoadedBackbone(recipe.spec, engine, read_head(database, model))


def _recipe(model: ModelTable, database: Database) -> NetworkRecipe:
    if model.mode is not TrainMode.SCRATCH:
        ensure_weights(get_backbone(model.backbone))
    return _stored_recipe(model, database)


def _stored_recipe(model: ModelTable, database: Database) -> NetworkRecipe:
    spec = get_backbone(model.backbone)
    is_published = model.mode is not TrainMode.SCRATCH
    if model.mode is TrainMode.HEAD:
        return NetworkRecipe(spec)
    changes = _read(database, model, ArtifactKind.NETWORK)
    return NetworkRecipe(spec, is_published, changes, name=_describe(model, ArtifactKind.NETWORK))


def _read(database: Database, model: ModelTable, kind: ArtifactKind) -> bytes:
    data = read_artifact(database, model.id, kind)
    if data is None:
        raise DamagedModelError(f"{_describe(model, kind)} is not in the database. Train the model again.")
    return data


def _describe(model: ModelTable, kind: ArtifactKind) -> str:
    return f"The {kind} of {model.label}"
