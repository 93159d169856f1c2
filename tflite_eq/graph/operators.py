"""The int8 kernels of TFLite's operators: what each asks of scales, and since when it exists.

The one table that scale decisions and the writer share. Rules of scales are those of TFLite's int8
quantization specification; versions and the runtimes that brought them are those of
``op_version.cc`` and ``runtime_version.cc`` in TFLite's ``tools/versioning``. An operator that is
not in the table has no int8 kernel that computes with scales, or has one in runtimes alone that are
newer than TFLite 2.14, the last of ``tflite-runtime`` (LOG, since 2.15), and stays in float.
``tests/operators`` has a network for every row and runs it on every runtime.
"""

from __future__ import annotations

import dataclasses
import enum

from tflite_eq.numerics.affine import AffineParams


class Scales(enum.Enum):
    """What a kernel asks of the scale and zero point of its results."""

    OWN = "own"  # whatever is chosen
    SHARED = "shared"  # those of its inputs: codes are passed on unchanged in meaning
    FIXED = "fixed"  # those of the specification
    NONE = "none"  # results are no codes: indices, truth values


@dataclasses.dataclass(frozen=True)
class Int8Kernel:
    """The int8 form of one kind of operator.

    Attributes:
        scales: What it asks of the scale of its results.
        runtimes: First runtime with each version that an int8 operator may need, by version; the
            smallest version is that of the plain int8 kernel, e.g. ``{3: "1.14.0", 6: "2.9.0"}``.
        fixed: Parameters of the results for ``Scales.FIXED``.
        symmetric_constants: Whether constant operands have zero point 0, as filters do.
    """

    scales: Scales
    runtimes: dict[int, str]
    fixed: AffineParams | None = None
    symmetric_constants: bool = False

    @property
    def version(self) -> int:
        """Version of the plain int8 kernel."""
        return min(self.runtimes)


_OWN: dict[str, dict[int, str]] = {
    "ABS": {2: "2.4.0"},
    "ADD": {2: "1.14.0"},
    "BATCH_MATMUL": {2: "2.3.0"},
    "CONV_2D": {3: "1.14.0", 6: "2.9.0"},
    "DEPTHWISE_CONV_2D": {3: "1.14.0"},
    "ELU": {1: "1.14.0"},
    "EXP": {2: "2.12.0"},
    "FULLY_CONNECTED": {4: "1.14.0", 5: "2.0.0", 6: "2.1.0"},
    "GELU": {2: "2.9.0"},
    "HARD_SWISH": {1: "1.15.0"},
    "LEAKY_RELU": {1: "1.13.1"},
    "MEAN": {2: "1.14.0"},
    "MUL": {2: "1.14.0", 3: "1.15.0"},
    "PRELU": {1: "1.8.0"},
    "REDUCE_PROD": {2: "2.6.0"},
    "RELU": {2: "2.1.0"},
    "RELU6": {2: "1.14.0"},
    "RELU_0_TO_1": {1: "2.10.0"},
    "RELU_N1_TO_1": {1: "1.5.0"},
    "RSQRT": {2: "2.5.0"},
    "SQUARED_DIFFERENCE": {2: "2.5.0"},
    "SUB": {2: "1.14.0", 3: "2.3.0"},
    "SUM": {2: "1.15.0"},
    "TRANSPOSE_CONV": {2: "2.2.0", 3: "2.3.0", 4: "2.13.0"},
}

_SHARED: dict[str, dict[int, str]] = {
    "AVERAGE_POOL_2D": {2: "1.14.0"},
    "BATCH_TO_SPACE_ND": {2: "1.14.0", 3: "2.3.0"},
    "BROADCAST_TO": {3: "2.5.0"},
    "CONCATENATION": {2: "1.14.0"},
    "DEPTH_TO_SPACE": {2: "2.5.0"},
    "DYNAMIC_UPDATE_SLICE": {1: "2.9.0"},
    "EMBEDDING_LOOKUP": {3: "1.14.0"},
    "EXPAND_DIMS": {1: "1.10.0"},
    "FILL": {3: "2.5.0"},
    "GATHER": {2: "1.14.0", 5: "2.5.0"},
    "GATHER_ND": {1: "1.14.0"},
    "MATRIX_DIAG": {1: "1.14.0"},
    "MATRIX_SET_DIAG": {1: "1.14.0"},
    "MAXIMUM": {2: "1.14.0", 3: "2.3.0"},
    "MAX_POOL_2D": {2: "1.14.0"},
    "MINIMUM": {2: "1.14.0", 3: "2.3.0"},
    "MIRROR_PAD": {2: "2.3.0"},
    "ONE_HOT": {1: "1.11.0"},
    "PACK": {2: "1.14.0"},
    "PAD": {2: "1.14.0", 4: "2.6.0"},
    "PADV2": {2: "1.14.0", 4: "2.6.0"},
    "REDUCE_MAX": {2: "1.14.0"},
    "REDUCE_MIN": {2: "1.14.0"},
    "RESHAPE": {1: "1.5.0"},
    "RESIZE_BILINEAR": {2: "1.14.0", 3: "2.2.0"},
    "RESIZE_NEAREST_NEIGHBOR": {2: "1.14.0", 3: "2.3.0"},
    "REVERSE_V2": {3: "2.5.0"},
    "SCATTER_ND": {1: "2.1.0"},
    "SELECT": {1: "1.14.0", 3: "2.12.0"},
    "SELECT_V2": {1: "2.2.0"},
    "SLICE": {2: "1.14.0", 5: "2.5.0"},
    "SPACE_TO_BATCH_ND": {2: "1.14.0", 3: "2.3.0"},
    "SPACE_TO_DEPTH": {2: "1.14.0"},
    "SPARSE_TO_DENSE": {3: "1.15.0"},
    "SPLIT": {2: "1.14.0"},
    "SPLIT_V": {2: "2.3.0"},
    "SQUEEZE": {1: "1.6.0"},
    "STRIDED_SLICE": {2: "1.14.0", 4: "2.2.0", 6: "2.6.0", 8: "2.14.0"},
    "TILE": {3: "2.8.0"},
    "TOPK_V2": {2: "1.14.0"},
    "TRANSPOSE": {2: "1.14.0", 4: "2.3.0", 6: "2.12.0"},
    "UNPACK": {2: "1.14.0"},
}

_FIXED: dict[str, tuple[dict[int, str], AffineParams]] = {
    "L2_NORMALIZATION": ({2: "1.14.0"}, AffineParams(1 / 128, 0)),
    "LOGISTIC": ({2: "1.14.0"}, AffineParams(1 / 256, -128)),
    "LOG_SOFTMAX": ({2: "1.14.0"}, AffineParams(16 / 256, 127)),
    "SOFTMAX": ({2: "1.14.0"}, AffineParams(1 / 256, -128)),
    "TANH": ({2: "1.14.0"}, AffineParams(1 / 128, 0)),
}

_NONE: dict[str, dict[int, str]] = {
    "ARG_MAX": {2: "1.14.0"},
    "ARG_MIN": {2: "1.14.0"},
    "EQUAL": {2: "1.14.0"},
    "GREATER": {2: "1.14.0"},
    "GREATER_EQUAL": {2: "1.14.0"},
    "LESS": {2: "1.14.0"},
    "LESS_EQUAL": {2: "1.14.0"},
    "NOT_EQUAL": {2: "1.14.0"},
}

# Slopes are weights to TensorFlow's quantizer.
_SYMMETRIC_CONSTANTS = frozenset({"PRELU"})

INT8_KERNELS: dict[str, Int8Kernel] = {
    **{
        kind: Int8Kernel(Scales.OWN, runtimes, symmetric_constants=kind in _SYMMETRIC_CONSTANTS)
        for kind, runtimes in _OWN.items()
    },
    **{kind: Int8Kernel(Scales.SHARED, runtimes) for kind, runtimes in _SHARED.items()},
    **{kind: Int8Kernel(Scales.FIXED, *row) for kind, row in _FIXED.items()},
    **{kind: Int8Kernel(Scales.NONE, runtimes) for kind, runtimes in _NONE.items()},
}

# Runtimes by version of what turns real values and codes of another scale into codes, and back.
CONVERSIONS: dict[str, dict[int, str]] = {
    "QUANTIZE": {1: "1.14.0"},
    "DEQUANTIZE": {2: "1.14.0"},
}
