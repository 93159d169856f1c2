"""Descriptions of models from Keras 3 as Keras 2 wants them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.peers.runners import keras2
from tests import running, shared_data

IS_KERAS_2 = tuple(map(int, tf.__version__.split(".")[:2])) < (2, 16)


def history(name: str) -> dict[str, Any]:
    """A tensor in Keras 3's description."""
    tensor = {"shape": [None, 4], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": tensor}


def test_tensors_types_shapes_and_arguments_change_their_form() -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    found = keras2.to_keras2(
        {
            "name": "net",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "name": "x",
                    "config": {"name": "x", "batch_shape": [None, 4], "optional": False},
                    "inbound_nodes": [],
                },
                {
                    "class_name": "LeakyReLU",
                    "name": "leaky",
                    "config": {"name": "leaky", "dtype": policy, "negative_slope": 0.1},
                    "inbound_nodes": [{"args": [history("x")], "kwargs": {}}],
                },
                {
                    "class_name": "Add",
                    "name": "sum",
                    "config": {"name": "sum", "dtype": policy, "quantization_config": None},
                    "inbound_nodes": [{"args": [[history("x"), history("leaky")]], "kwargs": {}}],
                },
            ],
            "input_layers": ["x", 0, 0],
            "output_layers": ["sum", 0, 0],
        }
    )
    assert found["input_layers"] == [["x", 0, 0]]
    assert found["output_layers"] == [["sum", 0, 0]]
    first, leaky, total = found["layers"]
    assert total["config"] == {"name": "sum", "dtype": "float32"}
    assert first["config"] == {"name": "x", "batch_input_shape": [None, 4]}
    assert leaky["config"] == {"name": "leaky", "dtype": "float32", "alpha": 0.1}
    assert leaky["inbound_nodes"] == [[["x", 0, 0, {}]]]
    assert total["inbound_nodes"] == [[["x", 0, 0, {}], ["leaky", 0, 0, {}]]]


def test_a_description_by_keras_2_stays_as_it_is_but_for_initial_values() -> None:
    layer = {
        "class_name": "Dense",
        "name": "dense",
        "config": {"name": "dense", "dtype": "float32", "units": 2},
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }
    config = {
        "layers": [layer],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["dense", 0, 0]],
    }
    with_initial_value = json.loads(json.dumps(config))
    with_initial_value["layers"][0]["config"]["kernel_initializer"] = {"class_name": "Zeros"}
    assert keras2.to_keras2(with_initial_value) == config


def test_other_than_functional_models_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sequential.h5"
    tf.keras.Sequential([tf.keras.layers.Input((3,)), tf.keras.layers.Dense(2)]).save(path)
    with pytest.raises(ValueError, match=r"^sequential\.h5: a Sequential model, expected"):
        keras2.load_model(path)


@pytest.mark.skipif(not IS_KERAS_2, reason="needs Keras 2")
@shared_data.needs_shared_data
@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v1_0.25_224",
        "tiny_darknet",
        "squeezenet1_1_gluon",
        "resnet8_cifar10",
        "resnet8_large_cifar10",
    ],
)
def test_loaded_models_compute_what_their_float_tflite_computes(name: str) -> None:
    entry = shared_data.models()[name]
    (sample,) = shared_data.calibration(name, 1)
    expected = running.run(shared_data.path(entry["tflite"]).read_bytes(), [sample])[0]
    found = keras2.load_model(shared_data.path(entry["file"]))(sample).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
