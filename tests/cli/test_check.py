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
from tflite_eq.graph.model import Graph
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


@pytest.mark.parametrize("command", ["check", "inspect"])
def test_the_model_may_stand_behind_a_flag(workspace: Workspace, command: str) -> None:
    bare = workspace.run(command, workspace.model)
    assert workspace.run(command, "--model", workspace.model).out == bare.out
    for arguments in ([], [workspace.model, "--model", workspace.model]):
        refused = workspace.run(command, *arguments)
        assert refused.code != 0
        assert "--model" in refused.err


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


def test_weights_that_decayed_to_nothing_are_no_risk() -> None:
    """Two thirds of a filter behind dead inputs, as training with weight decay leaves them."""

    def network(x: Any) -> Any:
        y = tf.nn.relu(models.conv(x, 24, seed=1))
        filters = models.weights(3, 3, 24, 8, seed=2)
        filters[:, :, 8:] *= 1e-15
        return tf.nn.conv2d(y, filters, 1, "SAME")

    found = outlook(models.convert(network, models.IMAGE), "m")
    assert found.risks == ()
    assert all(layer.weights_db > 35 for layer in found.layers)


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


def sloped_net(kind: str = "PRELU") -> bytes:
    """Little work in convolutions, and an operator that XNNPACK has no int8 kernel for."""

    def network(x: Any) -> Any:
        y = models.conv(x, 32, size=1)
        if kind == "PRELU":
            slopes = np.linspace(-0.3, 0.5, 32).astype(np.float32)
            y = tf.maximum(y, 0) + slopes * tf.minimum(y, 0)
        else:
            y = tf.nn.softmax(y)
        return models.conv(y, 4, size=1, seed=2)

    return models.convert(network, (1, 96, 96, 3))


def test_says_when_int8_will_be_slower_than_float_and_what_helps(workspace: Workspace) -> None:
    path = workspace.write("sloped.tflite", sloped_net())
    plain = workspace.run("check", "--forms", "plain", path).out
    assert "times as long as float" in plain
    assert "% in 1 PRELU: XNNPACK has no int8 kernel" in plain
    assert "Leave out --forms plain" in plain
    fast = workspace.run("check", path).out
    assert "XNNPACK has no int8 kernel" not in fast
    assert "Written as others that stock runtimes run fast: 1 PRELU" in fast
    ratios = [json.loads(said.splitlines()[-1][7:])["int8_to_float_time"] for said in (plain, fast)]
    assert ratios[0] > 5 * ratios[1]


def test_operators_without_a_fast_form_are_named_for_skip(workspace: Workspace) -> None:
    path = workspace.write("softmax.tflite", sloped_net("SOFTMAX"))
    said = workspace.run("check", path).out
    assert "% in 1 SOFTMAX" in said
    remedy = said.split("--skip '")[1].split("'")[0]
    assert "Speed:" not in workspace.run("check", "--skip", remedy, path).out


def test_quantizing_says_it_first(workspace: Workspace) -> None:
    path = workspace.write("softmax.tflite", sloped_net("SOFTMAX"))
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((4, 96, 96, 3)).astype(np.float32)
    said = workspace.quantize(model=path, calibration=workspace.array("softmax.npy", samples))
    assert said.code == 0
    assert "1 SOFTMAX: XNNPACK has no int8 kernel" in said.err


def test_quantizing_says_what_is_written_as_others(workspace: Workspace) -> None:
    path = workspace.write("sloped.tflite", sloped_net())
    samples = np.random.default_rng(0).standard_normal((4, 96, 96, 3)).astype(np.float32)
    data = workspace.array("sloped.npy", samples)
    line = "Written as others that stock runtimes run fast: 1 PRELU"
    assert line in workspace.quantize(model=path, calibration=data).out
    assert line not in workspace.quantize("--forms", "plain", model=path, calibration=data).out
    assert "PRELU" in kinds_of(workspace.output.read_bytes())


def kinds_of(model: bytes) -> set[str]:
    return {operator.kind for operator in Graph.from_bytes(model).operators}
