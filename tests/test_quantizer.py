"""The pipeline end to end: what a user is promised about the written model."""

from __future__ import annotations

import hashlib
import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tflite_eq import Calibration, Config, calibrate, metadata, quantize
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.graph import edit, properties, schema
from tflite_eq.graph.model import Graph
from tflite_eq.normalization.passes import normalized
from tflite_eq.numerics.lattice import is_on_lattice
from tflite_eq.runtimes import Kernels, available_runtimes

INT7 = Config(bits="7")
LATTICE = Config(bits="auto", target="x86-vnni")
NETWORKS = sorted(models.SHAPES)


# On every runtime.


def test_all_runtimes_are_there_to_be_tested() -> None:
    names = {runtime.name for runtime in available_runtimes()}
    assert {"tensorflow", "ai-edge-litert"} <= names


@pytest.mark.parametrize("name", NETWORKS)
def test_reference_kernels_agree_on_all_runtimes(name: str) -> None:
    """Bit for bit, but for dense layers: LiteRT 2.3 rounds these differently, by one code."""
    model = running.quantized(name).model
    graph = Graph.from_bytes(model)
    computed = edit.computed_tensors(graph)
    everything = edit.with_all_tensors_as_outputs(graph)
    for sample in models.data(name)[:2]:
        results = [
            dict(zip(computed, running.run(everything, sample, Kernels.REFERENCE, runtime)))
            for runtime in available_runtimes()
        ]
        behind_dense: set[int] = set()
        for operator in graph.operators:
            if operator.kind == "FULLY_CONNECTED" or behind_dense.intersection(operator.inputs):
                behind_dense.update(operator.outputs)
            for index in operator.outputs:
                for other in results[1:]:
                    difference = np.abs(results[0][index].astype(float) - other[index])
                    if graph.tensors[index].is_float:
                        difference /= running.parameters(graph, operator.inputs[0])[0][0]
                    assert difference.max() <= (2.1 if index in behind_dense else 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_fast_kernels_agree_with_reference_kernels_within_a_few_codes(name: str) -> None:
    result = running.quantized(name)
    sample = models.data(name)[0]
    outputs = normalized(Graph.from_bytes(models.build(name))).graph.outputs
    steps = {t.index: t.scale for t in result.calibration.tensors}
    expected = running.run(result.model, sample, Kernels.REFERENCE)
    for runtime in available_runtimes():
        for kernels in (Kernels.DEFAULT, Kernels.BUILTIN):
            found = running.run(result.model, sample, kernels, runtime)
            for index, a, b in zip(outputs, expected, found):
                assert np.abs(a - b).max() <= 8.1 * steps[index]


def test_report_names_the_runtimes_that_ran_the_model() -> None:
    ran = running.quantized("conv_net").report.summary["runtimes"]
    assert ran == [f"{r.name} {r.version}" for r in available_runtimes()]


# Deterministic.


def test_same_input_gives_the_same_bytes() -> None:
    for name in ("conv_net", "two_input_net"):
        results = [quantize(models.build(name), models.data(name), INT7) for _ in range(2)]
        assert results[0].model == results[1].model
        assert results[0].calibration.to_text() == results[1].calibration.to_text()


def test_another_process_gives_the_same_bytes(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(models.conv_net())
    np.save(tmp_path / "data.npy", np.concatenate([x[0] for x in models.data("conv_net")]))
    script = (
        "import hashlib, sys, numpy, tflite_eq\n"
        "model = open(sys.argv[1], 'rb').read()\n"
        "result = tflite_eq.quantize(model, [numpy.load(sys.argv[2])])\n"
        "print('sha', hashlib.sha256(result.model).hexdigest())\n"
    )
    digests = {hashlib.sha256(running.quantized("conv_net").model).hexdigest()}
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, path, tmp_path / "data.npy"],
            capture_output=True,
            text=True,
            check=True,
            cwd=pathlib.Path(__file__).parent.parent,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
        digests.update(line[4:] for line in done.stdout.splitlines() if line.startswith("sha "))
    assert len(digests) == 1


# Fully int8, in the usual place.


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("config", [Config(), INT7], ids=["int8", "int7"])
def test_nothing_computes_in_float(name: str, config: Config) -> None:
    result = running.quantized(name, config)
    assert result.report.warnings == []
    graph = Graph.from_bytes(result.model)
    for operator in graph.operators:
        if operator.kind not in ("QUANTIZE", "DEQUANTIZE"):
            for index in (*operator.inputs, *operator.outputs):
                assert index < 0 or not graph.tensors[index].is_float


@pytest.mark.parametrize("name", NETWORKS)
def test_activations_have_the_recorded_parameters(name: str) -> None:
    result = running.quantized(name)
    graph = Graph.from_bytes(result.model)
    planned = {t.name: t for t in result.calibration.tensors}
    seen = set()
    for index in edit.computed_tensors(graph):
        tensor = graph.tensors[index]
        if tensor.type_name == "INT8" and tensor.name in planned:
            scales, zero_points = running.parameters(graph, index)
            assert scales.tolist() == [planned[tensor.name].scale]
            assert zero_points.tolist() == [planned[tensor.name].zero_point]
            seen.add(tensor.name)
    ends = Graph.from_bytes(models.build(name))
    unseen = set(planned) - seen - {ends.tensors[i].name for i in (*ends.inputs, *ends.outputs)}
    assert not unseen


def test_metadata_tells_how_the_model_was_made() -> None:
    for config in (Config(), INT7, LATTICE, Config(seed=3, input_type="int8")):
        result = running.quantized("conv_net", config)
        record = metadata.read(schema.parse(result.model))
        assert record is not None
        assert Config.from_dict(record.config) == config
        assert record.samples == 6
        assert record.data_sha256 == result.calibration.data_sha256
        text = result.calibration.to_text()
        assert record.calibration_sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert record.backend == "tflite_eq"
        seven = {t.name: t.window for t in result.calibration.tensors if t.bits == 7}
        assert {n: w for n, w in record.windows.items() if n in seven} == seven
        graph = Graph.from_bytes(result.model)
        layers = [o for o in graph.operators if properties.linear_kind(o) is not None]
        by_index = {t.index: t for t in result.calibration.tensors}
        for layer, operator in zip(result.calibration.layers, layers):
            window = record.windows.get(graph.tensors[operator.inputs[0]].name)
            tensor = by_index[layer.input]
            assert window == (tensor.window if tensor.bits == 7 else None)


def test_foreign_metadata_is_kept() -> None:
    model = schema.parse(models.conv_net())
    names = {entry.name for entry in model.metadata}
    result = Graph.from_bytes(running.quantized("conv_net").model)
    assert names <= {entry.name for entry in result.model.metadata}


# INT7.


def codes_by_name(result: Any, name: str) -> dict[str, list[Any]]:
    """Codes of every int8 activation on reference kernels, for data beyond the calibrated range."""
    graph = Graph.from_bytes(result.model)
    found: dict[str, list[Any]] = {}
    for sample in models.data(name, count=3, seed=99):
        wild = [x * np.float32(3) for x in sample]
        for index, values in running.codes_of_all_tensors(result.model, wild).items():
            if graph.tensors[index].type_name == "INT8":
                found.setdefault(graph.tensors[index].name, []).append(values)
    return found


@pytest.mark.parametrize("name", ["conv_net", "depthwise_net", "residual_net", "concat_pool_net"])
def test_seven_bit_relu_tensors_never_leave_their_window(name: str) -> None:
    """On stock kernels, and on data far beyond the calibrated range."""
    result = running.quantized(name, INT7)
    codes = codes_by_name(result, name)
    enforced = [t for t in result.calibration.tensors if t.bits == 7 and t.saturates]
    assert len(enforced) >= 2
    for tensor in enforced:
        assert tensor.window == (0, 127)
        assert tensor.zero_point == 0
        if tensor.name in codes:
            assert min(c.min() for c in codes[tensor.name]) >= 0


@pytest.mark.parametrize("name", ["conv_net", "leaky_net", "two_input_net"])
def test_signed_tensors_keep_to_their_window_on_calibration_data(name: str) -> None:
    result = running.quantized(name, INT7)
    for tensor in result.calibration.tensors:
        if tensor.bits == 7 and not tensor.saturates:
            assert tensor.window in ((-64, 63), (0, 127))
            assert tensor.outside < 0.05


def test_what_no_layer_reads_keeps_eight_bits() -> None:
    for name in NETWORKS:
        result = running.quantized(name, INT7)
        graph = Graph.from_bytes(models.build(name))
        inputs = {layer.input for layer in result.calibration.layers}
        for tensor in result.calibration.tensors:
            if tensor.index in graph.outputs:
                assert tensor.bits == 8
            if tensor.index in inputs:
                fixed = tensor.start == "fixed"
                assert tensor.bits == (8 if fixed else 7)


def weight_codes(result: Any) -> dict[str, Any]:
    """Filter codes, output channels first as stored, by layer name."""
    graph = Graph.from_bytes(result.model)
    operators = [o for o in graph.operators if properties.linear_kind(o) is not None]
    layers = result.calibration.layers
    return {
        layer.name: graph.constant(properties.linear_inputs(operator)[1])
        for layer, operator in zip(layers, operators)
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_seven_bit_weights_stay_within_63(name: str) -> None:
    result = running.quantized(name, INT7)
    codes = weight_codes(result)
    grids = {layer.name: layer.grid for layer in result.calibration.layers}
    assert "int7" in grids.values()
    for layer, grid in grids.items():
        assert np.abs(codes[layer].astype(int)).max() <= (63 if grid == "int7" else 127)


@pytest.mark.parametrize("name", ["conv_net", "residual_net", "concat_pool_net", "wide_net"])
def test_dot_product_targets_get_lattice_weights_where_winograd_gains(name: str) -> None:
    result = running.quantized(name, LATTICE)
    record = metadata.read(schema.parse(result.model))
    assert record is not None
    graph = Graph.from_bytes(models.build(name))
    codes = weight_codes(result)
    tensors = {t.index: t for t in result.calibration.tensors}
    expected = []
    for layer in result.calibration.layers:
        operator = graph.operators[layer.index]
        filters, height, width, channels = (*graph.tensors[operator.inputs[1]].shape, 0, 0)[:4]
        gains = (
            operator.kind == "CONV_2D"
            and (height, width) == (3, 3)
            and operator.options.strideW == 1
            and min(filters, channels) >= 32
        )
        assert (layer.grid == "even_triplets") == gains
        if gains:
            expected.append(layer.name)
            assert tensors[layer.input].bits == 7
            assert is_on_lattice(codes[layer.name]).all()
            assert np.abs(codes[layer.name].astype(int)).max() > 63
    assert len(expected) == (2 if name == "wide_net" else 0)
    assert record.lattice == expected


def test_auto_without_a_gaining_target_is_plain_int8() -> None:
    auto = running.quantized("conv_net", Config(bits="auto"))
    plain = running.quantized("conv_net")
    assert auto.calibration.tensors == plain.calibration.tensors
    assert auto.calibration.layers == plain.calibration.layers


def test_symmetric_mode_is_the_papers() -> None:
    for bits, limit in (("8", 127), ("7", 63)):
        result = running.quantized("leaky_net", Config(bits=bits, activation_mode="symmetric"))
        read = {layer.input for layer in result.calibration.layers}
        for tensor in result.calibration.tensors:
            assert tensor.zero_point == 0
            if tensor.index in read:
                assert tensor.window in ((-limit, limit), (0, limit))


# Parts kept in float.


def test_skip_keeps_exactly_the_named_layers_in_float() -> None:
    graph = Graph.from_bytes(models.conv_net())
    name = graph.tensors[graph.operators[2].outputs[0]].name
    config = Config(skip=f"^{name.replace('/', '.')}$")
    result = running.quantized("conv_net", config)
    written = Graph.from_bytes(result.model)
    kinds = [o.kind for o in written.operators if o.kind not in ("QUANTIZE", "DEQUANTIZE")]
    assert kinds == [o.kind for o in graph.operators]
    in_float = [
        written.tensors[o.outputs[0]].name
        for o in written.operators
        if o.kind not in ("QUANTIZE", "DEQUANTIZE")
        and any(i >= 0 and written.tensors[i].is_float for i in (*o.inputs, *o.outputs))
    ]
    assert in_float == [name]
    assert name not in [layer.name for layer in result.calibration.layers]
    sample = models.data("conv_net")[0]
    exact, found = (
        running.run(m, sample, Kernels.BUILTIN)[0] for m in (models.conv_net(), result.model)
    )
    assert running.sqnr_db(exact, found) > 25


def test_skipping_everything_behind_a_layer_works() -> None:
    result = running.quantized("conv_net", Config(skip="Mean|Identity"))
    assert [o.kind for o in Graph.from_bytes(result.model).operators][-2:] == [
        "MEAN",
        "FULLY_CONNECTED",
    ]


def test_skip_that_matches_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="'layer_99' matches no operator output"):
        calibrate(models.conv_net(), models.data("conv_net"), Config(skip="layer_99"))


def test_no_samples_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_samples is 0"):
        calibrate(models.conv_net(), models.data("conv_net"), num_samples=0)


@pytest.mark.parametrize("skip", [None, "^Sin$"])
def test_operator_without_int8_kernel_stays_in_float(skip: str | None) -> None:
    model, data = models.float_island_net(), models.samples(models.IMAGE)
    result = quantize(model, data, Config(skip=skip))
    assert [o.kind for o in Graph.from_bytes(result.model).operators].count("SIN") == 1
    exact, found = (running.run(m, data[0], Kernels.BUILTIN)[0] for m in (model, result.model))
    assert running.sqnr_db(exact, found) > 25


# Structures.


def test_dynamic_batch_stays_dynamic() -> None:
    result = running.quantized("keras_net")
    rng = np.random.default_rng(5)
    batch = rng.standard_normal((5, 8, 8, 3)).astype(np.float32)
    together = running.run(result.model, [batch], Kernels.BUILTIN)[0]
    for i in range(5):
        alone = running.run(result.model, [batch[i : i + 1]], Kernels.BUILTIN)[0]
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-5, atol=1e-6)
    assert running.sqnr_db(running.run(models.keras_net(), [batch])[0], together) > 27


def test_names_need_not_be_unique() -> None:
    model = schema.parse(models.residual_net())
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"same"
    result = quantize(schema.serialize(model), models.data("residual_net"))
    other = running.quantized("residual_net")
    sample = models.data("residual_net")[0]
    np.testing.assert_array_equal(
        running.run(result.model, sample)[0], running.run(other.model, sample)[0]
    )


def test_names_may_be_missing() -> None:
    model = schema.parse(models.conv_net())
    for tensor in model.subgraphs[0].tensors:
        tensor.name = None
    result = quantize(schema.serialize(model), models.data("conv_net"))
    sample = models.data("conv_net")[0]
    np.testing.assert_array_equal(
        running.run(result.model, sample)[0],
        running.run(running.quantized("conv_net").model, sample)[0],
    )


def test_several_signatures_of_one_graph_are_kept() -> None:
    model = schema.parse(models.keras_net())
    second = schema.schema().SignatureDefT()
    first = model.signatureDefs[0]
    second.signatureKey, second.subgraphIndex = b"other", 0
    second.inputs, second.outputs = first.inputs, first.outputs
    model.signatureDefs.append(second)
    result = quantize(schema.serialize(model), models.data("keras_net"))
    definitions = Graph.from_bytes(result.model).model.signatureDefs
    assert [d.signatureKey for d in definitions] == [b"serving_default", b"other"]


def test_group_and_dilated_convolutions() -> None:
    def network(x: Any) -> Any:
        x = tf.nn.relu(models.conv(x, 8, seed=1))
        x = tf.nn.relu(models.conv(x, 8, seed=2, dilation=2))
        return models.conv(x, 8, seed=3, groups=2)

    model, data = models.convert(network, models.IMAGE), models.samples(models.IMAGE)
    result = quantize(model, data)
    exact, found = (running.run(m, data[0], Kernels.BUILTIN)[0] for m in (model, result.model))
    assert running.sqnr_db(exact, found) > 30


# Errors.


def test_empty_data_set_never_gives_a_float_model() -> None:
    with pytest.raises(DatasetError, match="is empty"):
        quantize(models.conv_net(), lambda: iter([]))


def test_errors_call_the_model_by_its_origin() -> None:
    with pytest.raises(ModelError, match=r"^photos\.tflite: "):
        quantize(b"nonsense", [], origin="photos.tflite")


def test_quantized_model_is_not_quantized_again() -> None:
    with pytest.raises(ModelError, match="already quantized"):
        quantize(running.quantized("conv_net").model, models.data("conv_net"))


def test_number_of_samples_can_be_limited() -> None:
    record = calibrate(models.conv_net(), models.data("conv_net"), num_samples=2)
    assert record.samples == 2
    shorter = calibrate(models.conv_net(), models.data("conv_net")[:2])
    assert record.to_text() == shorter.to_text()


def test_report_has_a_line_per_layer() -> None:
    result = running.quantized("depthwise_net", INT7)
    layers = result.report.layers
    assert [r.name for r in layers] == [r.name for r in result.calibration.layers]
    assert {r.kind for r in layers} == {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    assert all(r.input_bits == 7 for r in layers)
    assert all(r.sqnr_db_after > 20 for r in layers)
    plain = result.report.as_dict()
    assert plain["summary"]["quantized_bytes"] == len(result.model)
    assert plain["layers"][0]["sqnr_db_after"] == layers[0].sqnr_db_after
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_record_is_enough_to_write_again(tmp_path: pathlib.Path) -> None:
    result = running.quantized("leaky_net", INT7)
    result.calibration.save(tmp_path / "r.json")
    again = quantize(models.leaky_net(), Calibration.load(tmp_path / "r.json"))
    assert again.model == result.model
