"""The rivals that networks can be written for."""

from __future__ import annotations

from typing import Callable

from tools.arm64.counting import Inference
from tools.arm64.rivals.ncnn import ncnn_files
from tools.arm64.rivals.network import Array, Network


def _ncnn(network: Network, values: Array, int8: bool) -> Inference:
    param, weights = ncnn_files(network, int8=int8)
    return Inference(param, values, weights=weights)


# By the runtime's name: a network, its input and whether it is int8, to what is counted.
WRITERS: dict[str, Callable[[Network, Array, bool], Inference]] = {"ncnn": _ncnn}
