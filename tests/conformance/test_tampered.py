"""Models that are not what was calibrated are refused, and those that are pass."""

from __future__ import annotations

import functools
import types
from typing import Any, Callable

import numpy as np
import pytest

from tests import built_models, mediapipe, models, running
from tests.built_models import IMAGE, NetworkBuilder, samples
from tflite_eq import Calibration, Config, QuantizationResult, quantizer
from tflite_eq.conformance import computed
from tflite_eq.conformance.operators import checks
from tflite_eq.conformance.subject import Subject
from tflite_eq.errors import VerificationError
from tflite_eq.graph import properties, schema
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import available_runtimes
from tflite_eq.search.trace import PassTrace

Tamper = Callable[[Any, Graph], None]


def written(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    tamper: Tamper,
    config: Config | None = None,
    has_samples: bool = True,
) -> QuantizationResult:
    """Write and check a network, with something changed on its way into the file."""
    calibration = running.quantized(name, config).calibration
    samples = models.data(name) if has_samples else []
    return applied(monkeypatch, models.build(name), calibration, samples, tamper)


def applied(
    monkeypatch: pytest.MonkeyPatch,
    model: bytes,
    calibration: Calibration,
    samples: list[Any],
    tamper: Tamper,
) -> QuantizationResult:
    """Write and check what a record says, with something changed on its way into the file."""

    def serialize(model: Any) -> bytes:
        graph = Graph(model)
        if any(operator.kind == "QUANTIZE" for operator in graph.operators):
            tamper(model, graph)  # and not the float model, which is the oracle of what runs
        return schema.serialize(model)

    monkeypatch.setattr(
        quantizer, "schema", types.SimpleNamespace(serialize=serialize, parse=schema.parse)
    )
    return quantizer.apply_calibration(model, calibration, trace=PassTrace(kept=samples))


def layer(graph: Graph, kind: str, position: int = 0) -> Any:
    """An operator of the written model."""
    return [o for o in graph.operators if o.kind == kind][position]


def constant(model: Any, graph: Graph, tensor: int) -> np.ndarray:
    """Values of a constant, in a buffer of its own that can be written."""
    values = graph.constant(tensor).copy()
    buffer = schema.schema().BufferT()
    buffer.data = values.view(np.uint8).reshape(-1)
    model.buffers.append(buffer)
    model.subgraphs[0].tensors[tensor].buffer = len(model.buffers) - 1
    return values


def nothing(model: Any, graph: Graph) -> None:
    """Leaves everything as it is."""


def wrong_bias(kind: str, amount: float, channel: int = 2) -> Tamper:
    """Adds so many codes of the layer's output to the bias of one channel."""

    def tamper(model: Any, graph: Graph) -> None:
        operator = layer(graph, kind)
        bias = properties.linear_inputs(operator)[2]
        unit = float(running.parameters(graph, bias)[0].ravel()[channel])
        step = float(running.parameters(graph, operator.outputs[0])[0][0])
        constant(model, graph, bias)[channel] += round(amount * step / unit)

    return tamper


def swapped_channels(model: Any, graph: Graph) -> None:
    filters = constant(model, graph, properties.linear_inputs(layer(graph, "CONV_2D", 1))[1])
    filters[[0, 3]] = filters[[3, 0]]


def wrong_weight(model: Any, graph: Graph) -> None:
    constant(model, graph, properties.linear_inputs(layer(graph, "CONV_2D", 1))[1])[5, 0, 1, 2] ^= 1


def wrong_weight_scale(model: Any, graph: Graph) -> None:
    index = properties.linear_inputs(layer(graph, "CONV_2D"))[1]
    stored = model.subgraphs[0].tensors[index].quantization
    factors = np.where(np.arange(8) == 4, 1.5, 1.0).astype(np.float32)
    stored.scale = np.asarray(stored.scale, np.float32) * factors


def wrong_scale(model: Any, graph: Graph) -> None:
    stored = model.subgraphs[0].tensors[layer(graph, "CONV_2D").outputs[0]].quantization
    stored.scale = np.asarray(stored.scale) * np.float32(1.01)


def wrong_zero_point(model: Any, graph: Graph) -> None:
    stored = model.subgraphs[0].tensors[layer(graph, "FULLY_CONNECTED").outputs[0]].quantization
    stored.zeroPoint = np.asarray(stored.zeroPoint) + 1


def wrong_activation(model: Any, graph: Graph) -> None:
    """A ReLU on signed outputs."""
    operator = model.subgraphs[0].operators[layer(graph, "FULLY_CONNECTED").index]
    operator.builtinOptions.fusedActivationFunction = schema.schema().ActivationFunctionType.RELU


def wrong_stride(model: Any, graph: Graph) -> None:
    options = model.subgraphs[0].operators[layer(graph, "MAX_POOL_2D").index].builtinOptions
    options.filterWidth = options.filterHeight = 1


def swapped_operands(model: Any, graph: Graph) -> None:
    stored = model.subgraphs[0].operators[layer(graph, "CONCATENATION").index]
    stored.inputs = [stored.inputs[1], stored.inputs[0], *stored.inputs[2:]]


@pytest.mark.parametrize("has_samples", [True, False])
@pytest.mark.parametrize("kind", ["float32", "int8", "uint8"])
@pytest.mark.parametrize("name", models.SHAPES)
def test_what_was_calibrated_passes(
    name: str, kind: str, has_samples: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(input_type=kind, output_type=kind)
    written(monkeypatch, name, nothing, config, has_samples)


STORED: dict[str, tuple[str, Tamper, str]] = {
    "bias": ("conv_net", wrong_bias("CONV_2D", 0.02), r"layer '.*' \(CONV_2D\) has the bias .* 2"),
    "dense bias": ("dense_net", wrong_bias("FULLY_CONNECTED", 0.02), "has the bias .* channel 2"),
    "channels": ("conv_net", swapped_channels, r"has the weight .* in channel 0"),
    "weight": ("conv_net", wrong_weight, r"has the weight .* in channel 5"),
    "weight scale": ("conv_net", wrong_weight_scale, "has the weight scale .* in channel 4"),
    "scale": ("conv_net", wrong_scale, r"tensor '.*' has scale .* the record says"),
    "zero point": ("conv_net", wrong_zero_point, r"tensor '.*' has scale .* the record says"),
}


@pytest.mark.parametrize("what", STORED)
def test_constants_that_are_not_the_records(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, tamper, message = STORED[what]
    with pytest.raises(VerificationError, match=message) as refused:
        written(monkeypatch, name, tamper)
    assert "is not what was calibrated" in str(refused.value)
    assert "Report it with the float model" in str(refused.value)


COMPUTED: dict[str, tuple[str, Tamper, str]] = {
    "bias": ("conv_net", wrong_bias("CONV_2D", 0.5), r"CONV_2D, output .*, channel 2"),
    "small bias": ("conv_net", wrong_bias("CONV_2D", 0.1), r"CONV_2D, output .*, channel 2"),
    "depthwise bias": ("depthwise_net", wrong_bias("DEPTHWISE_CONV_2D", 0.3), "channel 2 gives"),
    "transposed bias": ("transpose_conv_net", wrong_bias("TRANSPOSE_CONV", 0.1), "channel 2 gives"),
    "dense bias": ("dense_net", wrong_bias("FULLY_CONNECTED", 2.0), "channel 2 gives"),
    "bias before leaky ReLU": (
        "leaky_net",
        wrong_bias("CONV_2D", 0.1),
        r"CONV_2D, output .*, channel 2",
    ),
    "channels": ("conv_net", swapped_channels, r"CONV_2D, output .*, channel [03] gives"),
    "weight scale": ("conv_net", wrong_weight_scale, r"CONV_2D, output .*, channel 4 gives"),
    "scale": ("conv_net", wrong_scale, r"CONV_2D, output .* gives"),
    "zero point": ("conv_net", wrong_zero_point, r"FULLY_CONNECTED, output .* gives"),
    "activation": ("conv_net", wrong_activation, r"FULLY_CONNECTED, output .* gives"),
    "window": ("concat_pool_net", wrong_stride, r"MAX_POOL_2D, output .* gives"),
    "operands": ("concat_pool_net", swapped_operands, r"CONCATENATION, output .* gives"),
}


@pytest.mark.parametrize("what", COMPUTED)
def test_results_that_are_not_the_records(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file computes gives it away, even where nobody looks at what it holds."""
    monkeypatch.setattr(quantizer, "check_stored", lambda subject: None)
    name, tamper, message = COMPUTED[what]
    with pytest.raises(VerificationError, match=message) as refused:
        written(monkeypatch, name, tamper)
    assert "is not what was calibrated" in str(refused.value)


def test_networks_that_xnnpack_alone_runs_are_looked_at_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, samples = mediapipe.unpooling_net(), built_models.samples()
    calibration = quantizer.calibrate(model, samples)
    applied(monkeypatch, model, calibration, samples, nothing)
    monkeypatch.setattr(quantizer, "check_stored", lambda subject: None)
    with pytest.raises(VerificationError, match=r"CONV_2D, output .*, channel 2 .* default kernel"):
        applied(monkeypatch, model, calibration, samples, wrong_bias("CONV_2D", 0.5))


def test_kernels_that_compute_wrongly_are_told_from_a_wrong_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = computed.Instrumented

    class Broken(plain):  # type: ignore[valid-type, misc]
        """XNNPACK of one runtime adds two to every tenth code."""

        def __init__(self, graph: Any, tensors: Any, runtime: Any, kernels: Any) -> None:
            super().__init__(graph, tensors, runtime, kernels)
            self._is_broken = (runtime.name, kernels.value) == ("tensorflow", "default")

        def run_codes(self, inputs: Any) -> Any:
            found = super().run_codes(inputs)
            for _, values, _ in found if self._is_broken else []:
                if values.dtype == np.int8:
                    values.reshape(-1)[::10] += 2
            return found

    monkeypatch.setattr(computed, "Instrumented", Broken)
    with pytest.raises(VerificationError, match="other kernels compute it rightly") as refused:
        written(monkeypatch, "conv_net", nothing)
    assert "tensorflow 2." in str(refused.value)
    assert "Install another version of tensorflow" in str(refused.value)


def test_every_operator_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    left: set[str] = set()

    def note(subject: Subject) -> dict[int, Any]:
        found = checks(subject)
        left.update(o.kind for o in subject.written.operators if o.index not in found)
        return found

    monkeypatch.setattr(computed, "checks", note)
    for name in models.SHAPES:
        written(monkeypatch, name, nothing)
    assert left == set()


def test_large_models_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []
    plain = computed.Instrumented

    def counted(graph: Graph, tensors: dict[int, int], *rest: Any) -> Any:
        shown.append(len(tensors))
        return plain(graph, tensors, *rest)

    monkeypatch.setattr(computed, "Instrumented", counted)
    monkeypatch.setattr(computed, "_SHOWN_BYTES", 4000)
    monkeypatch.setattr(quantizer, "check_stored", lambda subject: None)
    written(monkeypatch, "conv_net", nothing)
    assert len(shown) > 2 * len(available_runtimes())
    for what in ("bias", "zero point"):
        name, tamper, message = COMPUTED[what]
        with pytest.raises(VerificationError, match=message):
            written(monkeypatch, name, tamper)


@functools.cache
def sloped() -> tuple[bytes, Calibration]:
    """A network with slopes, of which some are negative, and its record."""
    net = NetworkBuilder(*IMAGE)
    x = net.conv(net.input, 8)
    slopes = net.constant(np.linspace(-0.5, 0.9, 8).astype(np.float32))
    x = net.operator("PRELU", [x, slopes], (*IMAGE[:3], 8))
    model = net.finished(net.dense(net.spatial("MEAN", net.conv(x, 4)), 3))
    return model, quantizer.calibrate(model, samples())


def wrong_slope(model: Any, graph: Graph) -> None:
    constant(model, graph, layer(graph, "DEPTHWISE_CONV_2D").inputs[1])[..., 6] //= 2


def wrong_part(model: Any, graph: Graph) -> None:
    """Gives what is above 0 another zero point, in a tensor that no record knows."""
    stored = model.subgraphs[0].tensors[layer(graph, "ADD").outputs[0]].quantization
    stored.zeroPoint = np.asarray(stored.zeroPoint) + 3


@pytest.mark.parametrize("shown_bytes", [None, 2000])
@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (nothing, None),
        (wrong_slope, r"ADD, output .*, channel 6 gives"),
        (wrong_part, r"ADD, output .* gives"),
    ],
)
def test_operators_that_stand_for_one_compute_what_it_does(
    tamper: Tamper,
    message: str | None,
    shown_bytes: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where they lie in different parts of what is looked at."""

    def serialize(made: Any) -> bytes:
        if any(o.kind == "ADD" for o in Graph(made).operators):  # the float network has none
            tamper(made, Graph(made))
        return schema.serialize(made)

    if shown_bytes is not None:
        monkeypatch.setattr(computed, "_SHOWN_BYTES", shown_bytes)
    model, record = sloped()
    monkeypatch.setattr(
        quantizer, "schema", types.SimpleNamespace(serialize=serialize, parse=schema.parse)
    )
    trace = PassTrace(kept=samples())
    if message is None:
        quantizer.apply_calibration(model, record, trace=trace)
        return
    with pytest.raises(VerificationError, match=message):
        quantizer.apply_calibration(model, record, trace=trace)
