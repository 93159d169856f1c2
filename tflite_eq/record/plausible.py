"""Whether the numbers of a calibration record, perhaps edited by hand, can be computed with.

What cannot would not always fail later: scales that overflow float32 give models that run and are
wrong, and MLIR crashes on infinite ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import ConfigError

if TYPE_CHECKING:
    from tflite_eq.record.calibration import Calibration, LayerRecord, TensorRecord

# Between these float32 has room for products with weights and activations.
_SMALLEST = 1e-30
_LARGEST = 1e30


def check_values(calibration: Calibration, origin: str) -> None:
    """Refuse numbers that no kernel could compute with.

    Args:
        calibration: The record.
        origin: What to call it in messages.

    Raises:
        ConfigError: Names the tensor or layer.
    """
    if calibration.samples < 0:
        raise ConfigError(f"{origin}: it was made from {calibration.samples} samples")
    for tensor in calibration.tensors:
        check_tensor(tensor, origin)
    for scaled in calibration.equalization:
        if not _usable(scaled.factors):
            raise ConfigError(
                f"{origin}: the equalization of {scaled.describe()} has a factor that is not "
                f"{_WANTED}"
            )
    scales = {tensor.index: tensor.scale for tensor in calibration.tensors}
    for layer in calibration.layers:
        check_layer(layer, scales, origin)


_WANTED = f"between {_SMALLEST:g} and {_LARGEST:g}"


def check_tensor(tensor: TensorRecord, origin: str) -> None:
    """``check_values`` for one tensor."""
    if not _usable(tensor.scale) or not -128 <= tensor.zero_point <= 127:
        raise ConfigError(
            f"{origin}: tensor '{tensor.name}' has scale {tensor.scale} and zero point "
            f"{tensor.zero_point}; the scale must be {_WANTED} and the zero point in [-128, 127]"
        )
    low, high = tensor.observed
    if not -_LARGEST <= low <= high <= _LARGEST:
        raise ConfigError(
            f"{origin}: tensor '{tensor.name}' has observed {[low, high]}; expected the smallest "
            f"and the largest value, within +-{_LARGEST:g}"
        )
    if not -128 <= tensor.window[0] < tensor.window[1] <= 127:
        raise ConfigError(
            f"{origin}: tensor '{tensor.name}' has the window {list(tensor.window)}; "
            "expected the smallest and the largest code, in [-128, 127]"
        )
    # Nobody looks for codes outside a window that is said to saturate.
    if tensor.limited and not (
        tensor.saturates and tensor.window[0] <= tensor.zero_point <= tensor.window[1]
    ):
        raise ConfigError(
            f"{origin}: tensor '{tensor.name}' is said to be limited to the window "
            f"{list(tensor.window)} with zero point {tensor.zero_point}, which must lie in it, and "
            "saturates must be true; undo the edit"
        )
    if (
        tensor.saturates
        and not tensor.limited
        and not (
            tensor.window[0] in (-128, tensor.zero_point, min(tensor.zero_point, 0))
            and tensor.window[1] == 127
        )
    ):
        raise ConfigError(
            f"{origin}: tensor '{tensor.name}' cannot saturate at the window "
            f"{list(tensor.window)} with zero point {tensor.zero_point}: codes end at 127 "
            "above, and below at -128, behind a ReLU at the zero point, behind another "
            "function with a least value at 0, with the zero point at 0 or higher. Correct "
            "the window, or set saturates to false"
        )


def check_layer(layer: LayerRecord, input_scales: Mapping[int, float], origin: str) -> None:
    """``check_values`` for one layer.

    Args:
        layer: The layer.
        input_scales: Scales of activations by tensor index, as far as they are known.
        origin: What to call the record in messages.
    """
    where = f"{origin}: layer '{layer.name}'"
    if not _usable(layer.scales):
        raise ConfigError(f"{where} has a weight scale that is not {_WANTED}")
    if not _usable(layer.gain):
        raise ConfigError(f"{where} has the gain {layer.gain}, which is not {_WANTED}")
    # The scale of its accumulators; ``check_fits`` tells if the input is another one.
    products = np.asarray(layer.scales) * layer.gain * input_scales.get(layer.input, 1.0)
    if not _usable(products):
        raise ConfigError(
            f"{where} has weight scales whose product with the gain and the input's scale is not "
            f"{_WANTED}"
        )
    if not (np.abs(np.asarray(layer.bias_correction, np.float64)) <= _LARGEST).all():
        raise ConfigError(f"{where} has a bias correction that is not within +-{_LARGEST:g}")


def _usable(values: npt.ArrayLike) -> bool:
    """Whether there are values and all of them are positive and moderate; NaN is not."""
    found = np.asarray(values, np.float64)
    return bool(found.size and ((found > _SMALLEST) & (found < _LARGEST)).all())
