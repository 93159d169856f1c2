"""Loading a functional Keras model, saved by Keras 2 or 3, where only Keras 2 is installed.

The weights of an ``.h5`` file are the same to both, its description is not: Keras 3 writes shapes,
data types, connections and some arguments in another form.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Config = dict[str, Any]

_RENAMED = {"batch_shape": "batch_input_shape"}
_RENAMED_IN = {"LeakyReLU": {"negative_slope": "alpha"}}
_NEW_IN_KERAS_3 = ("optional", "quantization_config")


def load_model(path: Path) -> Any:
    """The model of an ``.h5`` file, as a ``tf.keras.Model`` of Keras 2."""
    import h5py
    import tensorflow as tf

    with h5py.File(path) as stored:
        description = json.loads(stored.attrs["model_config"])
    if description["class_name"] != "Functional":
        raise ValueError(f"{path.name}: a {description['class_name']} model, expected Functional")
    model = tf.keras.Model.from_config(to_keras2(description["config"]))
    model.load_weights(str(path))
    return model


def to_keras2(config: Config) -> Config:
    """The configuration of a functional model as Keras 2 writes it.

    Args:
        config: As either version writes it; not changed.
    """
    return {
        **config,
        "layers": [_layer(layer) for layer in config["layers"]],
        "input_layers": _ends(config["input_layers"]),
        "output_layers": _ends(config["output_layers"]),
    }


def _layer(layer: Config) -> Config:
    renamed = {**_RENAMED, **_RENAMED_IN.get(layer["class_name"], {})}
    # Initial values are replaced by the stored ones anyway.
    config = {
        renamed.get(key, key): value
        for key, value in layer["config"].items()
        if key not in _NEW_IN_KERAS_3 and not key.endswith("_initializer")
    }
    if isinstance(config.get("dtype"), dict):
        config["dtype"] = config["dtype"]["config"]["name"]
    return {
        "class_name": layer["class_name"],
        "name": layer["name"],
        "config": config,
        "inbound_nodes": [_node(node) for node in layer["inbound_nodes"]],
    }


def _node(node: Any) -> Any:
    """One call of a layer: the tensors it was called on, each with an empty keyword list."""
    if isinstance(node, list):
        return node
    (argument,) = node["args"]
    tensors = argument if isinstance(argument, list) else [argument]
    return [[*tensor["config"]["keras_history"], {}] for tensor in tensors]


def _ends(ends: list[Any]) -> list[Any]:
    """Keras 3 leaves out the outer list when there is one tensor."""
    return [ends] if isinstance(ends[0], str) else ends
