"""Quantizer backends: a float graph with chosen scales in, an int8 graph out.

The backend decides structure only (which operators become int8, where QUANTIZE operators go);
weights, biases and scales are overwritten afterwards by ``writer``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams


class Backend(Protocol):
    """What a backend has to do."""

    @property
    def name(self) -> str:
        """Name and version, for the metadata record."""

    def quantize(
        self, graph: Graph, params: Mapping[int, AffineParams], keep_float: Collection[int]
    ) -> bytes:
        """Turn a float network into an int8 one with float inputs and outputs.

        Args:
            graph: The float network; its tensor names are unique.
            params: Scale and zero point of every activation tensor to quantize, by index.
            keep_float: Indices of the operators that stay in float.

        Returns:
            A flatbuffer in which computed tensors have names that start with their old ones.

        Raises:
            BackendError: The backend is missing or fails.
        """


def default_backend() -> Backend:
    """The backend used when none is named: TensorFlow's MLIR quantizer."""
    from tflite_eq.backends.tensorflow import TensorFlowBackend

    return TensorFlowBackend()
