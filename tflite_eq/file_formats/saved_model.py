"""The outline of a SavedModel: what its graphs are tagged with and which signatures they have."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tflite_eq.file_formats import wire

# Fields of tensorflow.SavedModel, MetaGraphDef and MetaInfoDef; an entry of a map is a message of
# key and value.
_META_GRAPHS = 2
_META_INFO, _SIGNATURES = 1, 5
_TAGS, _TENSORFLOW_VERSION = 4, 5
_KEY = 1

# Signatures that TensorFlow adds itself; they initialise and give nothing.
_INTERNAL = "__saved_model_"

SERVING = "serve"
TRAINING = "train"


@dataclasses.dataclass(frozen=True)
class MetaGraph:
    """One of the graphs in a SavedModel.

    Attributes:
        tags: What it is chosen by; none at all in the modules of TensorFlow 1's Hub.
        signatures: Keys of its signatures.
        tensorflow_version: Version that wrote it.
    """

    tags: frozenset[str]
    signatures: tuple[str, ...]
    tensorflow_version: str


def meta_graphs(data: bytes) -> list[MetaGraph]:
    """The graphs in the content of a ``saved_model.pb``.

    Raises:
        WireError: The bytes are no SavedModel, or cut off.
    """
    return [_meta_graph(found) for found in wire.parts(data, _META_GRAPHS)]


def read_meta_graphs(folder: Path) -> list[MetaGraph] | None:
    """The graphs of a SavedModel's folder; ``None`` if it is stored as text.

    Raises:
        WireError: ``saved_model.pb`` is no SavedModel, or cut off.
        OSError: It cannot be read.
    """
    path = folder / "saved_model.pb"
    return meta_graphs(path.read_bytes()) if path.exists() else None


def to_convert(graphs: list[MetaGraph]) -> MetaGraph | None:
    """The graph to convert: the one for serving, else the only one that is not for training."""
    serving = [graph for graph in graphs if graph.tags == {SERVING}]
    others = [graph for graph in graphs if TRAINING not in graph.tags]
    for found in (serving, others):
        if len(found) == 1:
            return found[0]
    return None


def _meta_graph(message: memoryview) -> MetaGraph:
    info = wire.parts(message, _META_INFO)
    tags = [tag for one in info for tag in wire.texts(one, _TAGS)]
    versions = [version for one in info for version in wire.texts(one, _TENSORFLOW_VERSION)]
    keys = [key for entry in wire.parts(message, _SIGNATURES) for key in wire.texts(entry, _KEY)]
    return MetaGraph(
        frozenset(tags),
        tuple(key for key in keys if not key.startswith(_INTERNAL)),
        versions[0] if versions else "",
    )
