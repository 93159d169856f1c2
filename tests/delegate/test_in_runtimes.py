"""Models from the quantizer, on every runtime: every code as the reference kernels compute it.

delegate/runtime_tests has what concerns the library and a runtime alone: convolutions of all kinds,
threads, options, damaged models.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests import models
from tests.delegate import every_operator, inside, networks
from tflite_eq import Config, QuantizationResult, quantize
from tflite_eq.cli.main import main, parse
from tflite_eq.delegate.process import call_apart
from tflite_eq.delegate.reference_form import NoReferenceError, reference_form
from tflite_eq.delegate.validate import FUSED, OUTPUT, validate
from tflite_eq.errors import BackendError, ModelError, TfliteEqError
from tflite_eq.graph import schema
from tflite_eq.runtimes import Kernels, Runtime, available_runtimes, preferred_runtime

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
def dense_on_rows() -> bytes:
    """Two dense layers with results of three dimensions, as in attention, and a sum."""

    def network(x: Any) -> Any:
        y = models.tf.nn.relu(models.dense(x, 12, seed=1))
        return models.dense(y, 16, seed=2) + x

    return quantize(
        models.convert(network, (1, 24, 16)), models.samples((1, 24, 16), count=4)
    ).model


@on_every_runtime
def test_dense_layers_on_rows(runtime: Runtime, capfd: pytest.CaptureFixture[str]) -> None:
    """2.14's reference kernel leaves most of their results as memory was."""
    model = dense_on_rows()
    found = validate(model, runtime, samples=3, options={"claim": "."}, keep_run=True)
    assert found.first_wrong is None
    # None of what stands in for a layer is told as the model's.
    assert [claim.kind for claim in found.claims if claim.claimed] == ["ADD"]
    assert ("leaves values" in capfd.readouterr().err) == ("2.14" in runtime.version)
    assert found.golden is not None
    again = validate(model, runtime, options={"claim": "."}, golden=found.golden)
    assert again.first_wrong is None


@on_every_runtime
def test_version_that_reference_kernels_do_not_list(runtime: Runtime) -> None:
    """DEPTH_TO_SPACE of codes is version 2, and their registry has version 1 of the same kernel."""

    def network(x: Any) -> Any:
        return models.tf.nn.depth_to_space(models.conv(x, 16, seed=1), 2)

    samples = models.samples(networks.IMAGE, count=4)
    model = quantize(models.convert(network, networks.IMAGE), samples).model
    found = validate(model, runtime, samples=2, options={"claim": "."})
    assert found.first_wrong is None
    assert "CONV_2D" in {claim.kind for claim in found.claims if claim.claimed}


def test_version_that_no_kernel_has_is_not_lowered_one_by_one() -> None:
    model = schema.parse(dense_on_rows())
    model.operatorCodes[0].version = 65535
    damaged = schema.serialize(model)
    runtime = preferred_runtime()
    made: list[Kernels] = []

    @dataclasses.dataclass(frozen=True)
    class Counted:
        def interpreter(self, content: bytes, kernels: Kernels) -> Any:
            made.append(kernels)
            return runtime.interpreter(content, kernels)

    assert reference_form(damaged, cast(Runtime, Counted()), "m") == damaged
    assert len(made) < 8  # others ask whether results are left unset


@functools.cache
def product_of_five_dimensions() -> bytes:
    """Groups of channels and a factor for each channel, as group normalisation has them."""

    def network(x: Any) -> Any:
        tf = models.tf
        y = models.conv(x, 8, seed=1)
        factors = tf.sigmoid(models.dense(tf.reduce_mean(y, [1, 2]), 8, seed=2))
        groups = tf.reshape(y, (1, 16, 16, 2, 4)) * tf.reshape(factors, (1, 1, 1, 2, 4))
        return models.conv(tf.reshape(groups, (1, 16, 16, 8)), 4, seed=3)

    samples = models.samples(networks.IMAGE, count=4)
    return quantize(models.convert(network, networks.IMAGE), samples).model


@on_every_runtime
def test_reference_kernels_that_crash_are_told_from_the_delegate(runtime: Runtime) -> None:
    model = product_of_five_dimensions()
    if "2.14" not in runtime.version:
        assert validate(model, runtime, options={"claim": "."}).first_wrong is None
        return
    with pytest.raises(NoReferenceError, match="crash on this model without the delegate"):
        validate(model, runtime, options={"claim": "."})


@on_every_runtime
def test_operators_without_a_reference_kernel(runtime: Runtime) -> None:
    """RFFT2D, as of networks that hear, is not among those of TensorFlow 2.19."""

    def network(x: Any) -> Any:
        tf = models.tf
        spectrum = tf.abs(tf.signal.rfft2d(tf.reshape(x, (1, 8, 16, 8)), fft_length=[16, 8]))
        return models.conv(tf.reshape(spectrum, (1, 16, 8, 5)), 4, seed=1)

    samples = models.samples((1, 16, 64), count=4)
    model = quantize(models.convert(network, (1, 16, 64)), samples).model
    if runtime.name == "ai-edge-litert":
        assert validate(model, runtime, options={"claim": "."}).first_wrong is None
        return
    with pytest.raises(NoReferenceError, match="has no reference kernel of RFFT2D"):
        validate(model, runtime, options={"claim": "."})


@pytest.mark.skipif(len(RUNTIMES) < 2, reason="needs a runtime beside one of TFLite 2.14")
def test_others_are_validated_beside_a_runtime_without_reference(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(product_of_five_dimensions())
    assert main(parse(["tflite-eq", "validate", "--model", str(path), "--claim", "."])) == 0
    found = capfd.readouterr()
    assert found.out.count("Bit for bit") == sum("2.14" not in r.version for r in RUNTIMES)
    assert found.err.count("note: left out: ") == sum("2.14" in r.version for r in RUNTIMES)


def test_every_output_of_an_operator_is_compared() -> None:
    case = next(case for case in every_operator.cases() if case.kind == "UNPACK")
    found = validate(case.model(), preferred_runtime(), samples=1, options={"claim": "."})
    assert found.first_wrong is None
    kinds = [comparison.kind for comparison in found.comparisons]
    assert kinds == ["UNPACK"] * 8 + ["ADD", ""]
    assert len({comparison.name for comparison in found.comparisons[:8]}) == 8


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


@functools.cache
def sloped_network(forms: str) -> bytes:
    """Two convolutions with a PRELU behind each, of slopes of both signs."""

    def network(x: Any) -> Any:
        tf = models.tf
        for channels, seed in ((16, 1), (24, 2)):
            x = models.conv(x, channels, seed=seed)
            slopes = tf.constant(np.linspace(-0.3, 1.2, channels), tf.float32)
            x = tf.nn.relu(x) + (-slopes) * tf.nn.relu(-x)
        return x

    float_model = models.convert(network, networks.IMAGE)
    samples = models.samples(networks.IMAGE, count=3)
    return quantize(float_model, samples, Config(method="minmax", forms=forms)).model


@on_every_runtime
@pytest.mark.parametrize("fuse", [True, False])
def test_a_prelu_in_its_fast_form_is_run_as_one(runtime: Runtime, fuse: bool) -> None:
    options: dict[str, Any] = {"claim": ".", "fuse": fuse}
    found = validate(sloped_network("fast"), runtime, samples=2, options=options)
    assert found.first_wrong is None
    fused = [c.kind for c in found.comparisons if c.kernel == FUSED]
    assert fused == (["ADD", "ADD"] if fuse else [])
    ends = {claim.fused_into for claim in found.claims} - {None}
    assert len(ends) == len(fused)


@on_every_runtime
def test_a_prelu_by_itself_is_not_fused(runtime: Runtime) -> None:
    found = validate(sloped_network("plain"), runtime, samples=2, options={"claim": "."})
    assert found.first_wrong is None
    assert [c.kind for c in found.claims if c.claimed].count("PRELU") == 2
    assert FUSED not in [c.kernel for c in found.comparisons]


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
