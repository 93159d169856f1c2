"""What users feed the commands: several inputs, functions, images, recordings, integers."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tflite_eq
from tests import models, running
from tests.cli.commands import Workspace
from tests.evaluation import classifiers
from tflite_eq import Calibration, metadata
from tflite_eq.data.preprocessing import Preprocessing, Resize
from tflite_eq.graph.model import Graph

DATA = models.data("two_input_net")
IMAGES, VECTORS = (np.concatenate([sample[i] for sample in DATA]) for i in (0, 1))


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    """With a model of two inputs, ``x0`` and ``x1``."""
    workspace.model = workspace.write("two.tflite", models.two_input_net())
    return workspace


def save_images(folder: Path, count: int, size: tuple[int, int] = (20, 30)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{index}.png")
    return folder


def test_arrays_by_name_give_what_the_library_makes_of_them(two: Workspace) -> None:
    np.savez(two.folder / "x.npz", x1=VECTORS, x0=IMAGES, labels=np.arange(6))
    assert two.quantize(calibration=two.folder / "x.npz").code == 0
    expected = running.quantized("two_input_net").model
    assert two.output.read_bytes() == expected
    vectors, images = two.array("vectors.npy", VECTORS), two.array("images.npy", IMAGES)
    finished = two.quantize("--calibration", f"x1={vectors}", calibration=f"x0:0={images}")
    assert finished.code == 0
    assert two.output.read_bytes() == expected


def test_each_input_has_its_own_folder(two: Workspace) -> None:
    save_images(two.folder / "data" / "x0", 6)
    (two.folder / "data" / "x1").mkdir()
    for index in range(6):
        np.save(two.folder / "data" / "x1" / f"{index}.npy", VECTORS[index])
    report, record = two.folder / "report", two.folder / "record.json"
    finished = two.quantize(
        *("--save_calibration", record, "--report_dir", report, "--num_samples", 4),
        calibration=two.folder / "data",
        image_std="255",
    )
    assert finished.result["samples"] == 4
    page = (report / "report.html").read_text()
    assert "2 samples that calibration did not use" in page
    assert "--image_std=255" in page
    assert Calibration.load(record).preprocessing == Preprocessing(std=(255.0,))
    finished = two.quantize(
        *("--validation", f"x0={two.folder / 'data' / 'x0'}", "--report_dir", report),
        *("--validation", f"x1={two.folder / 'data' / 'x1'}"),
        calibration=None,
        load_calibration=record,
    )
    assert finished.code == 0
    assert "6 samples of x0=" in (report / "report.html").read_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"calibration": "x0={images}"}, "no data for the model's input 'x1' (float32 [1, 5])"),
        ({"calibration": "x2={images}"}, "the model has no input 'x2'; its inputs are 'x0' "),
        ({"calibration": "x0=absent"}, "no data for the model's input 'x1'"),
        ({"calibration": "{images}"}, "the model has 2 inputs, 'x0'"),
    ],
)
def test_what_is_missing_for_an_input_is_named(
    two: Workspace, flags: dict[str, str], message: str
) -> None:
    images = two.array("images.npy", IMAGES)
    given = {name: value.format(images=images) for name, value in flags.items()}
    assert message in two.refused(**given)


def test_different_numbers_of_samples_are_refused(two: Workspace) -> None:
    images, vectors = two.array("i.npy", IMAGES), two.array("v.npy", VECTORS[:5])
    message = two.refused("--calibration", f"x1={vectors}", calibration=f"x0={images}")
    assert "6 for 'x0', 5 for 'x1'; samples at the same position belong together" in message


def test_the_guard_takes_one_input(two: Workspace) -> None:
    np.savez(two.folder / "x.npz", x1=VECTORS, x0=IMAGES)
    data = two.folder / "x.npz"
    message = two.refused(calibration=data, validation=data, max_drop=1)
    assert "--max_drop and --labels are for models with one input" in message


MODULE = """
import numpy as np
from helper import SHAPES

def samples():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        yield {name: rng.random(shape, np.float32) for name, shape in SHAPES.items()}

def endless():
    while True:
        yield from samples()

def broken():
    yield next(samples())
    raise ValueError("no such bucket")

class Nested:
    listed = list(samples())
"""


@pytest.fixture
def module(two: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """In a folder with a module that yields samples, and one that module needs."""
    package = two.folder / "feeding"
    package.mkdir()
    (package / "data.py").write_text(MODULE)
    (package / "wrong.py").write_text("import not_installed_anywhere\n")
    (two.folder / "helper.py").write_text(f"SHAPES = dict(x0={models.IMAGE}, x1=(1, 5))\n")
    monkeypatch.chdir(two.folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("feeding", "feeding.data", "feeding.wrong", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return two


def test_a_function_of_the_users_gives_samples(module: Workspace) -> None:
    finished = module.quantize(calibration="feeding.data:samples")
    assert finished.result["samples"] == 6
    written = module.output.read_bytes()
    assert module.quantize(calibration="feeding.data:Nested.listed").code == 0
    assert module.output.read_bytes() == written
    assert module.quantize(calibration="feeding.data:endless", num_samples=7).result["samples"] == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("feeding.data:broken", "ValueError: no such bucket ("),
        ("feeding.data:sample", "nothing is called 'sample' in "),
        ("feeding.date:samples", "no module 'feeding.date', neither installed nor below"),
        ("feeding.wrong:samples", "No module named 'not_installed_anywhere' ("),
        ("feeding.data:np", "gives a module"),
    ],
)
def test_what_is_wrong_with_a_function_is_told_in_one_line(
    module: Workspace, name: str, message: str
) -> None:
    assert message in module.refused(calibration=name)
    assert "leave the other" in module.refused("--calibration", "x0=x", calibration=name)


def test_a_path_that_looks_like_a_function_is_a_path(module: Workspace) -> None:
    np.savez(module.folder / "x.npz", x0=IMAGES, x1=VECTORS)
    (module.folder / "x.npz").rename("feeding:samples")
    message = module.refused(calibration="feeding:samples")
    assert message.startswith("error: feeding:samples: the model has 2 inputs")


@functools.cache
def odd_networks() -> dict[str, bytes]:
    """Networks by what their inputs are."""

    def wave(x: Any) -> Any:
        x = tf.reshape(x, (1, 1, 160, 1))
        x = tf.nn.relu(tf.nn.conv2d(x, models.weights(1, 8, 1, 4), [1, 1, 4, 1], "SAME"))
        return models.dense(tf.reshape(x, (1, -1)), 3)

    def gain(x: Any, factor: Any) -> Any:
        return models.conv(x, 4) * factor

    def embedding(ids: Any) -> Any:
        taken = tf.gather(models.weights(20, 8), ids)
        return models.dense(tf.nn.relu(models.dense(tf.reshape(taken, (1, 32)), 8)), 3)

    def choice(x: Any, condition: Any) -> Any:
        return models.dense(tf.where(condition, x, -x), 3)

    def converted(function: Any, *specs: Any) -> bytes:
        traced = tf.function(function, input_signature=specs)
        concrete = [traced.get_concrete_function()]
        return bytes(tf.lite.TFLiteConverter.from_concrete_functions(concrete, traced).convert())

    image = tf.TensorSpec((1, 8, 8, 3), tf.float32, name="x")
    return {
        "wave": converted(wave, tf.TensorSpec((160,), tf.float32, name="x")),
        "gain": converted(gain, image, tf.TensorSpec((), tf.float32, name="factor")),
        "ids32": converted(embedding, tf.TensorSpec((1, 4), tf.int32, name="ids")),
        "ids64": converted(embedding, tf.TensorSpec((1, 4), tf.int64, name="ids")),
        "choice": converted(
            choice,
            tf.TensorSpec((1, 4), tf.float32, name="x"),
            tf.TensorSpec((1, 4), tf.bool, name="condition"),
        ),
    }


RNG = np.random.default_rng(0)
FLOATS = RNG.standard_normal((6, 160)).astype(np.float32)
ODD: dict[str, dict[str, np.ndarray]] = {
    "wave": {"x": FLOATS},
    "gain": {
        "x": RNG.standard_normal((6, 8, 8, 3)).astype(np.float32),
        "factor": np.linspace(0.5, 2, 6, dtype=np.float32),
    },
    "ids32": {"ids": RNG.integers(0, 20, (6, 4))},
    "ids64": {"ids": RNG.integers(0, 20, (6, 4)).astype(np.int16)},
    "choice": {"x": FLOATS[:, :4], "condition": FLOATS[:, 4:8] > 0},
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_inputs_without_a_batch_and_of_integers(workspace: Workspace, name: str) -> None:
    workspace.model = workspace.write("odd.tflite", odd_networks()[name])
    np.savez(workspace.folder / "x.npz", **ODD[name])
    assert workspace.quantize(calibration=workspace.folder / "x.npz").code == 0
    graph = Graph.from_bytes(odd_networks()[name])
    data = []
    for index in range(6):
        sample = {key: values[index] for key, values in ODD[name].items()}
        for tensor in (graph.tensors[i] for i in graph.inputs):
            key = tensor.name.split(":")[0].replace("serving_default_", "")
            dtype = tensor.type_name.lower().replace("bool", "bool_")
            sample[key] = np.asarray(sample[key], dtype).reshape(tensor.shape)
        data.append(sample)
    assert workspace.output.read_bytes() == tflite_eq.quantize(odd_networks()[name], data).model


def test_recordings_reach_the_model(workspace: Workspace) -> None:
    soundfile = pytest.importorskip("soundfile", reason="pip install 'tflite-eq[audio]'")
    workspace.model = workspace.write("wave.tflite", odd_networks()["wave"])
    folder, record = workspace.folder / "wavs", workspace.folder / "record.json"
    folder.mkdir()
    for index, values in enumerate(FLOATS / 8):
        soundfile.write(folder / f"{index}.wav", values, 16000, subtype="FLOAT")
    flags = {"calibration": folder, "audio_rate": 16000, "save_calibration": record}
    finished = workspace.quantize(**flags)
    assert finished.result["samples"] == 6
    assert "6 windows of 160 samples, 0.01 seconds at 16000 a second\n" in finished.err
    saved = Calibration.load(record)
    assert saved.preprocessing == Preprocessing(audio_rate=16000)
    by_hand = tflite_eq.calibrate(workspace.model.read_bytes(), [[row] for row in FLOATS / 8])
    assert saved.tensors == by_hand.tensors
    assert "has 16000 samples per second, but --audio_rate 8000" in workspace.refused(
        calibration=folder, audio_rate=8000
    )


def test_what_images_went_through_is_kept(workspace: Workspace) -> None:
    folder, record = save_images(workspace.folder / "i", 4), workspace.folder / "record.json"
    finished = workspace.quantize(
        calibration=folder, image_std="255", image_resize="letterbox", save_calibration=record
    )
    assert finished.code == 0
    used = Preprocessing(std=(255.0,), resize=Resize.LETTERBOX)
    assert Calibration.load(record).preprocessing == used
    kept = metadata.read(Graph.from_bytes(workspace.output.read_bytes()).model)
    assert kept is not None
    assert kept.preprocessing == used
    # The record's holds for the samples of the report, and cannot be contradicted.
    report = workspace.folder / "report"
    again = {"calibration": None, "load_calibration": record, "validation": folder}
    assert workspace.quantize("--report_dir", report, **again).code == 0
    shown = json.loads((report / "report.json").read_text())["summary"]["preprocessing"]
    assert shown == used.to_dict()
    for flag, value in (("image_resize", "crop"), ("image_std", "1"), ("image_exif", "ignore")):
        message = workspace.refused("--report_dir", report, **again, **{flag: value})
        assert message.startswith(f"error: --{flag} {value} instead of ")
        assert "what the loaded calibration record was made with" in message
    assert workspace.quantize("--report_dir", report, **again, image_std="255").code == 0


def test_preprocessing_without_effect_is_told(workspace: Workspace) -> None:
    finished = workspace.quantize(image_mean="3", audio_rate="8000")
    assert finished.code == 0
    assert "warning: --image_mean, --audio_rate have no effect" in finished.err
    kept = metadata.read(Graph.from_bytes(workspace.output.read_bytes()).model)
    assert kept is not None
    assert kept.preprocessing is None
    assert workspace.quantize().err == ""


def test_another_reading_than_for_calibration_is_told(workspace: Workspace) -> None:
    workspace.model = workspace.write("float.tflite", classifiers.float_classifier())
    (_, height, width, _) = classifiers.SHAPE
    folder = save_images(workspace.folder / "i", 4, (height + 3, width))
    labels = workspace.write("l.csv", b"file,label\n0.png,0\n1.png,1\n")
    assert workspace.quantize(calibration=folder, image_std="255").code == 0
    flags = ("--dataset", folder, "--labels", labels, "--num_workers", 1)
    evaluate = ("evaluate", "--model", workspace.output, "--reference", workspace.model, *flags)
    finished = workspace.run(*evaluate)
    assert finished.code == 0
    assert len(finished.err.splitlines()) == 1
    assert (
        "out.tflite was calibrated on files that were read otherwise: here with --image_std 1 "
        "instead of 255; for the same reading give --image_std=255"
    ) in finished.err
    assert workspace.run(*evaluate, "--image_std", 255).err == ""
