"""SavedModels of every origin, other folders, and what the converter cannot convert."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import running
from tests.file_formats.test_formats import LFS, saved_model
from tflite_eq import EasyQuantConverter, converter
from tflite_eq.cli.models import load_float_model
from tflite_eq.errors import ModelError, TfliteEqError

v1 = tf.compat.v1


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_float_model(str(path))
    return str(caught.value)


def built(folder: Path, tag_sets: Sequence[Sequence[str]], factor: float = 2.0) -> None:
    """What TensorFlow 1 wrote: a graph per set of tags, all of which multiply by a factor."""
    builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
    for number, tags in enumerate(tag_sets):
        graph = tf.Graph()
        with graph.as_default(), v1.Session(graph=graph) as session:
            x = v1.placeholder(tf.float32, [1, 4], name="x")
            weight = v1.get_variable("w", initializer=tf.constant(factor))
            y = tf.multiply(x * 1.0 if number else x, weight, name="y")
            session.run(v1.global_variables_initializer())
            signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
            signatures = {"default": signature}
            if number:
                builder.add_meta_graph(tags, signature_def_map=signatures)
            else:
                builder.add_meta_graph_and_variables(session, tags, signature_def_map=signatures)
    builder.save()


@pytest.mark.parametrize(
    "tag_sets", [[["serve"]], [[], ["train"]], [["train"], []], [["serve", "gpu"]]]
)
def test_the_graph_for_inference_is_found(
    tmp_path: Path, tag_sets: Sequence[Sequence[str]]
) -> None:
    built(tmp_path / "saved", tag_sets)
    [found] = running.run(load_float_model(str(tmp_path / "saved")), [np.ones((1, 4), np.float32)])
    np.testing.assert_array_equal(found, np.full((1, 4), 2, np.float32))


def test_graphs_that_cannot_be_told_apart(tmp_path: Path) -> None:
    built(tmp_path / "saved", [["tpu"], ["gpu"]])
    message = refusal(tmp_path / "saved")
    assert "has 2 graphs, with the tags ['tpu'], ['gpu']" in message
    assert f"from_saved_model('{tmp_path / 'saved'}', tags=[...])" in message
    made = EasyQuantConverter.from_saved_model(tmp_path / "saved", tags=["gpu"])
    assert running.run(made.float_model(), [np.ones((1, 4), np.float32)])[0][0, 0] == 2


def test_module_without_a_signature_gets_code_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Module(tf.Module):  # type: ignore[misc]
        @tf.function  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return tf.nn.relu(x) + 1.0

    monkeypatch.chdir(tmp_path)
    module = Module()
    module(tf.ones([1, 224, 224, 3]))
    tf.saved_model.save(module, "hub")
    message = refusal(Path("hub"))
    assert "the SavedModel has no signature" in message
    exec(message.split("then pass model.tflite: ")[1], {})
    image = np.full((1, 224, 224, 3), 4, np.float32)
    assert running.run(load_float_model("model.tflite"), [image])[0][0, 0, 0, 0] == 5


def test_unknown_signature_names_those_there_are(tmp_path: Path) -> None:
    built(tmp_path / "saved", [["serve"]])
    with pytest.raises(ModelError, match=r"no signature \['other'\]; it has \['default'\]"):
        EasyQuantConverter.from_saved_model(tmp_path / "saved", ["other"])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"saved_model.pb": saved_model(signatures=())}, "has no signature"),
        ({"saved_model.pb": saved_model()[:-9]}, "saved_model.pb is cut off or damaged"),
        ({"saved_model.pb": b""}, "saved_model.pb: the file is empty"),
        ({"saved_model.pb": LFS}, "a Git LFS pointer"),
        (
            {"saved_model.pb": saved_model(), "variables/variables.data-00000-of-00001": LFS},
            "variables.data-00000-of-00001: is no part of a SavedModel but a Git LFS pointer",
        ),
        ({"1/saved_model.pb": b"x"}, "it holds 1 of them: {folder}/1; pass {folder}/1"),
        ({"a/1/saved_model.pb": b"x"}, "pass {folder}/a/1"),
        ({"net.keras": b"x"}, "it holds {folder}/net.keras; pass the file itself"),
        ({"model.json": b'{"modelTopology": {}}'}, "TensorFlow.js"),
        ({"config.json": b"", "metadata.json": b"", "model.weights.h5": b""}, "unpacked .keras"),
        ({"config.json": b"", "model.safetensors": b""}, "Hugging Face"),
        ({"Manifest.json": b"", "Data/x": b""}, "Core ML package"),
        ({"checkpoint": b"", "m.ckpt-1.index": b""}, "checkpoint: weights and no network"),
        ({"notes.txt": b""}, "it holds notes.txt"),
        ({}, "it is empty"),
    ],
)
def test_folders_are_judged_before_tensorflow_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], expected: str
) -> None:
    def never(*arguments: object) -> Any:
        raise AssertionError("TensorFlow is asked for")

    monkeypatch.setattr(converter, "import_tensorflow", never)
    folder = tmp_path / "saved"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    assert expected.format(folder=folder) in refusal(folder)


def test_operators_that_do_not_convert_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    @tf.function(input_signature=[tf.TensorSpec([1, 4, 4], tf.float32)])  # type: ignore[untyped-decorator]
    def network(x: Any) -> Any:
        return tf.linalg.det(tf.linalg.inv(x))

    module = tf.Module()
    module.f = network
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=network)
    message = refusal(tmp_path / "saved")
    assert "tf.MatrixInverse" not in capfd.readouterr().err  # nor anything else of MLIR's
    for name in ("MatrixDeterminant", "MatrixInverse"):
        assert name in message
    assert "2 kind(s) of operator have no TFLite form" in message
    assert "model.get_layer(NAME).output" in message
    made = EasyQuantConverter.from_concrete_functions([network.get_concrete_function()], module)
    with pytest.raises(TfliteEqError, match="MatrixInverse"):
        made.float_model()
