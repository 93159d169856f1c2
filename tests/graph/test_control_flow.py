"""Loops and branches: subgraphs that stay as they are in a network that is quantized."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Config, quantize
from tflite_eq.delegate.validate import validate
from tflite_eq.errors import ModelError
from tflite_eq.graph import edit, schema
from tflite_eq.graph.model import Graph
from tflite_eq.outlook import outlook
from tflite_eq.preparation import prepared
from tflite_eq.runtimes import available_runtimes
from tflite_eq.verify import check_runs_everywhere

STEPS = 5


@functools.cache
def controlled_net() -> bytes:
    """conv -> a loop over a dense layer -> a branch with a convolution in each -> conv."""

    def network(x: Any) -> Any:
        y = tf.nn.relu(models.conv(x, 6, seed=1))
        state = tf.reduce_mean(y, [1, 2])

        def step(number: Any, state: Any) -> Any:
            return number + 1, tf.tanh(models.dense(0.3 * state, 6, seed=2))

        state = tf.while_loop(lambda number, _: number < STEPS, step, [0, state])[1]
        y = y * tf.reshape(state, (1, 1, 1, 6))
        y = tf.cond(
            x[0, 0, 0, 0] > 0.0,
            lambda: models.conv(y, 8, seed=3),
            lambda: models.conv(y, 8, seed=4),
        )
        return models.conv(tf.nn.relu(y), 4, seed=5)

    return models.convert(network, models.IMAGE)


@pytest.mark.parametrize("bits", ["8", "7"])
def test_networks_around_loops_and_branches_are_quantized(bits: str, tmp_path: Path) -> None:
    float_model, samples = controlled_net(), models.samples(models.IMAGE, count=24)
    result = quantize(float_model, samples, Config(bits=bits), report_dir=tmp_path)
    written = Graph.from_bytes(result.model)
    assert [o.kind for o in written.operators].count("CONV_2D") == 2
    assert {"WHILE", "IF"} <= {o.kind for o in written.operators}
    # Behind it the subgraphs of the float model: a condition and a body, and two branches.
    before, after = (schema.parse(m).subgraphs[1:] for m in (float_model, result.model))
    assert [len(body.operators) for body in after] == [len(body.operators) for body in before]
    assert len(after) == 4
    ran = check_runs_everywhere(result.model, samples[0], lambda: float_model)
    assert list(ran) == list(available_runtimes())
    found = [[running.run(m, s)[0] for s in samples] for m in (float_model, result.model)]
    assert running.sqnr_db(*map(np.array, found)) > (33 if bits == "8" else 30)


def test_one_operator_takes_its_subgraphs_along() -> None:
    graph = prepared(controlled_net(), "net").front
    by_kind = {operator.kind: operator for operator in graph.operators}
    for kind, bodies in (("WHILE", 2), ("IF", 2), ("CONV_2D", 0)):
        model, feeds = edit.single_operator_model(graph, by_kind[kind])
        found = schema.parse(model)
        assert len(found.subgraphs) == 1 + bodies
        assert len(found.subgraphs[0].inputs) == len(feeds)
        used = {o.opcodeIndex for subgraph in found.subgraphs for o in subgraph.operators}
        assert used == set(range(len(found.operatorCodes)))


def test_recurrent_layers_of_keras() -> None:
    """Their loop stays in float; the dense layer behind it is quantized."""
    inputs = tf.keras.Input((12, 5), batch_size=1)
    y = tf.keras.layers.GRU(8)(tf.keras.layers.LSTM(8, return_sequences=True)(inputs))
    float_model = models.convert_keras(inputs, tf.keras.layers.Dense(3)(y))
    samples = models.samples((1, 12, 5), count=12)
    result = quantize(float_model, samples)
    kinds = [operator.kind for operator in Graph.from_bytes(result.model).operators]
    assert "FULLY_CONNECTED" in kinds
    found = [[running.run(m, s)[0] for s in samples] for m in (float_model, result.model)]
    assert running.sqnr_db(*map(np.array, found)) > 25


@pytest.mark.parametrize(
    ("position", "message"),
    [(99, "runs subgraph 99 of 5.*corrupt"), (0, "a subgraph runs itself")],
)
def test_subgraphs_that_cannot_be_run_are_refused(position: int, message: str) -> None:
    model = schema.parse(controlled_net())
    [loop] = [o for o in Graph(model).operators if o.kind == "WHILE"]
    loop.options.bodySubgraphIndex = position
    with pytest.raises(ModelError, match=message):
        prepared(schema.serialize(model), "net")


def test_check_says_what_stays_in_float() -> None:
    said = " ".join(outlook(controlled_net(), "net").in_float)
    assert "WHILE" in said
    assert "IF" in said
    # A dense layer in the loop, a convolution in each branch.
    assert "run 3 layers with weights of their own as the float model does" in said


def test_nothing_outside_of_branches_is_nothing_to_quantize() -> None:
    def network(x: Any) -> Any:
        branches = [functools.partial(models.conv, x, 4, seed=seed) for seed in (1, 2)]
        return tf.cond(tf.reduce_mean(x) > 0.0, *branches)

    with pytest.raises(ModelError, match=r"nothing to quantize.*1 IF have no int8 form"):
        quantize(models.convert(network, models.IMAGE), models.samples(models.IMAGE))


@pytest.mark.parametrize("runtime", available_runtimes(), ids=lambda runtime: runtime.name)
def test_claims_are_those_on_the_main_graph(
    runtime: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """The library is asked about every subgraph, and counts operators from 0 each time."""
    model = quantize(controlled_net(), models.samples(models.IMAGE, count=4)).model
    found = validate(model, runtime, options={"claim": "."})
    assert found.first_wrong is None
    numbers = [claim.operator for claim in found.claims]
    assert numbers == sorted(set(numbers))
    assert sum(claim.kind == "CONV_2D" and claim.claimed for claim in found.claims) == 2
    assert "matches none" not in capfd.readouterr().err
