"""Inputs without dimensions, such as a gain, are quantized and compared like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import running
from tests.built_models import NetworkBuilder
from tflite_eq import Config, quantize
from tflite_eq.cli.main import main, parse
from tflite_eq.errors import DatasetError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

GAINS = np.linspace(1, 2, 6).astype(np.float32)
IMAGES = np.random.default_rng(5).standard_normal((6, 4, 4, 3)).astype(np.float32)


def network() -> bytes:
    """A convolution whose results are multiplied by an input."""
    net = NetworkBuilder(1, 4, 4, 3)
    casts = ("CastOptions", {"inDataType": 0, "outDataType": 0})
    gain = net.operator("CAST", [net.input], (), casts)  # for its result, the input to be
    product = net.operator("MUL", [net.conv(net.input, 4), gain], (1, 4, 4, 4), ("MulOptions", {}))
    model = schema.parse(net.finished(net.dense(net.reshape(product, 1, 64), 3)))
    subgraph = model.subgraphs[0]
    subgraph.operators = subgraph.operators[1:]
    subgraph.inputs = np.array([net.input, gain], np.int32)
    subgraph.tensors[gain].name = b"gain"
    return schema.serialize(model)


def samples(gains: Any) -> list[list[Any]]:
    return [[image[np.newaxis], gain] for image, gain in zip(IMAGES, gains)]


@pytest.mark.parametrize(
    "gains", [GAINS, GAINS.tolist(), list(map(np.array, GAINS))], ids=["NumPy", "plain", "array"]
)
def test_scalars_in_every_form_give_the_same_model(gains: Any) -> None:
    found = quantize(network(), samples(gains), Config(seed=1)).model
    assert found == quantize(network(), samples(list(map(np.array, GAINS))), Config(seed=1)).model
    graph = Graph.from_bytes(found)
    assert [graph.tensors[index].shape for index in graph.inputs] == [(1, 4, 4, 3), ()]
    for sample in samples(list(map(np.array, GAINS))):
        [expected], [result] = running.run(network(), sample), running.run(found, sample)
        assert running.sqnr_db(expected, result) > 25


def test_an_array_of_one_value_is_no_scalar() -> None:
    with pytest.raises(DatasetError, match=r"shape \[1\] for input 'gain', which wants \[\]"):
        quantize(network(), samples(GAINS.reshape(6, 1)), Config(seed=1))


def test_the_command_line_quantizes_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.tflite").write_bytes(network())
    image = Graph.from_bytes(network()).tensors[0].name
    np.savez("data.npz", **{image: IMAGES, "gain": GAINS})
    made = ["--calibration", "data.npz", "--preset", "fast", "--output", "q.tflite"]
    assert main(parse(["tflite-eq", "quantize", "--model", "m.tflite", *made])) == 0
    data = ["--dataset", "data.npz", "--num_workers", "1", "--reference", "m.tflite"]
    assert main(parse(["tflite-eq", "evaluate", "--model", "q.tflite", *data])) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1].removeprefix("RESULT "))
    [output] = result["models"][0]["outputs"]
    assert output["n"] == 6
    assert output["sqnr_db"]["value"] > 25
