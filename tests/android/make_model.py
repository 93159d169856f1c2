"""Makes the model that the Java tests run: one convolution, an input, and what TFLite's reference
kernels answer.

python -m tests.android.make_model
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tests.delegate.oracle import model_of, reference_output
from tests.golden.vectors import Case

HERE = Path(__file__).resolve().parent
MODEL, INPUT, EXPECTED = (
    HERE / f"convolution.{suffix}" for suffix in ("tflite", "input", "output")
)


def case() -> Case:
    """24x24x32 -> 32 with 3x3 weights: large enough for several tiles and threads."""
    rng = np.random.default_rng(2006)
    weights = rng.integers(-127, 128, (32, 3, 3, 32)).astype(np.int8)
    scales = np.exp(rng.uniform(-6, -5, 32)).astype(np.float32)
    spread = np.sqrt(weights[0].size) * 74 * 74 * float(scales.mean()) * 0.02
    made = Case(
        name="java",
        filter=weights,
        filter_scales=scales,
        bias=rng.integers(-20_000, 20_000, 32).astype(np.int32),
        input_scale=0.02,
        input_zero_point=-7,
        output_scale=float(np.float32(spread / 60)),
        output_zero_point=5,
        activation="NONE",
        padding="same",
        stride=(1, 1),
        dilation=(1, 1),
        input=rng.integers(-128, 128, (1, 24, 24, 32)).astype(np.int8),
        expected=np.zeros(0, np.int8),
    )
    return dataclasses.replace(made, expected=reference_output(made))


def main() -> None:
    """Write the files."""
    made = case()
    MODEL.write_bytes(model_of(made))
    INPUT.write_bytes(made.input.tobytes())
    EXPECTED.write_bytes(made.expected.tobytes())


if __name__ == "__main__":
    main()
