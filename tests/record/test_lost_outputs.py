"""Outputs of which int8 keeps nothing are said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.built_models import NetworkBuilder
from tflite_eq import Config, quantize


def network(bias: float) -> bytes:
    """Of each channel the largest value counts, and one position of one channel may be far off."""
    net = NetworkBuilder(1, 4, 4, 3)
    x = net.conv(net.input, 4)
    offset = np.zeros((1, 4, 4, 4), np.float32)
    offset[0, 1, 1, 2] = bias
    x = net.operator("ADD", [x, net.constant(offset)], (1, 4, 4, 4), ("AddOptions", {}))
    return net.finished(net.dense(net.spatial("REDUCE_MAX", x), 3))


def samples() -> list[list[Any]]:
    rng = np.random.default_rng(4)
    return [[rng.standard_normal((1, 4, 4, 3)).astype(np.float32)] for _ in range(4)]


@pytest.mark.parametrize(("bias", "is_lost"), [(-1e9, True), (-1.0, False)])
def test_a_range_that_outliers_fill_is_told_with_the_output_it_costs(
    bias: float, is_lost: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    result = quantize(network(bias), samples(), Config(seed=1, method="minmax"))
    said = [line for line in capsys.readouterr().err.splitlines() if "reach too far" in line]
    assert bool(said) == is_lost
    assert [f"warning: {w}" for w in result.report.warnings if "reach too far" in w] == said
    if is_lost:
        [line] = said
        assert "'fully_connected" in line
        assert "--skip" in line
