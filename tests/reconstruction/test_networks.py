"""Reconstruction inside the calibration pass, judged on the written files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import models, running
from tflite_eq import Config, quantize
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.lattice import is_on_lattice
from tflite_eq.runtimes import Kernels
from tflite_eq.simulation import layer_moments

pytest.importorskip("sklearn", reason="the demo's data come with scikit-learn")

from demo import digits as demo_digits
from demo import network as demo_network


@pytest.fixture(scope="module")
def trained() -> tuple[bytes, Any, Any]:
    """The demonstration's network, 200 of its training images, and images it has not seen."""
    data = demo_digits.load()
    model = demo_network.convert_float(demo_network.train(data, epochs=6))
    chosen = np.random.default_rng(0).permutation(len(data.train_images))[:200]
    calibration = data.train_images[chosen].astype(np.float32) / 255
    validation = data.validation_images.astype(np.float32) / 255
    return model, [[x[np.newaxis]] for x in calibration], [[x[np.newaxis]] for x in validation]


def sqnr(model: bytes, quantized: bytes, samples: Any) -> float:
    pairs = [
        (running.run(model, x)[0], running.run(quantized, x, Kernels.BUILTIN)[0]) for x in samples
    ]
    return running.sqnr_db(*(np.stack(side) for side in zip(*pairs)))


@pytest.mark.parametrize("reconstruction", ["rounding", "refit"])
def test_a_trained_network_gains_on_images_it_has_not_seen(
    trained: Any, reconstruction: str
) -> None:
    """One scale per layer, at 8 and 7 bits: 0.3 and 0.6 dB for rounding, 0.4 and 0.7 for refit.

    Measured on AMD's Zen 4; the network is trained here and comes out otherwise on another CPU. One
    scale for all channels, because then the weights bring a part of the noise that shows. With one
    per channel that part is as good as gone before anything is reconstructed: 37.26 dB with nearest
    codes at 8 bits, where one scale per layer gives 36.79, and 37.20 once refitted. What is left
    hardly depends on the weights, and which way it goes is chance, though every layer gains: -0.00
    and 0.03 dB for refit and rounding on this network, 0.43 and -0.01 on one from another seed.
    """
    model, calibration, validation = trained
    gain = 0.0
    for bits in ("8", "7"):
        for sign, kind in ((-1, "none"), (1, reconstruction)):
            result = quantize(
                model, calibration, Config(bits=bits, reconstruction=kind, per_tensor=True)
            )
            gain += sign * sqnr(model, result.model, validation)
            ridges = [layer.ridge for layer in result.report.layers]
            assert any(r is not None for r in ridges) == (kind == "refit")
    assert gain > 0.3


@pytest.mark.parametrize("name", sorted(models.SHAPES))
@pytest.mark.parametrize("reconstruction", ["rounding", "refit"])
def test_every_structure_is_survived(name: str, reconstruction: str) -> None:
    config = Config(bits="auto", target="x86-vnni", reconstruction=reconstruction)
    result = running.quantized(name, config)
    for layer in result.calibration.layers:
        reconstructed = layer.metrics.get("reconstruction")
        assert (reconstructed is None) == (layer.kind == "TRANSPOSE_CONV")
        if reconstructed is not None and reconstruction == "rounding":
            assert reconstructed["noise_after"] <= reconstructed["noise_before"] * (1 + 1e-6)


def test_written_weights_are_the_reconstructed_ones_and_on_the_lattice() -> None:
    config = Config(bits="auto", target="x86-vnni", reconstruction="refit")
    result = running.quantized("wide_net", config)
    graph = Graph.from_bytes(result.model)
    grids = {layer.name: layer.grid for layer in result.calibration.layers}
    found = 0
    for operator in graph.operators:
        if grids.get(graph.tensors[operator.outputs[0]].name) == "even_triplets":
            assert is_on_lattice(graph.constant(operator.inputs[1])).all()
            found += 1
    assert found == 2


def test_one_sample_is_rounded_but_not_refitted() -> None:
    config = Config(reconstruction="refit")
    result = quantize(models.conv_net(), models.data("conv_net")[:1], config)
    assert all(layer.ridge is None for layer in result.report.layers)
    assert all(layer.reconstruction_db is not None for layer in result.report.layers)


def test_layers_with_too_large_a_gram_matrix_keep_nearest_codes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layers = linear_layers(Graph.from_bytes(models.conv_net()))
    limit = sorted(layer.filters[0].size ** 2 for layer in layers.values())[2]
    monkeypatch.setattr(layer_moments, "MAX_GRAM_ELEMENTS", limit)
    result = quantize(models.conv_net(), models.data("conv_net"), Config(reconstruction="rounding"))
    small = [layer.filters[0].size ** 2 <= limit for layer in layers.values()]
    assert [bool(layer.codes) for layer in result.calibration.layers] == small
    assert not all(small)
    skipped = [w for w in result.report.warnings if "not reconstructed" in w]
    assert len(skipped) == small.count(False)


def test_rows_are_sampled_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_moments, "_WORK", 2_000_000)
    counts = []
    gather = layer_moments.layer_moments

    def gathered(*arguments: Any) -> Any:
        folds = gather(*arguments)
        counts.append((sum(fold.count for fold in folds), folds[0].groups * folds[0].depth ** 2))
        return folds

    monkeypatch.setattr("tflite_eq.simulation.layer_runner.layer_moments", gathered)
    config = Config(reconstruction="rounding")
    first = quantize(models.conv_net(), models.data("conv_net"), config)
    assert all(rows * area <= 2_000_000 for rows, area in counts)
    assert any(rows * area > 1_000_000 for rows, area in counts)
    assert first.model == quantize(models.conv_net(), models.data("conv_net"), config).model


@pytest.mark.parametrize("bias_correction", ["none", "iterative"])
@pytest.mark.parametrize("method", ["easyquant", "minmax"])
def test_reconstruction_goes_with_every_method(method: str, bias_correction: str) -> None:
    config = Config(
        method=method, bias_correction=bias_correction, bits="7", reconstruction="rounding"
    )
    model, data = models.conv_net(), models.data("conv_net")
    result = quantize(model, data, config)
    assert sqnr(model, result.model, data) > 30
    gains = [layer.reconstruction_db or 0.0 for layer in result.report.layers]
    assert min(gains) >= -1e-6
    assert sum(gains) > 0.1
