"""TensorFlow's MLIR quantizer as the backend: the one module that calls a private function.

(``converter.attach`` replaces a private method, of one converter; nothing else is used of what
TensorFlow does not document. ``tests/test_private_names.py`` holds the tree to that.)

``mlir_quantize`` turns min/max annotations of a float flatbuffer into int8 parameters and honours
them exactly. It has kept its place and the parameters used here from TensorFlow 2.14 to 2.21.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import os
from collections.abc import Mapping, Set
from typing import Any, Callable

import numpy as np

from tflite_eq.errors import BackendError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.quiet import quiet


class TensorFlowBackend:
    """The MLIR quantizer of the installed TensorFlow."""

    def __init__(self) -> None:
        """Find TensorFlow.

        Raises:
            BackendError: TensorFlow is not installed, or this version lacks the quantizer.
        """
        tf = import_tensorflow("--backend tensorflow", "use --backend litert")
        self._float32 = tf.float32
        self._version = str(tf.__version__)
        self._mlir_quantize = _private_quantizer(self._version)

    @property
    def name(self) -> str:
        """Name and version of the backend."""
        return f"tensorflow {self._version}"

    def quantize(
        self, graph: Graph, params: Mapping[int, AffineParams], keep_float: Set[int]
    ) -> bytes:
        """See ``Backend.quantize``."""
        annotated = _annotated(graph, params)
        options: dict[str, Any] = {
            "input_data_type": self._float32,
            "output_data_type": self._float32,
        }
        if keep_float:
            outputs = [graph.operators[index].outputs for index in sorted(keep_float)]
            options["denylisted_nodes"] = [
                ";".join(graph.tensors[i].name for i in indices) for indices in outputs
            ]
        with quiet() as said:
            try:
                return bytes(self._mlir_quantize(annotated, **options))
            except Exception as error:  # pybind raises whatever MLIR's status maps to
                raise BackendError(
                    f"{graph.origin}: TensorFlow {self._version} cannot quantize the model: "
                    f"{error} {said()}".rstrip()
                ) from error


def import_tensorflow(wanted_for: str, otherwise: str) -> Any:
    """The ``tensorflow`` module, imported with its start-up chatter off.

    Args:
        wanted_for: What cannot do without, for the message.
        otherwise: What to do instead.

    Raises:
        BackendError: TensorFlow is not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise BackendError(
            f"{wanted_for} needs TensorFlow, which is not installed: "
            f"pip install 'tflite-eq[tensorflow]', or {otherwise}"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet():
        return importlib.import_module("tensorflow")


def _private_quantizer(version: str) -> Callable[..., bytes]:
    try:
        module = importlib.import_module("tensorflow.lite.python.convert")
        return module.mlir_quantize  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise BackendError(
            f"TensorFlow {version} has no mlir_quantize where 2.14 to 2.21 have it; install "
            "one of these: pip install 'tensorflow>=2.14,<2.22'"
        ) from error


def _annotated(graph: Graph, params: Mapping[int, AffineParams]) -> bytes:
    """The float flatbuffer with the real range of every tensor's codes as its min and max."""
    generated = schema.schema()
    model = copy.copy(graph.model)
    subgraph = copy.copy(graph.subgraph)
    subgraph.tensors = [copy.copy(t) for t in subgraph.tensors]
    model.subgraphs = [subgraph]
    for index, tensor in enumerate(subgraph.tensors):
        if graph.tensors[index].is_constant:
            continue
        tensor.quantization = None
        if index in params:
            low, high = params[index].real_range
            # Infinite ranges would abort the whole process inside MLIR.
            if not (np.isfinite(np.float32(low)) and np.isfinite(np.float32(high))):
                raise BackendError(
                    f"{graph.origin}: tensor '{graph.tensors[index].name}' has the range "
                    f"[{low}, {high}], which float32 cannot hold"
                )
            tensor.quantization = generated.QuantizationParametersT()
            tensor.quantization.min = np.array([low], np.float32)
            tensor.quantization.max = np.array([high], np.float32)
    return schema.serialize(model)
