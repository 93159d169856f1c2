"""Models from the wild: what is measured of them, and that the page leaves nothing out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.zoo import measure, page
from benchmarks.zoo.__main__ import entries
from benchmarks.zoo.inputs import make_inputs, pixel_values
from tests import built_models, mediapipe, models, running
from tests.evaluation.several_outputs import Held, images, network
from tests.normalization.networks import Builder
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels


def stock(model: bytes, samples: list[Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """TensorFlow's quantizer in a process of its own; its model is ``stock.tflite``."""
    source, data = folder / "float.tflite", folder / "samples.npz"
    source.write_bytes(model)
    (image,) = model_inputs(Graph.from_bytes(model))
    np.savez(data, **{image.name: np.concatenate([values for (values,) in samples])})
    command = [sys.executable, "-m", "benchmarks.zoo.stock", str(source), str(data)]
    command.append(str(folder / "stock.tflite"))
    return subprocess.run(command, capture_output=True, text=True, check=False)


def output(name: str, ours: float, stock: float | None) -> dict[str, Any]:
    compared = {"mean": 1.0, "interval": [0.5, 1.5], "pooled": [-1.3, 0.2]}
    return {"name": name, "ours": ours, "stock": stock, **compared}


def row(model: str, *outputs: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What a run writes of one model."""
    return {
        **{"model": model, "brings": "something", "is_to_be_refused": False},
        **{"calibration": 32, "evaluation": 32, "runtime": "some runtime 1.0"},
        **{"runtimes": ["some runtime 1.0"], "refusal": "", "refused_in": None},
        "outputs": list(outputs),
        "usage": {"cpu_seconds": 12.4, "peak_memory_mib": 640.2},
        **{"in_float": None, "runs_on": "everywhere", "stock_refusal": ""},
        "stock_usage": {"cpu_seconds": 1.0, "peak_memory_mib": 600.0, "form": ""},
        **changed,
    }


def lines_of(text: str, model: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"| {model} |")]


def test_each_model_has_its_row_and_the_verdict_counts_all() -> None:
    text = page.render(
        [
            row("a", output("x", 30.0, 25.0), output("y", 20.0, 20.6)),
            row("b", output("x", 30.0, None), stock_usage=None, stock_refusal="no custom ops"),
            row("c", is_to_be_refused=True, refusal="is int8 | already", refused_in=1.24),
            row("d", refusal="cannot be read"),
            row("e", output("x", 40.0, 40.2), is_to_be_refused=True),
        ]
    )
    assert lines_of(text, "a") == [
        "| a | something | x | 30.0 | 25.0 | +1.0 (+0.5 to +1.5) | 32 | nothing | everywhere "
        "| 12, 640 | 1, 600 |"
    ]
    assert "|  |  | y | 20.0 | 20.6 |" in text
    assert lines_of(text, "b")[0].endswith("| no custom ops |")
    assert "refused in 1.2 s: is int8 \\| already" in lines_of(text, "c")[0]
    assert "refused: cannot be read" in lines_of(text, "d")[0]
    verdict = " ".join(text.split("\n\n")[-1].split())
    assert "3 of the 5 models are quantized; 1 are refused rightly, 1 wrongly." in verdict
    assert "Of 3 outputs that TensorFlow quantizes, too, 2 are" in verdict
    assert "Further away: a (y) by 0.6 dB (-0.2 to +1.3 on other samples," in verdict
    assert "since its activations are float: e." in verdict


def test_a_model_that_tensorflow_got_in_another_form_is_marked() -> None:
    usage = {"cpu_seconds": 1.0, "peak_memory_mib": 600.0, "form": "normalised"}
    [line] = lines_of(page.render([row("a", output("x", 1, 1), stock_usage=usage)]), "a")
    assert line.endswith("| 1, 600 (normalised) |")


def test_a_difference_that_is_the_same_for_all_samples_has_no_interval() -> None:
    same = {**output("x", 30.0, 30.0), "mean": 0.0, "interval": [None, None]}
    assert "| 30.0 | 30.0 | +0.0 | 32 | nothing |" in page.render([row("a", same)])


def test_errors_are_those_of_each_output_by_sample() -> None:
    """One percent off is 40 dB, a tenth is 20 dB; what is exact counts 100 dB by sample."""
    samples = Held(list(images()))
    exact, off = measure.errors(network(), [network(), network(1.01, 0.9)], samples)
    assert [error.sqnr_db for error in exact] == [np.inf, np.inf]
    for error in exact:
        np.testing.assert_array_equal(error.by_sample, np.full(len(images()), 100.0))
    for error, expected in zip(off, (40, 20)):
        assert error.sqnr_db == pytest.approx(expected, abs=1e-3)
        np.testing.assert_allclose(error.by_sample, expected, atol=1e-3)


def test_a_difference_that_one_sample_makes_has_an_interval_around_zero() -> None:
    """Of 50 samples 49 are 3 dB better; one is so much worse that all together are."""
    better = np.full(50, 0.5)
    noise = np.concatenate([better[1:], [60.0]])
    flat = np.zeros(50)
    ours = measure.OutputError("x", 0.0, flat, noise)
    stock = measure.OutputError("x", 0.0, flat, np.ones(50))
    found = measure.pooled_difference(ours, stock)
    assert found.value == pytest.approx(10 * np.log10(50 / noise.sum()))
    assert found.value < -2
    assert found.low is not None
    assert found.high is not None
    assert found.low < -4
    assert found.high == pytest.approx(10 * np.log10(2))
    same = measure.pooled_difference(stock, stock)
    assert (same.value, same.low, same.high) == (0, None, None)


def test_models_run_where_they_do() -> None:
    samples = Held(models.samples(models.IMAGE, count=1)[0])
    found = measure.runs_on(mediapipe.transposed_net(), samples)
    assert found == [place for place in measure.everywhere() if "default" in place]
    assert measure.runs_on(models.conv_net(), samples) == measure.everywhere()


def test_tensorflow_gets_what_it_cannot_take_as_it_is_normalised(tmp_path: Path) -> None:
    model, samples = mediapipe.transposed_net(), models.samples(models.IMAGE)
    found = stock(model, samples, tmp_path)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout.splitlines()[-1].removeprefix("RESULT "))["form"] == "normalised"
    made = (tmp_path / "stock.tflite").read_bytes()
    assert "CONV_2D" in [operator.kind for operator in Graph.from_bytes(made).operators]
    for values in samples:
        (exact,) = running.run(model, values, Kernels.DEFAULT)
        assert running.sqnr_db(exact, running.run(made, values, Kernels.DEFAULT)[0]) > 15


def test_why_tensorflow_cannot_take_a_model_is_said_in_a_line(tmp_path: Path) -> None:
    found = stock(mediapipe.unpooling_net(), built_models.samples(), tmp_path)
    assert found.returncode != 0
    assert "There are unresolved custom ops: [" in found.stderr.splitlines()[-1]


def test_any_folder_of_models_is_a_zoo(tmp_path: Path) -> None:
    for name in ("b.tflite", "a.h5", "notes.txt"):
        (tmp_path / name).touch()
    found = entries(tmp_path)
    assert [(row["model"], row["mean"], row["std"]) for row in found] == [
        ("a.h5", "0", "255"),
        ("b.tflite", "0", "255"),
    ]
    (tmp_path / "zoo.csv").write_text("model,mean,std,what it brings\nb.tflite,127.5,127.5,x\n")
    assert [row["mean"] for row in entries(tmp_path)] == ["127.5"]


def test_inputs_of_integers_are_fed_pixels_as_they_are(tmp_path: Path) -> None:
    net = Builder(1, 4, 6, 3)
    net.set_type(net.input, "UINT8")
    cast = ("CastOptions", {"inDataType": 3, "outDataType": 0})
    x = net.operator("CAST", [net.input], (1, 4, 6, 3), cast)
    graph = Graph.from_bytes(net.finished(net.conv(x, 2)))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (made,) = make_inputs(graph, [tmp_path / "a.png"], 127.5, 127.5, 0).values()
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, pixels[np.newaxis])


def test_pixels_are_scaled_by_channel_where_the_table_says_so() -> None:
    assert pixel_values("127.5") == 127.5
    np.testing.assert_array_equal(pixel_values("123 117 104"), np.float32([123, 117, 104]))
