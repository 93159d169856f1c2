"""Models from the quantizer, on every runtime: every code as the reference kernels compute it.

delegate/runtime_tests has what concerns the library and a runtime alone: convolutions of all kinds,
threads, options, damaged models.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.delegate import inside, networks
from tflite_eq import Config, QuantizationResult, quantize
from tflite_eq.delegate.process import call_apart
from tflite_eq.delegate.validate import OUTPUT, validate
from tflite_eq.errors import BackendError, ModelError, TfliteEqError
from tflite_eq.graph import schema
from tflite_eq.runtimes import Runtime, available_runtimes

RUNTIMES = available_runtimes()
on_every_runtime = pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda r: r.name)


@on_every_runtime
@pytest.mark.parametrize("kind", list(networks.CONFIGS))
@pytest.mark.parametrize(
    "options",
    [{"num_threads": 2, "claim": "."}, {"kernel": "winograd_f43"}, {"kernel": "winograd_1d"}],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_quantized_networks(kind: str, runtime: Runtime, options: dict[str, Any]) -> None:
    if kind == "int8" and options.get("kernel") == "winograd_1d":
        pytest.skip("8-bit weights have no one-dimensional form")
    found = validate(networks.quantized(kind), runtime, samples=2, options=options)
    assert found.first_wrong is None
    assert sum(claim.kind == "CONV_2D" for claim in found.claims) == 7
    if options.get("claim"):
        # The network but for its ends, which are float, and the dense layer.
        assert sum(claim.claimed for claim in found.claims) == 10
    if "kernel" in options:
        claimed = [claim for claim in found.claims if claim.claimed]
        assert len(claimed) >= 4
        assert all(claim.reason.startswith(f"{options['kernel']} on ") for claim in claimed)
    assert [c.name for c in found.comparisons if c.kernel == OUTPUT] == ["Identity"]


@on_every_runtime
def test_golden_vectors(runtime: Runtime) -> None:
    assert call_apart("golden vectors", inside.run_golden_vectors, runtime) == []


@on_every_runtime
def test_operator_vectors(runtime: Runtime) -> None:
    assert call_apart("operator vectors", inside.run_operator_vectors, runtime) == []


@on_every_runtime
@pytest.mark.parametrize(
    ("name", "convolutions"),
    [("dense_net", 0), ("depthwise_net", 3), ("two_input_net", 1)],
)
def test_other_networks(runtime: Runtime, name: str, convolutions: int) -> None:
    config = Config(method="minmax")
    model = quantize(models.build(name), models.data(name), config).model
    found = validate(model, runtime, samples=2, options={"kernel": "direct"})
    assert found.first_wrong is None
    assert sum(c.claimed for c in found.claims if c.kind == "CONV_2D") == convolutions
    whole = validate(model, runtime, samples=2, options={"claim": "."})
    assert whole.first_wrong is None
    assert sum(claim.claimed for claim in whole.claims) >= convolutions


@functools.cache
def leaky_network() -> QuantizationResult:
    def network(x: Any) -> Any:
        tf = models.tf
        x = tf.nn.leaky_relu(models.conv(x, 64, seed=1), 0.1)
        x = tf.nn.leaky_relu(models.conv(x, 64, seed=2), 0.3)
        return models.conv(x, 64, seed=3, padding="VALID")

    config = Config(bits="7", target="x86-vnni")
    float_model = models.convert(network, networks.IMAGE)
    return quantize(float_model, models.samples(networks.IMAGE, count=3), config)


@on_every_runtime
@pytest.mark.parametrize("kernel", ["winograd_1d", "winograd_f43", "auto"])
def test_windows_whose_zero_point_lies_inside(runtime: Runtime, kernel: str) -> None:
    """Codes 0..127 behind a leaky ReLU; padding is the zero point, not code 0."""
    result = leaky_network()
    inside_window = [
        t
        for t in result.calibration.tensors
        if t.saturates and t.window == (0, 127) and t.bits == 7
    ]
    assert len(inside_window) == 2
    assert all(t.zero_point > 0 for t in inside_window)
    found = validate(result.model, runtime, samples=2, options={"kernel": kernel})
    assert found.first_wrong is None
    convolutions = [claim for claim in found.claims if claim.kind == "CONV_2D"]
    assert len(convolutions) == 3
    if kernel != "auto":
        assert all(claim.kernel == kernel for claim in convolutions[1:])


@on_every_runtime
def test_float_networks_are_to_be_quantized_first(runtime: Runtime) -> None:
    with pytest.raises(ModelError, match="tflite-eq quantize"):
        validate(networks.float_network(), runtime, samples=1, options={"kernel": "direct"})


def corrupted(how: str) -> bytes:
    model = networks.quantized("int8")
    if how == "cut off":
        return model[: len(model) // 2]
    if how == "scrambled":
        rng = np.random.default_rng(0)
        data = bytearray(model)
        for place in rng.integers(8, 2000, 60):
            data[place] = int(rng.integers(256))
        return bytes(data)
    parsed = schema.parse(model)
    operator = next(o for o in parsed.subgraphs[0].operators if len(o.inputs) == 3)
    if how == "no scales":
        for index in operator.inputs:
            parsed.subgraphs[0].tensors[index].quantization = None
    elif how == "filter cut":
        filters = parsed.subgraphs[0].tensors[operator.inputs[1]]
        parsed.buffers[filters.buffer].data = parsed.buffers[filters.buffer].data[:100]
    return schema.serialize(parsed)


@on_every_runtime
@pytest.mark.parametrize("how", ["cut off", "scrambled", "no scales", "filter cut"])
def test_corrupted_models_are_refused(how: str, runtime: Runtime) -> None:
    with pytest.raises(TfliteEqError, match=r"\w"):
        validate(corrupted(how), runtime, samples=1)


@on_every_runtime
@pytest.mark.parametrize("how", ["no scales", "filter cut"])  # 2.14 itself crashes on others
def test_corrupted_models_do_not_crash_the_delegate(how: str, runtime: Runtime) -> None:
    found = call_apart("corrupted", inside.make_interpreter, runtime, corrupted(how))
    assert found in ("refused", "accepted")


def test_a_crash_is_an_error(library: Path) -> None:
    with pytest.raises(BackendError, match="crashing on purpose crashed"):
        call_apart("crashing on purpose", inside.crash)
