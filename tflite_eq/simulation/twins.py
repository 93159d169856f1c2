"""Activations of the float network and of its quantized twin, sample by sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data.store import ActivationStore
from tflite_eq.numerics.affine import AffineParams, dequantize, ends_of, quantize
from tflite_eq.numerics.clipping import count_outside
from tflite_eq.numerics.windows import Window
from tflite_eq.simulation.kernel_tables import KernelTable

Array = npt.NDArray[Any]

# The network's inputs by tensor index, for a sample by its number.
InputsOf = Callable[[int], Mapping[int, Array]]

# Values that the caches hold while several operations go over them.
_BLOCK = 1 << 15

_FLOAT = "float"
_QUANTIZED = "quantized"


@dataclasses.dataclass
class SettledTensor:
    """What is decided about a tensor of the quantized network, and what came of it.

    Attributes:
        params: Scale and zero point.
        window: The codes that it is meant to use.
        table: Codes of a kernel that writes it and does not round to the nearest, if one does.
        shifts: Steps that are added to its values before they are rounded, [C]; nothing if
            ``None``.
        outside: How many of its values lay outside the window.
        seen: How many there were.
    """

    params: AffineParams
    window: Window
    table: KernelTable | None = None
    shifts: npt.NDArray[np.float32] | None = None
    outside: int = 0
    seen: int = 0

    def encode(self, values: Array) -> Array:
        """Codes of real values, which are counted."""
        low, high = self._ends
        if self.shifts is None or self.table is not None:
            rows, shifts = values.reshape(-1), None
            step = _BLOCK
        else:
            rows, shifts = values.reshape(-1, len(self.shifts)), self.shifts
            step = max(1, _BLOCK // len(shifts))
        codes = np.empty(rows.shape, np.int8)
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            ends = ends_of(block)
            self.outside += count_outside(block, low, high, ends)
            codes[start : start + step] = self._codes(block, ends, shifts)
        self.seen += values.size
        return codes.reshape(values.shape)

    def encode_results(self, codes: Array, results: Array) -> Array:
        """Codes of what a function makes of other codes, which are counted.

        Args:
            codes: int8 codes of its argument.
            results: Real values that it has for them, [256], by the code as an unsigned number.
        """
        low, high = self._ends
        is_outside = (results < low) | (results > high)
        if is_outside.any():
            self.outside += int(np.count_nonzero(_looked_up(is_outside, codes)))
        self.seen += codes.size
        return _looked_up(self._codes(results, ends_of(results), None), codes)

    @property
    def _ends(self) -> tuple[np.float32, np.float32]:
        """The least and the largest value inside the window."""
        params, window = self.params, self.window
        # Half a step beyond the last code still rounds to it.
        low = np.float32((window.low - 0.5 - params.zero_point) * params.scale)
        return low, np.float32((window.high + 0.5 - params.zero_point) * params.scale)

    def _codes(self, values: Array, ends: tuple[float, float], shifts: Array | None) -> Array:
        if self.table is None:
            return quantize(values, self.params, shifts, ends)
        found = self.table.encode(values)
        return found.clip(self.params.low, self.params.high) if self.params.is_limited else found


def _looked_up(by_code: Array, codes: Array) -> Array:
    """Entries [256] of int8 codes, by these as unsigned numbers."""
    return by_code.take(codes.view(np.uint8), mode="clip")  # none is cut off; checking takes longer


@dataclasses.dataclass(frozen=True)
class RealOfCodes:
    """What codes stand for, which is computed where it is needed.

    Attributes:
        codes: int8 codes.
        params: Their scale and zero point.
    """

    codes: Array
    params: AffineParams

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the codes, and of the values."""
        return self.codes.shape

    def write_to(self, values: Array) -> None:
        """Write the real values into a contiguous array of that shape."""
        dequantize(self.codes, self.params, values)


class TwinActivations:
    """Values of both networks.

    A quantized tensor whose scale is not decided yet holds the real values its kernel would
    requantize; ``settle`` turns them into int8 codes, and values put afterwards become codes at
    once. Integer tensors are stored as they are.

    Attributes:
        samples: Number of samples.
        shares: What each sample counts beside others, [samples]; all the same if ``None``.
        shifts: Steps that are added to values before they are rounded, [C], by tensor index; see
            ``graph.channel_splitting``.
        settled: What is decided about tensors, by index.
        notices: What a user should know about how codes were found, one sentence each.
    """

    def __init__(self, store: ActivationStore, samples: int) -> None:
        """Keep values in ``store``."""
        self._store = store
        self.samples = samples
        self.shares: npt.NDArray[np.float64] | None = None
        self.shifts: Mapping[int, npt.NDArray[np.float32]] = {}
        self.settled: dict[int, SettledTensor] = {}
        self.notices: list[str] = []
        self._present: set[int] = set()
        # Of tensors that elementwise functions of codes give: the function's 256 values. They are
        # stored as these codes.
        self._results: dict[int, Array] = {}

    @property
    def params(self) -> dict[int, AffineParams]:
        """Scale and zero point of every settled tensor."""
        return {index: tensor.params for index, tensor in self.settled.items()}

    @property
    def tables(self) -> dict[int, KernelTable]:
        """Codes of settled tensors that a kernel writes which does not round to the nearest."""
        found = ((index, tensor.table) for index, tensor in self.settled.items())
        return {index: table for index, table in found if table is not None}

    def put_float(self, tensor: int, sample: int, values: Array, lent: bool = False) -> None:
        """Store values of the float network; of ``lent`` ones a copy."""
        self._store.put(_FLOAT, tensor, sample, values, lent)

    def put_quantized(self, tensor: int, sample: int, values: Array, lent: bool = False) -> None:
        """Store real values of the quantized network, as codes if the tensor is settled."""
        self._present.add(tensor)
        if tensor in self.settled:
            values, lent = self.settled[tensor].encode(values), False
        self._store.put(_QUANTIZED, tensor, sample, values, lent)

    def put_results(self, tensor: int, source: int, results: Array) -> None:
        """Store what an elementwise function makes of a settled tensor, for all samples.

        Args:
            tensor: The function's result, of the quantized network.
            source: The settled tensor.
            results: What the function makes of every code, [256], by it as an unsigned number.
        """
        self._present.add(tensor)
        settled = self.settled.get(tensor)
        if settled is None:
            self._results[tensor] = results
        for sample in range(self.samples):
            codes = self._store.get(_QUANTIZED, source, sample)
            if settled is not None:
                codes = settled.encode_results(codes, results)
            self._store.put(_QUANTIZED, tensor, sample, codes, lent=settled is None)

    def rounds_alike(self, tensor: int) -> bool:
        """Whether all channels of a tensor are rounded in the same way."""
        return tensor not in self.shifts

    def put_waiting(self, tensor: int, sample: int, values: Array, lent: bool = False) -> None:
        """Store values that are not final yet: they stay real whatever the tensor's scale."""
        self._store.put(_QUANTIZED, tensor, sample, values, lent)

    def change_float(self, tensor: int, sample: int, function: Callable[[Array], None]) -> None:
        """Have a function change values of the float network in place, see ``ActivationStore``."""
        self._store.change(_FLOAT, tensor, sample, function)

    def finish_waiting(self, tensor: int, sample: int, function: Callable[[Array], None]) -> None:
        """Have a function make final values of waiting ones, codes if the tensor is settled."""
        if tensor in self.settled:
            real = self.waiting_values(tensor, sample)
            function(real)
            self.put_quantized(tensor, sample, real)
        else:
            self._present.add(tensor)
            self._store.change(_QUANTIZED, tensor, sample, function)

    def waiting_values(self, tensor: int, sample: int) -> Array:
        """Values stored by ``put_waiting``; read-only."""
        return self._store.get(_QUANTIZED, tensor, sample)

    def float_values(self, tensor: int, sample: int) -> Array:
        """Values of the float network; read-only."""
        return self._store.get(_FLOAT, tensor, sample)

    def quantized_values(self, tensor: int, sample: int) -> Array:
        """Real values of the quantized network; read-only."""
        stored = self._store.get(_QUANTIZED, tensor, sample)
        if tensor in self._results:
            return _looked_up(self._results[tensor], stored)
        settled = self.settled.get(tensor)
        return stored if settled is None else dequantize(stored, settled.params)

    def quantized_feed(self, tensor: int, sample: int) -> Array | RealOfCodes:
        """The same for an interpreter, which can have codes turned into values in its memory."""
        if tensor in self._results:
            return self.quantized_values(tensor, sample)
        stored = self._store.get(_QUANTIZED, tensor, sample)
        settled = self.settled.get(tensor)
        return stored if settled is None else RealOfCodes(stored, settled.params)

    def quantized_range(self, tensor: int) -> tuple[float, float]:
        """Smallest and largest value the quantized network has computed for a present tensor."""
        low, high = np.inf, -np.inf
        for sample in range(self.samples):
            values = self.quantized_values(tensor, sample)
            low = min(low, float(values.min(initial=np.inf)))
            high = max(high, float(values.max(initial=-np.inf)))
        return low, high

    def has_values(self, tensor: int) -> bool:
        """Whether the quantized network has computed the tensor and it is not dropped."""
        return tensor in self._present

    def settle(
        self,
        tensor: int,
        params: AffineParams,
        window: Window,
        table: KernelTable | None = None,
        written: bool = True,
    ) -> None:
        """Decide the scale of a tensor; values already present become codes.

        Args:
            tensor: The tensor.
            params: Its scale and zero point.
            window: The codes that it is meant to use.
            table: The codes that a kernel computes, where these are not the nearest ones.
            written: Whether that kernel writes the tensor itself. Values that are only handed on
                to it come as codes from now on, and would be looked up twice.
        """
        shifts = self.shifts.get(tensor)
        settled = self.settled[tensor] = SettledTensor(params, window, table, shifts)
        results = self._results.pop(tensor, None)
        for sample in range(self.samples) if tensor in self._present else ():
            stored = self._store.get(_QUANTIZED, tensor, sample)
            if results is None:
                codes = settled.encode(stored)
            else:
                codes = settled.encode_results(stored, results)
            self._store.put(_QUANTIZED, tensor, sample, codes)
        if not written:
            settled.table = None

    def part(
        self,
        store: ActivationStore,
        tensors: Sequence[int],
        samples: Sequence[int],
        inputs: InputsOf | None = None,
    ) -> TwinActivations:
        """Twins of the same scales for some samples, numbered anew.

        Args:
            store: Keeps the new values.
            tensors: Tensors whose float values both networks start from: the network's inputs.
            samples: Numbers of the samples here.
            inputs: Gives these values for such a number; they must still be here if ``None``.
        """
        found = TwinActivations(store, len(samples))
        found.shares = None if self.shares is None else self.shares[list(samples)]
        found.shifts = self.shifts
        for index, settled in self.settled.items():
            found.settled[index] = dataclasses.replace(settled, outside=0, seen=0)
        for number, sample in enumerate(samples):
            given = inputs(sample) if inputs else None
            for tensor in tensors:
                values = given[tensor] if given else self.float_values(tensor, sample)
                found.put_float(tensor, number, values, lent=True)
                found.put_quantized(tensor, number, values, lent=True)
        return found

    def forget_quantized(self, tensor: int) -> None:
        """Take the quantized network's values of a tensor for not computed yet."""
        self._store.drop(_QUANTIZED, tensor)
        self._present.discard(tensor)
        self._results.pop(tensor, None)

    def drop(self, tensor: int) -> None:
        """Forget a tensor that no operator will read any more."""
        self._store.drop(_FLOAT, tensor)
        self._store.drop(_QUANTIZED, tensor)
        self._present.discard(tensor)
        self._results.pop(tensor, None)

    def outside(self, tensor: int) -> float:
        """Part of the tensor's values that lay outside its window, in [0, 1]."""
        settled = self.settled.get(tensor)
        return settled.outside / max(settled.seen, 1) if settled else 0.0
