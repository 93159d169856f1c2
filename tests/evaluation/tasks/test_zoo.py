"""Real networks of every field, judged against themselves after quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests import shared_data
from tests.evaluation.several_outputs import edited
from tflite_eq import Metric, TaskEvaluation, Validation, evaluate, preset_config, quantize
from tflite_eq.data.images import load_pixels
from tflite_eq.data.preprocessing import Preprocessing, Resize
from tflite_eq.evaluation.ends import inputs_of
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]


def pictures(size: int, count: int, mean: float, std: float) -> Array:
    """Whole images of the shared data, [count, size, size, 3]."""
    reading = Preprocessing(resize=Resize.STRETCH)
    files = sorted(shared_data.path("images").rglob("*.[jJ]*"))[:count]
    if len(files) < count:
        pytest.skip(f"shared data: fewer than {count} images; set TFLITE_EQ_DATA to its folder")
    pixels = [load_pixels(file, size, size, 3, reading) for file in files]
    return ((np.stack(pixels) - mean) / std).astype(np.float32)


def judged(model: bytes, samples: Array, **said: Any) -> TaskEvaluation:
    """The model in INT8 beside the float one."""
    calibration = [[x[np.newaxis]] for x in samples[:2]]
    small = quantize(model, calibration, preset_config("fast")).model
    found = evaluate({"int8": small}, Validation.from_arrays(samples), reference=model, **said)
    assert isinstance(found, TaskEvaluation)
    assert found.comparison is not None
    return found


def test_a_segmenter() -> None:
    model = shared_data.zoo("deeplabv3_257.tflite").read_bytes()
    found = judged(model, pictures(257, 4, 127.5, 127.5), task="segment")
    figures = found.models[0].figures
    assert 50 < figures["mean_iou"].value < 100
    assert 90 < figures["pixel_accuracy"].value < 100


def test_a_network_of_landmarks_beside_a_score_of_faces() -> None:
    model = shared_data.zoo("facemesh_f32.tflite").read_bytes()
    found = judged(
        model, pictures(192, 4, 0, 255), task="landmarks", task_options={"dimensions": 3}
    )
    assert 0.1 < found.models[0].figures["nme"].value < 10


def test_a_network_that_enlarges_images() -> None:
    """Of the size of its input it needs none: images are cut to 24 pixels."""
    model = shared_data.zoo("edsr_f32b5_fp32.tflite").read_bytes()
    (end,) = inputs_of(Graph.from_bytes(model))

    def smaller(subgraph: Any) -> None:
        tensor = subgraph.tensors[subgraph.inputs[0]]
        assert tensor.shape[-1] == end.shape[-1] == 3
        tensor.shape, tensor.shapeSignature = [1, 24, 24, 3], None

    images = pictures(24, 4, 0, 1)
    found = judged(edited(model, smaller), images, task="image", task_options={"data_range": 255})
    figures = found.models[0].figures
    assert 0.8 < figures["ssim"].value < 1
    assert 20 < figures["psnr"].value < 60


def test_a_detector() -> None:
    model = shared_data.repro("ssd_post.tflite").read_bytes()
    with np.load(shared_data.repro("ssd.npz")) as stored:
        samples = stored["x"].astype(np.float32)
    found = judged(model, samples, task="detect")
    figures = found.models[0].figures
    assert 50 < figures["ap"].value <= figures["ap50"].value <= 100
    assert 50 < figures["f1"].value <= 100
    # The operator itself, taken by a decode of one's own, gives the same.
    names = [end.name for end in found.comparison.models[0].outputs] if found.comparison else []

    def decode(outputs: Any) -> Any:
        boxes, classes, scores, count = (outputs[name] for name in names)
        number = int(count[0])
        return boxes[0][:number], classes[0][:number].astype(int), scores[0][:number]

    assert judged(model, samples, task="detect", decode=decode).models == found.models


def test_a_head_of_another_kind_by_a_function() -> None:
    model = shared_data.zoo("blazeface_front_f32.tflite").read_bytes()

    def best_anchor(found: Any, expected: Any) -> float:
        return float(found["classificators"].argmax() == expected["classificators"].argmax())

    metric = Metric(best_anchor, higher_is_better=True, unit="")
    found = judged(model, pictures(128, 6, 127.5, 127.5), metric=metric)
    assert 0 < found.models[0].figures["best_anchor"].value <= 1


def test_a_classifier() -> None:
    model = shared_data.path("models/mobilenet_v1_0.25_224_float.tflite").read_bytes()
    samples = pictures(224, 12, 127.5, 127.5)
    found = judged(model, samples, task="classify")
    figures = found.models[0].figures
    assert figures["agreement"].value <= figures["top5_agreement"].value
    assert figures["top5_agreement"].value > 80
