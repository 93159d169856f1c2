"""What is kept where a part of the method does harm; it is broken here to see that."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models, running
from tests.cli.commands import Workspace
from tests.equalization import networks
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.alternatives import judges
from tflite_eq.alternatives.min_max import min_max_config, min_max_record
from tflite_eq.alternatives.options import NO_BIAS, NO_EQUALIZATION, WITH_MIN_MAX
from tflite_eq.alternatives.stand_ins import unequalized
from tflite_eq.bias.iterative import ErrorSums
from tflite_eq.calibration import calibrate_once
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.equalization.factors import with_factors
from tflite_eq.errors import ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared
from tflite_eq.record.comparison import ASKED, MIN_MAX, Comparison
from tflite_eq.runtimes import Kernels
from tflite_eq.search import easyquant
from tflite_eq.search.trace import PassTrace

NETWORK = "conv_net"
SAMPLES = models.data(NETWORK, count=16)
OTHERS = models.data(NETWORK, count=8, seed=3)


def softmax_results(model: bytes) -> list[str]:
    graph = Graph.from_bytes(model)
    kinds = [operator for operator in graph.operators if operator.kind == "SOFTMAX"]
    assert kinds
    return [graph.tensors[operator.outputs[0]].name for operator in kinds]


def found(calibration: Calibration) -> Comparison:
    assert calibration.comparison is not None
    return calibration.comparison


@pytest.fixture
def wrong_biases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bias correction moves the means away instead of back."""
    right = ErrorSums.mean_shift.fget
    assert right is not None
    wrong = property(lambda self: right(self) + 0.3)
    monkeypatch.setattr(ErrorSums, "mean_shift", wrong)
    monkeypatch.setattr("tflite_eq.simulation.decided_layers.DecidedLayers._helps", lambda *_: True)


@pytest.fixture
def wrong_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search clips every activation to a quarter of its range."""
    search = easyquant.search_scales

    def clipping(*arguments: Any, **named: Any) -> Any:
        result = search(*arguments, **named)
        low, high = result.interval
        return dataclasses.replace(result, interval=(low / 4, high / 4))

    monkeypatch.setattr("tflite_eq.simulation.activation_scales.search_scales", clipping)


@pytest.mark.parametrize("held_back", [None, OTHERS])
def test_bias_correction_that_does_harm_is_left_out(wrong_biases: None, held_back: Any) -> None:
    model = models.build(NETWORK)
    kept = calibrate(model, SAMPLES, Config(fixed=("method",)), held_back=held_back)
    assert found(kept).kept == NO_BIAS
    assert found(kept).held_back == (held_back is not None)
    assert found(kept).samples == (len(SAMPLES) if held_back is None else len(OTHERS))
    alone = calibrate(model, SAMPLES, Config(bias_correction="none", fixed=("method",)))
    assert (kept.tensors, kept.layers) == (alone.tensors, alone.layers)
    text = found(kept).text()
    assert f", {NO_BIAS}, and" in text
    kind = "calibration samples, which flatter" if held_back is None else "samples held back"
    assert f"on {found(kept).samples} {kind}" in text


def test_outputs_that_errors_drown_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Small differences of large values, which have one code, beside an output that holds."""

    def network(x: Any) -> Any:
        y = models.conv(x, 8, seed=1)
        far = models.tf.nn.max_pool2d(y * 0.01 + 50.0, 2, 2, "VALID")
        return {"difference": far - 50.0, "image": models.conv(y, 4, seed=2)}

    kept = calibrate(models.convert(network, models.IMAGE), models.samples(models.IMAGE, count=16))
    (warning,) = [text for text in kept.warnings if "errors drown outputs" in text]
    low, high = sorted(found(kept).sqnr_db[found(kept).kept])
    assert low < 6 < high
    assert f"({low:.1f} dB)" in warning
    assert "dB) and" not in warning
    assert f"warning: {warning}" in capsys.readouterr().err
    held = calibrate(models.build(NETWORK), SAMPLES)
    assert not any("drown" in text for text in held.warnings)


@pytest.mark.parametrize("bits", ["8", "7"])
def test_scales_that_do_harm_give_way_to_min_max_scales(wrong_scales: None, bits: str) -> None:
    model = models.build(NETWORK)
    kept = calibrate(model, SAMPLES, Config(bits=bits), held_back=OTHERS)
    assert found(kept).kept == MIN_MAX
    plain = Config(bits=bits, method="minmax", bias_correction="none", equalization="none")
    expected = calibrate(model, SAMPLES, plain)
    assert (kept.tensors, kept.layers) == (expected.tensors, expected.layers)
    assert {tensor.bits for tensor in kept.tensors} >= {int(bits)}
    assert found(kept).is_default == (bits == "8")


@pytest.mark.parametrize(
    "config",
    [Config(fixed=("bias_correction",)), Config(method="mse", bias_correction="iterative")],
)
def test_nothing_that_holds_is_left_out(wrong_biases: None, config: Config) -> None:
    kept = calibrate(models.build(NETWORK), SAMPLES, config)
    if "bias_correction" in config.fixed:
        assert kept.config.bias_correction is config.bias_correction
        assert found(kept).kept in (ASKED, NO_EQUALIZATION, WITH_MIN_MAX)
    else:
        assert kept.config.method is config.method
        assert found(kept).kept == NO_BIAS


def test_what_was_insisted_on_is_kept_and_warned_of(
    wrong_scales: None, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(fixed=("method", "bias_correction", "equalization"))
    kept = calibrate(models.build(NETWORK), SAMPLES, config, held_back=OTHERS)
    assert found(kept).kept == ASKED
    assert kept.config.method is Config().method
    assert "min-max scales are closer to the float network" in kept.warnings[-1]
    assert kept.warnings[-1] in capsys.readouterr().err


def test_good_calibrations_are_kept_and_compared() -> None:
    kept = found(calibrate(models.build(NETWORK), SAMPLES, held_back=OTHERS))
    assert kept.kept == ASKED
    assert kept.sqnr_db[ASKED][0] > kept.sqnr_db[MIN_MAX][0]
    assert kept.text().startswith("TFLite's default (min-max scales): ")


def test_figures_are_those_of_the_written_file() -> None:
    """The oracle runs the files of both models on the samples held back."""
    model = models.build(NETWORK)
    result = quantize(model, SAMPLES, held_back=OTHERS)
    kept = found(result.calibration)
    exact, ours = (
        np.concatenate([running.run(data, x, Kernels.DEFAULT)[0].ravel() for x in OTHERS])
        for data in (model, result.model)
    )
    sqnr = 10 * np.log10((exact**2).sum() / ((exact - ours) ** 2).sum())
    assert kept.sqnr_db[ASKED] == pytest.approx([sqnr], abs=0.01)


@pytest.mark.parametrize("network", [NETWORK, "leaky_net"])
def test_without_samples_held_back_all_judge_and_the_float_network_is_not_run_again(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle runs the files of float network and min-max scales on the calibration samples."""
    model, data = models.build(network), models.data(network, count=13)
    ran: list[str] = []
    plain = judges.Instrumented

    def counted(graph: Graph, *rest: Any, **options: Any) -> Any:
        ran.append(graph.origin)
        return plain(graph, *rest, **options)

    monkeypatch.setattr(judges, "Instrumented", counted)
    kept = found(calibrate(model, data))
    assert kept.samples == len(data)
    assert ran
    assert set(ran) == {"the quantized model"}
    settings = Config(method="minmax", bias_correction="none", equalization="none")
    written = quantize(model, data, settings).model
    exact, theirs = (
        np.concatenate([running.run(m, x, Kernels.DEFAULT)[0].ravel() for x in data])
        for m in (model, written)
    )
    sqnr = 10 * np.log10((exact**2).sum() / ((exact - theirs) ** 2).sum())
    assert kept.sqnr_db[MIN_MAX] == pytest.approx([sqnr], abs=0.01)


def test_biases_are_corrected_on_halves_only_where_it_could_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Halves leave larger errors than the whole leaves on itself, and the files are the same."""
    model, corrected = models.build(NETWORK), []
    plain = calibrate_once.corrected_on

    def counted(*arguments: Any) -> Any:
        corrected.append(arguments)
        return plain(*arguments)

    monkeypatch.setattr(calibrate_once, "corrected_on", counted)
    monkeypatch.setattr(judges, "_OPTIMISM", 0.1)
    clear = calibrate(model, SAMPLES)
    assert not corrected
    assert found(clear).optimism_db > 0
    monkeypatch.setattr(judges, "_OPTIMISM", 1000.0)
    doubtful = calibrate(model, SAMPLES)
    assert len(corrected) == 2
    assert found(doubtful).optimism_db == 0
    assert "samples held back from bias correction" in found(doubtful).text()
    assert found(doubtful).sqnr_db[MIN_MAX] == found(clear).sqnr_db[MIN_MAX]
    assert found(doubtful).sqnr_db[ASKED] < found(clear).sqnr_db[ASKED]
    assert doubtful.layers == clear.layers


def test_a_sample_that_reaches_far_and_loses_all_is_among_the_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of 64 that costs more than all others gain: that falls below min-max scales."""
    data = [[np.array(values) for values in sample] for sample in models.data(NETWORK, count=64)]
    data[5][0] *= 3
    whole = judges.Judges._model

    class Worse:
        """A model with errors: what was asked for on that sample, others a little on all."""

        def __init__(self, model: Any, is_asked: bool) -> None:
            self._model, self._is_asked = model, is_asked

        def run(self, inputs: Any) -> Any:
            found = self._model.run(inputs)
            is_far = np.array_equal(inputs[0], data[5][0])
            error = 100.0 * is_far if self._is_asked else 1.0
            return {i: values + error for i, values in found.items()}

    def model(self: judges.Judges, record: Calibration) -> Any:
        return Worse(whole(self, record), any(layer.bias_correction for layer in record.layers))

    monkeypatch.setattr(judges.Judges, "_model", model)
    kept = calibrate(models.build(NETWORK), data)
    assert kept.outliers is None
    assert found(kept).kept != ASKED
    assert found(kept).sqnr_db[ASKED] < found(kept).sqnr_db[MIN_MAX]


def test_what_samples_flatter_is_told_however_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "_OPTIMISM", 0.01)
    kept = found(calibrate(models.build(NETWORK), SAMPLES))
    assert kept.optimism_db == 0.1
    assert "calibration samples, which flatter what was asked for by up to 0.1 dB" in kept.text()


def test_fitted_filters_are_compared_with_enough_samples() -> None:
    data = models.data(NETWORK, count=24)
    kept = found(calibrate(models.build(NETWORK), data, Config(reconstruction="refit")))
    assert kept.samples == 24
    assert kept.sqnr_db[ASKED][0] > kept.sqnr_db[MIN_MAX][0]


def test_biases_that_are_trained_are_judged_as_correction_leaves_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judges, "_OPTIMISM", 1000.0)
    config = Config(bias_correction="finetune")
    trained = calibrate(models.build(NETWORK), SAMPLES, config)
    assert trained.fine_tuning is not None
    corrected = found(calibrate(models.build(NETWORK), SAMPLES))
    assert found(trained).sqnr_db[ASKED] == pytest.approx(corrected.sqnr_db[ASKED], abs=0.01)


def test_a_stand_in_has_the_scales_found_where_nothing_was_equalized() -> None:
    model = models.build(NETWORK)
    config = Config(equalization="none", bias_correction="none")
    trace = PassTrace()
    record = calibrate(model, SAMPLES, config, trace=trace)
    graph = prepared(model, "model", config).front
    base = min_max_record(graph, set(), trace.extremes, record, min_max_config(config))
    stand_in = unequalized(graph, set(), base, trace.extremes, record)
    for made, known in ((stand_in.tensors, record.tensors), (stand_in.layers, record.layers)):
        assert [one.index for one in made] == [one.index for one in known]
    scales = [tensor.scale for tensor in record.tensors]
    assert [tensor.scale for tensor in stand_in.tensors] == pytest.approx(scales, rel=1e-5)
    for one, other in zip(stand_in.layers, record.layers):
        assert one.scales == pytest.approx(other.scales, rel=1e-5)


def test_all_float_outputs_are_compared() -> None:
    def two_heads(x: Any) -> Any:
        trunk = tf.nn.relu(models.conv(x, 8))
        scores = tf.reshape(models.conv(trunk, 4, seed=1), [1, -1])
        return {"boxes": models.conv(trunk, 4, seed=2), "scores": tf.nn.softmax(scores)}

    model = models.convert(two_heads, models.IMAGE)
    kept = found(calibrate(model, models.samples(models.IMAGE, count=16)))
    assert len(kept.outputs) == len(set(kept.outputs)) == 2
    assert not any(graph_softmax in kept.outputs for graph_softmax in softmax_results(model))
    for name, ours, base in zip(kept.outputs, kept.sqnr_db[ASKED], kept.sqnr_db[MIN_MAX]):
        assert f"'{name.split(';')[0]}'" in kept.text()
        assert f"{ours:.1f} dB ({ours - base:+.1f})" in kept.text()
    assert {len(figures) for figures in kept.sqnr_db.values()} == {len(kept.outputs)}


def test_too_few_samples_are_said_to_be_too_few() -> None:
    few = found(calibrate(models.build(NETWORK), SAMPLES[:11]))
    assert few.reason == "12 samples are needed, there are 11"
    assert "Not compared" in few.text()
    fitted = found(calibrate(models.build(NETWORK), SAMPLES, Config(reconstruction="refit")))
    assert fitted.reason == "24 samples are needed to judge fitted filters, there are 16"


def test_calibration_samples_judge_where_none_are_held_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = models.data(NETWORK, count=80)
    monkeypatch.setattr(judges, "_OPTIMISM", 0.1)
    for count, judging in ((12, 12), (13, 13), (80, 16)):
        kept = found(calibrate(models.build(NETWORK), many[:count]))
        assert (kept.samples, kept.held_back) == (judging, False)
    monkeypatch.setattr(judges, "_OPTIMISM", 1000.0)
    for count, judging in ((12, 12), (13, 13), (80, 64)):
        kept = found(calibrate(models.build(NETWORK), many[:count]))
        assert (kept.samples, kept.held_back) == (judging, False)


def test_no_sample_judges_what_it_has_corrected() -> None:
    graph = prepared(models.build(NETWORK), "model", Config()).front
    for count, config in ((13, Config()), (80, Config()), (80, Config(reconstruction="refit"))):
        for followed in (range(count), range(4, count)):
            with StoredSamples(graph, models.data(NETWORK, count=count)) as samples:
                folds = judges.Judges(graph, set(), samples, followed, None, config).folds
            assert folds
            for fold in folds:
                assert fold.learned
                assert set(fold.judging) <= set(followed)
                assert not set(fold.judging) & {followed[position] for position in fold.learned}
            assert sum(len(fold.learned) for fold in folds) <= 32


def test_samples_that_are_not_followed_judge_if_there_are_enough() -> None:
    graph = prepared(models.build(NETWORK), "model", Config()).front
    with StoredSamples(graph, models.data(NETWORK, count=20)) as samples:
        [fold] = judges.Judges(graph, set(), samples, range(0, 20, 2), None, Config()).folds
    assert fold.judging == tuple(range(1, 20, 2))
    assert fold.learned == ()


def test_the_record_remembers_the_choice(wrong_biases: None) -> None:
    model = models.build(NETWORK)
    result = quantize(model, SAMPLES)
    loaded = Calibration.from_text(result.calibration.to_text())
    assert loaded == result.calibration
    again = quantize(model, loaded)
    assert again.model == result.model
    assert again.report.summary["comparison"]["kept"] == NO_BIAS


def test_records_with_an_impossible_comparison_are_refused() -> None:
    text = calibrate(models.build(NETWORK), SAMPLES).to_text()
    for old, new in ((f'"kept": "{ASKED}"', '"kept": "x"'), ('"is_tie": false', '"is_tie": 3')):
        assert old in text
        with pytest.raises(ConfigError, match="undo the edit"):
            Calibration.from_text(text.replace(old, new))


def test_a_resumed_run_gives_the_same_bytes(
    wrong_biases: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.build(NETWORK)
    whole = calibrate(model, SAMPLES).to_text()
    assert calibrate(model, SAMPLES, resume_dir=tmp_path).to_text() == whole
    assert list(tmp_path.glob("alternative_*"))

    def refuse(*_: Any) -> None:
        raise AssertionError("a finished pass was searched again")

    runner = "tflite_eq.simulation.layer_runner.LayerRunner.run"
    monkeypatch.setattr(runner, refuse)
    assert calibrate(model, SAMPLES, resume_dir=tmp_path).to_text() == whole


def test_equalization_that_does_harm_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    def breaking(graph: Any, equalization: Any) -> Any:
        halves = [
            dataclasses.replace(
                e, factors=tuple(f * (20.0 if i % 2 else 0.05) for i, f in enumerate(e.factors))
            )
            for e in equalization
        ]
        return with_factors(graph, halves)

    import tensorflow as tf

    model = networks.uneven(tf.nn.relu)
    data = models.samples(models.IMAGE, count=16, seed=4)
    right = calibrate(model, data)
    assert right.equalization
    assert found(right).kept == ASKED
    for module in ("calibration.calibrate_once", "alternatives.judges"):
        monkeypatch.setattr(f"tflite_eq.{module}.with_factors", breaking)
    kept = calibrate(model, data)
    assert not kept.equalization
    assert kept.config.equalization.value == "none"


def test_the_command_line_compares_on_left_over_samples(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = Workspace(tmp_path, capsys)
    many = space.array("many.npy", np.concatenate([x for [x] in models.data(NETWORK, 30)]))
    done = space.run(
        *("quantize", "--model", space.model, "--calibration", many, "--num_samples", 10),
        *("--output", space.output, "--bias_correction", "iterative", "--preset", "fast"),
    )
    assert done.code == 0, done.err
    assert "), on 10 samples held back." in done.out
    without = space.run(
        *("quantize", "--model", space.model, "--calibration", many, "--num_samples", 10),
        *("--output", space.folder / "b.tflite", "--report_dir", tmp_path / "report"),
        *("--bias_correction", "iterative", "--preset", "fast"),
    )
    assert without.code == 0
    assert space.output.read_bytes() == (space.folder / "b.tflite").read_bytes()
    told = "10 samples that calibration did not use, others than those held back"
    assert told in (tmp_path / "report/report.json").read_text()


def test_what_is_kept_is_said_once(
    wrong_biases: None, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = Workspace(tmp_path, capsys)
    samples = space.array("samples.npy", np.concatenate([x for [x] in SAMPLES]))
    done = space.run(
        *("quantize", "--model", space.model, "--calibration", samples, "--output", space.output),
        *("--preset", "fast", "--method", "easyquant"),
    )
    assert done.code == 0, done.err
    [said] = [line for line in done.out.splitlines() if NO_BIAS in line]
    assert said not in done.err
    calibrate(models.build(NETWORK), SAMPLES, Config(fixed=("method",)))
    assert NO_BIAS in capsys.readouterr().err
