"""Every operator between convolutions, through the whole pipeline and its own checks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests import running
from tests.operators.builder import alone, between_convolutions
from tests.operators.catalogue import LAYERS
from tests.operators.simulated import PLAIN
from tests.operators.test_every_operator import computes_rightly, ends_process
from tflite_eq import quantize
from tflite_eq.config import Forms
from tflite_eq.graph.model import Graph
from tflite_eq.graph.operators import INT8_KERNELS, Scales
from tflite_eq.preparation import prepared
from tflite_eq.runtimes import Kernels, available_runtimes
from tflite_eq.writing.fast_forms import has_fast_form

# Discontinuous: where codes decide otherwise than real values did, results are others altogether.
DECIDES = {kind for kind, kernel in INT8_KERNELS.items() if kernel.scales is Scales.NONE}

FORMS = range(2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_quantized_network_is_close_to_the_float_one(kind: str, form: int) -> None:
    network = between_convolutions(LAYERS[kind], form)
    small = alone(LAYERS[kind], form)
    for runtime in available_runtimes():
        graph = Graph.from_bytes(network.model)
        if ends_process(graph, runtime) or not computes_rightly(small, Kernels.DEFAULT, runtime):
            pytest.skip(f"{runtime.description} does not compute the float network")
    front = prepared(network.model, "m").front
    is_rewritten = any(has_fast_form(front, operator) for operator in front.operators)
    for forms in (Forms.PLAIN, Forms.FAST) if is_rewritten else (Forms.PLAIN,):
        config = dataclasses.replace(PLAIN, forms=forms)
        result = quantize(network.model, [network.sample(seed) for seed in range(4)], config)
        kinds = {operator.kind for operator in Graph.from_bytes(result.model).operators}
        # What changes nothing in this form is taken out first.
        is_there = kind in kinds or kind not in {o.kind for o in front.operators}
        assert is_there or forms is Forms.FAST
        sample = network.sample(2)
        exact, found = (
            running.run(m, sample, Kernels.BUILTIN) for m in (network.model, result.model)
        )
        for one, other in zip(exact, found):
            assert one.shape == other.shape
            if not kinds & DECIDES and np.ptp(one):
                assert running.sqnr_db(one, other) > 20
