"""A calibration for LiteRT Quantizer: our ranges and choice of operators in that tool's terms."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.arguments import ModelLike, check_kind, given_model
from tflite_eq.config import Config, IoType
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.numerics.affine import AffineParams
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.record.calibration import Calibration

_MIN_MAX = "min_max_uniform_quantize"
_LEFT_ALONE = "no_quantize"


@dataclasses.dataclass(frozen=True)
class LitertCalibration:
    """What ``litert_quantizer.quantizer.Quantizer`` takes in place of a calibration of its own.

    Attributes:
        ranges: Smallest and largest real value of each tensor's codes, by tensor name: the argument
            ``calibration_result`` of ``Quantizer.quantize``. The scales and zero points that it
            makes of them are ours.
        recipe: Which operators become int8 and how, for ``Quantizer.load_quantization_recipe``.
        lost: What that tool has no form for, one sentence each.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> config = tflite_eq.Config(equalization="none")
        >>> record = tflite_eq.calibrate("net_float.tflite", samples, config)
        >>> handed_over = tflite_eq.as_litert_calibration("net_float.tflite", record)
        >>> isinstance(handed_over, tflite_eq.LitertCalibration)
        True
        >>> sorted(next(iter(handed_over.ranges.values())))
        ['max', 'min']
    """

    ranges: dict[str, dict[str, npt.NDArray[np.float32]]]
    recipe: list[dict[str, Any]]
    lost: tuple[str, ...]


def as_litert_calibration(model: ModelLike, calibration: Calibration) -> LitertCalibration:
    """Hand a calibration over to LiteRT Quantizer.

    The scales of activations are kept, those of 7-bit tensors as ranges twice as wide. What it
    computes from weights is its own: their scales and codes, and biases without correction.

    Args:
        model: The float ``.tflite`` that the record was made from, content or path.
        calibration: The record, made without equalization.

    Raises:
        ConfigError: The record is of another model, or of channels that are scaled first, which
            the float model's are not.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> config = tflite_eq.Config(equalization="none")
        >>> record = tflite_eq.calibrate("net_float.tflite", samples, config)
        >>> handed_over = tflite_eq.as_litert_calibration("net_float.tflite", record)
        >>> handed_over.recipe[0]["regex"]
        '.*'
    """
    check_kind(calibration, Calibration, "calibration", "give what calibrate or quantize returns")
    content, origin = given_model(model)
    calibration.check_made_from(content, origin)
    if calibration.equalization:
        raise ConfigError(
            "calibration: holds ranges of channels that are scaled first, and LiteRT Quantizer "
            "reads the model as it is; calibrate with Config(equalization='none')"
        )
    graph = Graph.from_bytes(content, origin)
    names = {tensor.name for tensor in graph.tensors}
    ranges = {t.name: _range(t.scale, t.zero_point) for t in calibration.tensors if t.name in names}
    in_float = [o for o in graph.operators if _is_left(graph, o, ranges)]
    recipe = [_static_int8(calibration.config), *_ends(calibration.config)]
    recipe += [_left_alone(f"(^|;){re.escape(_output(graph, o))}") for o in in_float]
    return LitertCalibration(ranges, recipe, tuple(_lost(calibration)))


def _range(scale: float, zero_point: int) -> dict[str, npt.NDArray[np.float32]]:
    low, high = AffineParams(scale, zero_point).real_range
    return {"min": np.array([[low]], np.float32), "max": np.array([[high]], np.float32)}


def _output(graph: Graph, operator: Operator) -> str:
    return graph.tensors[operator.outputs[0]].name


def _is_left(graph: Graph, operator: Operator, ranges: dict[str, Any]) -> bool:
    """Whether an operator stays in float: the record knows nothing of what it writes."""
    tensor = graph.tensors[operator.outputs[0]]
    return tensor.is_float and tensor.name not in ranges


def _static_int8(config: Config) -> dict[str, Any]:
    tensor = {"num_bits": 8, "dtype": "INT"}
    return {
        "regex": ".*",
        "operation": "*",
        "algorithm_key": _MIN_MAX,
        "op_config": {
            "activation_tensor_config": {**tensor, "symmetric": False, "granularity": "TENSORWISE"},
            "weight_tensor_config": {
                **tensor,
                "symmetric": True,
                "granularity": "TENSORWISE" if config.per_tensor else "CHANNELWISE",
            },
            "compute_precision": "INTEGER",
            "explicit_dequantize": False,
            "skip_checks": False,
            "min_weight_elements": 0,
        },
    }


def _ends(config: Config) -> list[dict[str, Any]]:
    """Float inputs and outputs, unless they are wanted as codes."""
    ends = (("INPUT", config.input_type), ("OUTPUT", config.output_type))
    return [_left_alone(".*", end) for end, kind in ends if kind is IoType.FLOAT32]


def _left_alone(regex: str, operation: str = "*") -> dict[str, Any]:
    return {"regex": regex, "operation": operation, "algorithm_key": _LEFT_ALONE}


def _lost(calibration: Calibration) -> list[str]:
    layers = calibration.layers
    lost = [
        f"weight scales of {len(layers)} layers: it takes each channel's largest weight, not the "
        "scales that were searched"
    ]
    corrected = sum(bool(layer.bias_correction) for layer in layers)
    if corrected:
        lost.append(f"bias correction of {corrected} layers")
    reconstructed = sum(bool(layer.codes) for layer in layers)
    if reconstructed:
        lost.append(f"reconstructed weights of {reconstructed} layers")
    on_grid = sum(layer.grid != WeightGrid.INT8.value for layer in layers)
    if on_grid:
        lost.append(f"grids of 7-bit or even weights of {on_grid} layers, which kernels gain from")
    if calibration.config.split_channels is not None or calibration.config.channel_copies:
        lost.append("channels that are written several times: it reads the model as it is")
    limited = sum(tensor.limited for tensor in calibration.tensors)
    if limited:
        lost.append(f"what ends the codes of {limited} tensors at their windows")
    if any(tensor.bits < 8 for tensor in calibration.tensors):
        lost.append("the metadata that tell kernels of 7-bit windows; the scales are kept")
    if IoType.UINT8 in (calibration.config.input_type, calibration.config.output_type):
        lost.append("uint8 inputs or outputs: it writes int8")
    return lost
