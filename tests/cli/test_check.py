"""``tflite-eq check``, and ``inspect`` of float models."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.cli.commands import Workspace
from tflite_eq.outlook import outlook


def risky_net() -> bytes:
    """A mask of -1e9, an EXP, scores beside boxes, and one weight a thousand times the others."""

    def network(x: Any) -> Any:
        filters = models.weights(3, 3, 3, 8, seed=1)
        filters[1, 1, 0, :] = 1000 * np.abs(filters).max()
        y = tf.nn.relu(tf.nn.conv2d(x, filters, 1, "SAME"))
        y = y + np.where(np.arange(8) < 4, 0, -1e9).astype(np.float32)
        z = tf.math.exp(models.conv(y, 4, seed=2))
        return tf.concat([tf.math.sigmoid(models.conv(z, 4, seed=3)), z], -1)

    return models.convert(network, models.IMAGE)


@pytest.mark.parametrize("command", ["check", "inspect"])
def test_says_what_will_be_quantized(workspace: Workspace, command: str) -> None:
    finished = workspace.run(command, workspace.model)
    assert finished.code == 0
    assert "Input   x0  float32 [1, 12, 12, 3]" in finished.out
    assert "Will be int8: 5 layers (CONV_2D 4, FULLY_CONNECTED 1) with 100 %" in finished.out
    assert "In float: nothing." in finished.out
    result = json.loads(finished.out.splitlines()[-1].removeprefix("RESULT "))
    assert (result["layers"], result["share"], result["in_float"]) == (5, 1.0, 0)


def test_says_what_stays_in_float(workspace: Workspace) -> None:
    finished = workspace.run("check", workspace.write("sin.tflite", models.float_island_net()))
    assert "In float: 1 operator without an int8 form stays in float: SIN." in finished.out


def test_says_where_accuracy_is_at_risk() -> None:
    risks = "\n".join(outlook(risky_net(), "m").risks)
    assert "dB with 8 bits: a few are far larger" in risks
    assert "adds constants of up to 1e+09" in risks
    assert "Results of EXP span orders of magnitude" in risks
    assert "joins values of [-1, 1] with others" in risks


def test_good_networks_have_no_risks() -> None:
    for name in ("conv_net", "depthwise_net", "residual_net"):
        assert outlook(models.build(name), "m").risks == ()


def test_rounding_noise_of_weights_is_that_of_a_uniform_error() -> None:
    [*layers] = outlook(models.conv_net(), "m").layers
    for layer in layers:
        # Weights of deviation s, the largest of a channel's n at about s sqrt(2 ln n).
        n = np.prod(layer.filter_shape[1:])
        expected = 10 * np.log10(12 * 127**2 / (2 * np.log(n)))
        assert abs(layer.weights_db - expected) < 4


def test_what_cannot_be_quantized_is_refused_in_one_line(workspace: Workspace) -> None:
    workspace.quantize()
    finished = workspace.run("check", workspace.output)
    assert finished.code == 1
    assert "already quantized" in finished.err


def test_needs_no_tensorflow(workspace: Workspace) -> None:
    program = (
        "import sys; from tflite_eq.cli.main import main, parse\n"
        f"main(parse(['tflite-eq', 'check', {str(workspace.model)!r}]))\n"
        "print('tensorflow' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] == "False", found.stderr


def test_as_json(workspace: Workspace) -> None:
    plain = json.loads(workspace.run("check", "--json", workspace.model).out)
    assert [layer["kind"] for layer in plain["layers"]][-1] == "FULLY_CONNECTED"
