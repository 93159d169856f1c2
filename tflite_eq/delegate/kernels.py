"""The delegate's kernels, one convolution at a time, and the proofs and decisions around them.

Kernels and instruction sets go by the names that the delegate's options ``kernel`` and ``isa``
take. Bad arguments raise ``ValueError``; arrays of another element type than the one given, where
a conversion would lose something, ``TypeError``.
"""

from __future__ import annotations

import weakref
from ctypes import byref, c_char_p, c_int32, c_void_p
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.delegate import kernels_api
from tflite_eq.delegate.kernels_api import call, encoded, functions, int32s, text

Array = npt.NDArray[Any]


def _array(values: Any, dtype: type[np.generic]) -> Array:
    """Contiguous, and of that type; only conversions that lose nothing are made."""
    array = np.asarray(values)
    if not np.can_cast(array.dtype, dtype, "safe"):
        raise TypeError(f"an array of {np.dtype(dtype).name} is needed, not of {array.dtype.name}")
    return np.ascontiguousarray(array, dtype)


def _address(array: Array) -> c_void_p:
    return c_void_p(array.ctypes.data)


def kernels() -> list[tuple[str, str]]:
    """Kernel and instruction set of everything the library holds, whatever this CPU runs."""
    found: list[tuple[str, str]] = []
    kernel, isa = c_char_p(), c_char_p()
    while functions().EqKernelAt(len(found), byref(kernel), byref(isa)):
        found.append((text(kernel.value), text(isa.value)))
    return found


def cpu_supports(isa: str) -> bool:
    """Whether this machine runs kernels written for an instruction set."""
    answer = c_int32()
    call("EqCpuSupports", encoded(isa), byref(answer))
    return bool(answer.value)


def effective_scale(input_scale: float, weight_scale: float, output_scale: float) -> float:
    """The oracle's product and quotient of float32 scales, in double precision."""
    return float(functions().EqEffectiveScale(input_scale, weight_scale, output_scale))


def quantize_multiplier(scale: float) -> tuple[int, int]:
    """``(multiplier, shift)`` with ``scale ~ multiplier * 2**(shift - 31)``; scale in [0, 2^30)."""
    multiplier, shift = c_int32(), c_int32()
    call("EqQuantizeMultiplier", scale, byref(multiplier), byref(shift))
    return multiplier.value, shift.value


def multiply_by_quantized_multiplier(
    accumulators: npt.NDArray[np.int32], multiplier: int, shift: int
) -> npt.NDArray[np.int32]:
    """Accumulators times the fixed-point scale, with the oracle's double rounding."""
    values = _array(accumulators, np.int32)
    results = np.empty_like(values)
    call(
        "EqMultiply", _address(values), values.size, *int32s([multiplier, shift]), _address(results)
    )
    return results


def activation_range(
    activation: str, output_scale: float, output_zero_point: int
) -> tuple[int, int]:
    """Codes that a fused activation, given by its schema name, lets through."""
    found = (c_int32 * 2)()
    call("EqActivationRange", encoded(activation), output_scale, output_zero_point, found)
    return found[0], found[1]


def _tile_sizes(kernel: str) -> tuple[int, int]:
    sizes = (c_int32 * 2)()
    call("EqTileSizes", encoded(kernel), sizes)
    return sizes[0], sizes[1]


def _tile(values: Array, dtype: type[np.generic], size: int) -> Array:
    tile = _array(values, dtype)
    if tile.shape != (size, size):
        raise ValueError(f"the tile must be {size}x{size}")
    return tile


def transform_filter(kernel: str, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int16]:
    """``G w G^T`` of 3x3 weights for ``winograd_f43`` (6x6) or ``winograd_f23`` (4x4)."""
    rows, _ = _tile_sizes(kernel)
    result = np.empty((rows, rows), np.int16)
    tile = _tile(weights, np.int8, 3)
    call("EqTransformFilter", encoded(kernel), _address(tile), _address(result))
    return result


def transform_input(kernel: str, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.int16]:
    """``B^T d B`` of a 6x6 or 4x4 tile of codes."""
    rows, _ = _tile_sizes(kernel)
    result = np.empty((rows, rows), np.int16)
    tile = _tile(codes, np.int8, rows)
    call("EqTransformInput", encoded(kernel), _address(tile), _address(result))
    return result


def transform_output(kernel: str, sums: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """``A^T m A``, modulo 2^32: 576 times the convolution (4x4), or 4 times (2x2)."""
    rows, outputs = _tile_sizes(kernel)
    result = np.empty((outputs, outputs), np.int32)
    tile = _tile(sums, np.int32, rows)
    call("EqTransformOutput", encoded(kernel), _address(tile), _address(result))
    return result


def transform_taps(form: str, w0: int, w1: int, w2: int) -> npt.NDArray[np.int8]:
    """The four transformed taps of a form of ``winograd_1d``; see ``winograd_1d_forms``."""
    taps = np.empty(4, np.int8)
    call("EqTransformTaps", encoded(form), *int32s([w0, w1, w2]), _address(taps))
    return taps


class Cpu:
    """What the selection policy knows about a CPU."""

    def __init__(
        self, isa: str, two_vnni_units: bool = False, peer: str = "", in_order: bool = False
    ) -> None:
        """``peer``: AVX-512, AVX-VNNI, AMX or SME where XNNPACK has that beyond ``isa``."""
        self._given = (encoded(isa), int(two_vnni_units), encoded(peer), int(in_order))
        described = self.described()
        call("EqDescribeCpu", byref(described))
        self._isa, self._peer = text(described.isa), text(described.peer)

    @classmethod
    def detect(cls) -> Cpu:
        """This machine."""
        found = kernels_api.Cpu()
        functions().EqDetectCpu(byref(found))
        return cls(
            text(found.isa), bool(found.two_vnni_units), text(found.peer), bool(found.in_order)
        )

    def described(self) -> kernels_api.Cpu:
        """For the library."""
        return kernels_api.Cpu(*self._given)

    @property
    def isa(self) -> str:
        """The best instruction set with kernels of its own."""
        return self._isa

    @property
    def two_vnni_units(self) -> bool:
        """Whether it has two 512-bit VNNI units."""
        return bool(self._given[1])

    @property
    def in_order(self) -> bool:
        """Whether all cores are ARMv8.0 cores that issue in order, such as Cortex-A53."""
        return bool(self._given[3])

    @property
    def peer(self) -> str:
        """What XNNPACK's int8 kernels compute with, such as ``AVX-512 VNNI``."""
        return self._peer


class Plan:
    """Which kernel computes a convolution, or why none does.

    Attributes:
        claim: Whether the delegate takes the layer.
        kernel: The kernel, if it does.
        isa: The kernel's instruction set, if it does.
        reason: Why, in either case.
    """

    def __init__(self, found: kernels_api.Plan) -> None:
        """What the library says."""
        self.claim = bool(found.claim)
        self.kernel, self.isa = text(found.kernel), text(found.isa)
        self.reason = str(found.reason)


class Convolution:
    """An int8 convolution with its arithmetic; copies what it is given."""

    def __init__(
        self,
        filter: npt.NDArray[np.int8],
        bias: npt.NDArray[np.int32] | None,
        multiplier: npt.NDArray[np.int32],
        shift: npt.NDArray[np.int32],
        *,
        input_size: tuple[int, int, int],
        padding: str = "same",
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        input_zero_point: int = 0,
        output_zero_point: int = 0,
        activation_range: tuple[int, int] = (-128, 127),
    ) -> None:
        """Describe the convolution.

        Args:
            filter: Shape [outputs, height, width, inputs].
            bias: One per output channel, or ``None``.
            multiplier: One per output channel; see ``quantize_multiplier``.
            shift: One per output channel.
            input_size: Batch, height and width of the input.
            padding: ``same`` or ``valid``.
            stride: Vertical and horizontal.
            dilation: Vertical and horizontal.
            input_zero_point: What padding reads as.
            output_zero_point: Added after requantization.
            activation_range: Smallest and largest output code.
        """
        weights = _array(filter, np.int8)
        if weights.ndim != 4 or not weights.size:
            raise ValueError("filter must have the shape [outputs, height, width, inputs]")
        per_channel = {
            name: _per_channel(name, values, len(weights))
            for name, values in (("bias", bias), ("multiplier", multiplier), ("shift", shift))
            if values is not None
        }
        description = kernels_api.Convolution(
            filter=weights.ctypes.data,
            filter_shape=int32s(weights.shape),
            padding=encoded(padding),
            input_size=int32s(input_size),
            stride=int32s(stride),
            dilation=int32s(dilation),
            input_zero_point=int32s([input_zero_point])[0],
            output_zero_point=int32s([output_zero_point])[0],
            activation_range=int32s(activation_range),
            **{name: values.ctypes.data for name, values in per_channel.items()},
        )
        made = c_void_p()
        call("EqConvolutionCreate", byref(description), byref(made))
        self._made = made
        weakref.finalize(self, functions().EqConvolutionDelete, made)
        self._input_shape = (*(int(size) for size in input_size), weights.shape[3])

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """Batch, height, width and channels of the output."""
        shape = (c_int32 * 4)()
        functions().EqConvolutionOutputShape(self._made, shape)
        return shape[0], shape[1], shape[2], shape[3]

    def run(
        self,
        input: npt.NDArray[np.int8],
        kernel: str = "reference",
        isa: str = "scalar",
        threads: int = 1,
    ) -> npt.NDArray[np.int8]:
        """Convolve codes of shape [batch, height, width, inputs] by a named kernel.

        Raises ``ValueError`` with the certificate's words if the kernel is not exact here, and if
        the library or this CPU lacks it.
        """
        codes = _array(input, np.int8)
        if codes.shape != self._input_shape:
            raise ValueError(
                "input must have the shape [batch, height, width, inputs] the convolution was "
                f"made for, {list(self._input_shape)}, and has {list(codes.shape)}"
            )
        output = np.empty(self.output_shape, np.int8)
        names = encoded(kernel), encoded(isa), *int32s([threads])
        call("EqConvolutionRun", self._made, _address(codes), *names, _address(output))
        return output

    def refusal(self, kernel: str, isa: str = "scalar") -> str | None:
        """Why the kernel is not exact here; ``None`` if it is, proven from the weights."""
        exact, reason = c_int32(), kernels_api.Reason()
        status = functions().EqConvolutionCertify(
            self._made, encoded(kernel), encoded(isa), byref(exact), byref(reason)
        )
        if status != kernels_api.DONE:
            raise ValueError(str(reason))
        return None if exact.value else str(reason)

    def plan(self, cpu: Cpu) -> Plan:
        """The delegate's choice on a CPU, not necessarily this one."""
        described, plan = cpu.described(), kernels_api.Plan()
        call("EqConvolutionPlan", self._made, byref(described), byref(plan))
        return Plan(plan)

    def accumulator_ranges(self) -> npt.NDArray[np.int64]:
        """Smallest and largest accumulator of each output channel over all inputs, [outputs, 2]."""
        ranges = np.empty((self.output_shape[3], 2), np.int64)
        functions().EqConvolutionRanges(self._made, _address(ranges))
        return ranges

    def winograd_1d_forms(self) -> list[str]:
        """Per output channel: ``halve_weights``, ``halve_sums``, ``two_taps`` or ``none``."""
        forms = (c_char_p * self.output_shape[3])()
        call("EqConvolutionForms", self._made, forms)
        return [text(form) for form in forms]


def _per_channel(name: str, values: Any, outputs: int) -> Array:
    array = _array(values, np.int32)
    if array.shape != (outputs,):
        raise ValueError(f"{name} must have one entry per output channel, {outputs}")
    return array
