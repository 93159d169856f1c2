"""LiteRT Quantizer as the backend: public interfaces only, and no TensorFlow.

``calibration_result[tensor] = {"min", "max"}`` is honoured exactly. Its recipe must be the one for
8-bit weights and activations: with any other combination that its policy does not list, such as 7
bits, it returns the float model without a word. 7-bit tensors are 8-bit ones with wider ranges.
"""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from tests.oracles.stand_ins import put_back, read_shapes_from_codes, with_stand_ins
from tflite_eq.errors import BackendError
from tflite_eq.graph import schema
from tflite_eq.graph.compact import drop_unused_buffers, drop_unused_codes, drop_unused_tensors
from tflite_eq.graph.model import Graph
from tflite_eq.graph.versions import set_int8_versions
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.quiet import quiet

_DISTRIBUTION, _MODULE = "litert-quantizer", "litert_quantizer"


class LiteRTBackend:
    """The installed LiteRT Quantizer."""

    def __init__(self) -> None:
        """Find LiteRT Quantizer.

        Raises:
            BackendError: It is not installed, or does not import.
        """
        self._package = _installed()
        self._version = importlib.metadata.version(_DISTRIBUTION)

    @property
    def name(self) -> str:
        """Name and version of the backend."""
        return f"{_DISTRIBUTION} {self._version}"

    def quantize(
        self, graph: Graph, params: Mapping[int, AffineParams], keep_float: Set[int]
    ) -> bytes:
        """See ``Backend.quantize``."""
        known = with_stand_ins(graph, keep_float)
        result = Graph.from_bytes(self._quantized(known, params, keep_float), graph.origin)
        put_back(graph, result, keep_float)
        read_shapes_from_codes(result)
        _name_ends(graph, result)
        result = Graph(result.model, graph.origin)
        set_int8_versions(result)
        drop_unused_codes(result.model)
        drop_unused_tensors(result.subgraph, result.model)
        drop_unused_buffers(result.model)
        return schema.serialize(result.model)

    def _quantized(
        self, graph: Graph, params: Mapping[int, AffineParams], keep_float: Set[int]
    ) -> bytes:
        """What LiteRT Quantizer makes of a network of operators it knows."""
        ranges = {graph.tensors[i].name: _range(p) for i, p in params.items()}
        with quiet():
            try:
                quantizer = self._package.Quantizer(bytearray(_serialized(graph)))
                self._set_recipe(quantizer, graph, keep_float)
                result = quantizer.quantize(ranges, enable_progress_report=False)
                return bytes(result.quantized_model)
            except Exception as error:  # it raises whatever its NumPy code runs into
                raise BackendError(
                    f"{graph.origin}: {self.name} cannot quantize the model: "
                    f"{type(error).__name__}: {error}"
                ) from error

    def _set_recipe(self, quantizer: Any, graph: Graph, keep_float: Set[int]) -> None:
        """Every operator it knows in int8, but for the ends and the operators to keep."""
        names = importlib.import_module(f"{_MODULE}.qtyping").TFLOperationName
        quantizer.add_static_config(".*", names.ALL_SUPPORTED, 8, 8)
        left_alone = {"algorithm_key": "no_quantize"}
        for end in (names.INPUT, names.OUTPUT):
            quantizer.update_quantization_recipe(".*", end, **left_alone)
        for index in sorted(keep_float):
            output = re.escape(graph.tensors[graph.operators[index].outputs[0]].name)
            quantizer.update_quantization_recipe(
                f"(^|;){output}", names.ALL_SUPPORTED, **left_alone
            )


def _installed() -> Any:
    """The package of LiteRT Quantizer.

    Raises:
        BackendError: It is not installed, or does not import.
    """
    if importlib.util.find_spec(_MODULE) is None:
        raise BackendError(
            "--backend litert needs LiteRT Quantizer, which is not installed: "
            "pip install 'tflite-eq[litert]' (Python 3.10 or later)"
        )
    try:
        with quiet():
            return importlib.import_module(_MODULE)
    except ImportError as error:
        raise BackendError(
            f"{_DISTRIBUTION} is installed but does not import: {error}; install it again: "
            "pip install --force-reinstall 'tflite-eq[litert]'"
        ) from error


def _range(params: AffineParams) -> dict[str, Any]:
    """The real range of a tensor's codes, as a calibration result holds it."""
    low, high = params.real_range
    return {"min": np.array([[low]], np.float32), "max": np.array([[high]], np.float32)}


def _name_ends(graph: Graph, result: Graph) -> None:
    """Give the ends of the network the names that they have in the float one, in place.

    The quantizer leaves the name of an output to its codes; users look for the output.
    """
    tensors = result.subgraph.tensors
    for operator in result.operators:
        source, made = operator.inputs[0], operator.outputs[0]
        if operator.kind == "DEQUANTIZE" and made in result.outputs:
            name = graph.tensors[graph.outputs[result.outputs.index(made)]].name
            tensors[source].name, tensors[made].name = f"{name}1".encode(), name.encode()
        elif operator.kind == "QUANTIZE":
            tensors[made].name = f"{result.tensors[source].name}_int8".encode()


def _serialized(graph: Graph) -> bytes:
    """The network as the quantizer takes it: absent signatures are no empty list to it."""
    model = copy.copy(graph.model)
    model.signatureDefs = model.signatureDefs or []
    return schema.serialize(model)
