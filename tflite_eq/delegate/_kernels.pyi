"""The delegate's kernels, one convolution at a time, and the proofs and decisions around them.

Built by ``//delegate/python``. Kernels and instruction sets go by the names that the delegate's
options ``kernel`` and ``isa`` take. Bad arguments raise ``ValueError``; arrays of another element
type than the one given, ``TypeError``.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__version__: str

def kernels() -> list[tuple[str, str]]:
    """Kernel and instruction set of everything the library holds, whatever this CPU runs."""

def cpu_supports(isa: str) -> bool:
    """Whether this machine runs kernels written for an instruction set."""

def effective_scale(input_scale: float, weight_scale: float, output_scale: float) -> float:
    """The oracle's product and quotient of float32 scales, in double precision."""

def quantize_multiplier(scale: float) -> tuple[int, int]:
    """``(multiplier, shift)`` with ``scale ~ multiplier * 2**(shift - 31)``; scale in [0, 2^30)."""

def multiply_by_quantized_multiplier(
    accumulators: npt.NDArray[np.int32], multiplier: int, shift: int
) -> npt.NDArray[np.int32]:
    """Accumulators times the fixed-point scale, with the oracle's double rounding."""

def activation_range(
    activation: str, output_scale: float, output_zero_point: int
) -> tuple[int, int]:
    """Codes that a fused activation, given by its schema name, lets through."""

def transform_filter(kernel: str, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int16]:
    """``G w G^T`` of 3x3 weights for ``winograd_f43`` (6x6) or ``winograd_f23`` (4x4)."""

def transform_input(kernel: str, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.int16]:
    """``B^T d B`` of a 6x6 or 4x4 tile of codes."""

def transform_output(kernel: str, sums: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """``A^T m A``, modulo 2^32: 576 times the convolution (4x4), or 4 times (2x2)."""

def transform_taps(form: str, w0: int, w1: int, w2: int) -> npt.NDArray[np.int8]:
    """The four transformed taps of a form of ``winograd_1d``; see ``winograd_1d_forms``."""

class Cpu:
    """What the selection policy knows about a CPU."""

    def __init__(
        self, isa: str, two_vnni_units: bool = False, peer: str = "", in_order: bool = False
    ) -> None:
        """``peer``: AVX-512, AVX-VNNI, AMX or SME where XNNPACK has that beyond ``isa``."""
    @staticmethod
    def detect() -> Cpu:
        """This machine."""
    @property
    def isa(self) -> str:
        """The best instruction set with kernels of its own."""
    @property
    def two_vnni_units(self) -> bool:
        """Whether it has two 512-bit VNNI units."""
    @property
    def in_order(self) -> bool:
        """Whether all cores are ARMv8.0 cores that issue in order, such as Cortex-A53."""
    @property
    def peer(self) -> str:
        """What XNNPACK's int8 kernels compute with, such as ``AVX-512 VNNI``."""

class Plan:
    """Which kernel computes a convolution, or why none does."""

    @property
    def claim(self) -> bool:
        """Whether the delegate takes the layer."""
    @property
    def kernel(self) -> str:
        """The kernel, if it does."""
    @property
    def isa(self) -> str:
        """The kernel's instruction set, if it does."""
    @property
    def reason(self) -> str:
        """Why, in either case."""

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
    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """Batch, height, width and channels of the output."""
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
    def refusal(self, kernel: str, isa: str = "scalar") -> str | None:
        """Why the kernel is not exact here; ``None`` if it is, proven from the weights."""
    def plan(self, cpu: Cpu) -> Plan:
        """The delegate's choice on a CPU, not necessarily this one."""
    def accumulator_ranges(self) -> npt.NDArray[np.int64]:
        """Smallest and largest accumulator of each output channel over all inputs, [outputs, 2]."""
    def winograd_1d_forms(self) -> list[str]:
        """Per output channel: ``halve_weights``, ``halve_sums``, ``two_taps`` or ``none``."""

class NodeTensor:
    """A tensor of a model file."""

    def __init__(
        self,
        type: str,
        shape: Sequence[int],
        *,
        scales: Sequence[float] = (),
        zero_points: Sequence[int] = (),
        quantized_dimension: int = 0,
        data: bytes | None = None,
        name: str = "",
        variable: bool = False,
        sparse: bool = False,
    ) -> None:
        """Describe the tensor.

        Args:
            type: The schema's name of its type.
            shape: Its sizes.
            scales: One, or one per channel.
            zero_points: As many.
            quantized_dimension: What scales lie along.
            data: The values of a constant, as they are stored.
            name: What the options ``leave`` and ``claim`` are held against.
            variable: Whether it keeps its values from one inference to the next.
            sparse: Whether ``data`` leaves zeros out.
        """

class ModelNode:
    """An operator of a model."""

    def __init__(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Mapping[str, object] = ...,
    ) -> None:
        """Describe the operator.

        Args:
            kind: The schema's name, ``CONV_2D``; anything for operators that are none of
                ``operators()``.
            inputs: Tensor indices; an absent optional input is -1.
            outputs: Tensor indices.
            options: The fields of the schema's options table; those that are left out are 0.

        Raises:
            ValueError: An option has a value of another type than the schema's.
        """

class Decision:
    """Whether the delegate would claim an operator."""

    @property
    def node(self) -> int:
        """Index of the operator."""
    @property
    def kind(self) -> str:
        """The operator's name in the schema."""
    @property
    def claimed(self) -> bool:
        """Whether it would."""
    @property
    def reason(self) -> str:
        """Why, in either case."""
    @property
    def saved_multiplications(self) -> float:
        """Estimate of what the claim saves, in multiplications of the runtime's convolutions.

        0 if it is not claimed; below 0 where the runtime is faster, and the claim spares a switch.
        """

def operators() -> list[str]:
    """Schema names of the operators that the library runs, in alphabetical order."""

def select(
    tensors: Sequence[NodeTensor],
    nodes: Sequence[ModelNode],
    cpu: Cpu,
    threads: int = 1,
    options: Mapping[str, str] = ...,
) -> list[Decision]:
    """What the delegate would claim of a model on a CPU that need not be this one.

    One decision per operator of a kind that the library runs, in order. The nodes are all operators
    of the model in execution order: which of them lie between those matters.
    """
