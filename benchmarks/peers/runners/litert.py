"""LiteRT Quantizer's recipe for static int8, with one of its algorithms for the weights.

Its algorithms differ in how they choose the scales of weights; those of activations are moving
averages of minima and maxima with all of them.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

MODULES = ("litert_quantizer", "ai_edge_litert")

# MSE knows no other operators; a recipe with MSE for all would leave the others in float.
_WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def quantize(model: Path, samples: Sequence[npt.NDArray[np.float32]], algorithm: str) -> bytes:
    """The int8 ``.tflite`` of a float one.

    Args:
        model: The float ``.tflite``.
        samples: Inputs to calibrate on.
        algorithm: A name among its ``AlgorithmName``, e.g. ``OCTAV``.
    """
    from ai_edge_litert.interpreter import Interpreter
    from litert_quantizer import qtyping, quantizer, recipe

    signatures = Interpreter(model_path=str(model)).get_signature_list()
    ((signature, ends),) = signatures.items()
    (name,) = ends["inputs"]
    worker = quantizer.Quantizer(str(model), recipe.static_wi8_ai8())
    for kind in _WITH_WEIGHTS:
        worker.add_static_config(
            *(".*", qtyping.TFLOperationName[kind], 8, 8),
            algorithm_key=quantizer.AlgorithmName[algorithm],
        )
    ranges = worker.calibrate({signature: [{name: x} for x in samples]})
    return bytes(worker.quantize(ranges).quantized_model)


def versions() -> dict[str, str]:
    """LiteRT Quantizer's."""
    return {"LiteRT Quantizer": importlib.metadata.version("litert-quantizer")}
