"""The rivals that networks can be written for, and in which precisions."""

from __future__ import annotations

import functools
from typing import Callable

import numpy as np

from tools.arm64.counting import Inference
from tools.arm64.rivals.ncnn import ncnn_files
from tools.arm64.rivals.network import Array, Network
from tools.arm64.rivals.onnx import onnx_file

Writer = Callable[[Network, Array], Inference]


def _ncnn(network: Network, values: Array, int8: bool) -> Inference:
    param, weights = ncnn_files(network, int8=int8)
    return Inference(param, values, weights=weights)


def _onnx(network: Network, values: Array, int8: bool) -> Inference:
    return Inference(onnx_file(network, int8=int8), values[np.newaxis])


# By the runtime's name and the precision: from a network and its input to what is counted. MNN's
# converter reads neither these int8 models nor TFLite's into something that MNN then runs.
WRITERS: dict[str, dict[str, Writer]] = {
    "ncnn": {
        "int8": functools.partial(_ncnn, int8=True),
        "float": functools.partial(_ncnn, int8=False),
    },
    "onnxruntime": {
        "int8": functools.partial(_onnx, int8=True),
        "float": functools.partial(_onnx, int8=False),
    },
    "MNN": {"float": functools.partial(_onnx, int8=False)},
}
