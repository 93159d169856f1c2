"""Networks that litert-torch has made of PyTorch modules, with channels first and last."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tflite_eq
from tests import running
from tflite_eq.graph.model import Graph

FOLDER = Path(__file__).parent
KINDS = [
    "CONV_2D",
    "HARD_SWISH",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "GELU",
    "RESIZE_BILINEAR",
    "CONV_2D",
]
SHAPES = {"nchw": (1, 3, 16, 16), "nhwc": (1, 16, 16, 3)}


def kinds(model: Graph) -> list[str]:
    return [o.kind for o in model.operators if o.kind != "TRANSPOSE"]


@pytest.mark.parametrize("order", SHAPES)
def test_a_network_of_pytorch_becomes_int8_in_all_operators(order: str) -> None:
    float_model = (FOLDER / f"{order}.tflite").read_bytes()
    graph = Graph.from_bytes(float_model)
    assert kinds(graph) == KINDS  # composites have become operators
    assert graph.tensors[graph.inputs[0]].shape == SHAPES[order]
    rng = np.random.default_rng(0)
    samples = [rng.standard_normal(SHAPES[order]).astype(np.float32) for _ in range(12)]
    result = tflite_eq.quantize(float_model, samples, tflite_eq.preset_config("fast"))
    written = Graph.from_bytes(result.model)
    inner = [o for o in written.operators if o.kind not in ("QUANTIZE", "DEQUANTIZE")]
    assert {written.tensors[o.outputs[0]].type_name for o in inner} == {"INT8"}
    fresh = rng.standard_normal(SHAPES[order]).astype(np.float32)
    expected, found = (running.run(m, [fresh])[0] for m in (float_model, result.model))
    noise = np.square(expected - found).sum() / np.square(expected).sum()
    assert 10 * np.log10(1 / noise) > 35  # 46 dB over the calibration data


def test_what_litert_torch_makes_today_is_what_the_files_hold(tmp_path: Path) -> None:
    if importlib.util.find_spec("litert_torch") is None:
        pytest.skip("litert-torch is not installed: 6.6 GB with PyTorch; docs/pytorch.md")
    subprocess.run([sys.executable, "-m", "tests.pytorch.export", str(tmp_path)], check=True)
    for order in SHAPES:
        made = Graph.from_bytes((tmp_path / f"{order}.tflite").read_bytes())
        assert kinds(made) == KINDS
