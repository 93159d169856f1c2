"""Each rule with figures that trip it and figures that do not."""

from __future__ import annotations

import dataclasses

from tests.report import reports
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.report.findings import find
from tflite_eq.report.model import LayerComparison, LayerReport, ModelSummary, TargetSummary

FLOAT = ModelSummary("FP32", 100)


def layer(**changes: object) -> LayerReport:
    sound = {"input_bits": 8, "mssr_before": 1e-4, "mssr_after": 1e-6, "input_outside": 0.0}
    first = dataclasses.replace(reports.conv_net().report.layers[0], detail=None, comparison=None)
    return dataclasses.replace(first, **{**sound, **changes})


def noisy(added: float) -> LayerReport:
    return layer(comparison=LayerComparison(30.0, 30.0, 1.0, 1.0, added, None, 0.0))


def outputs(default: float, final: float) -> list[ModelSummary]:
    return [
        FLOAT,
        ModelSummary("default", 30, sqnr_db=default),
        ModelSummary("o", 30, sqnr_db=final),
    ]


def titles(*layers: LayerReport, models: list[ModelSummary] | None = None) -> list[str]:
    return [f"{f.level}: {f.title}" for f in find(layers, models or [], [])]


def test_sound_layers_say_nothing() -> None:
    assert titles(layer(), layer()) == []


def test_one_layer_adds_most() -> None:
    quiet = [noisy(0.001) for _ in range(4)]
    assert titles(*quiet) == []
    [finding] = find([*quiet, noisy(0.02), noisy(0.05)], [], [])
    assert finding.title == "2 layers add much more noise than the others"
    assert finding.layers == (5, 4)
    assert titles(*[noisy(0.05) for _ in range(4)]) == []


def test_mean_shift_left_and_taken_out() -> None:
    found = titles(layer(mssr_before=0.02, mssr_after=0.02), layer(mssr_before=0.02))
    assert found == [
        "problem: 1 layer keeps a mean shift",
        "good: Bias correction took out a mean shift in 1 layer",
    ]


def test_values_clipped_and_codes_outside() -> None:
    assert titles(layer(input_outside=0.02)) == [
        "note: More than 1% of the input is clipped in 1 layer"
    ]
    measured = LayerComparison(30.0, 30.0, 1.0, 1.0, 0.0, (-90, 63), 0.02)
    assert titles(layer(), layer(comparison=measured)) == [
        "note: 1 layer meets codes outside the 7-bit window"
    ]


def test_outcome() -> None:
    assert titles(layer(), models=outputs(20, 26)) == ["good: 6.0 dB closer than TFLite's default"]
    assert titles(layer(), models=outputs(26, 26.2)) == [
        "good: As close to the float model as TFLite's default"
    ]
    assert titles(layer(), models=outputs(26, 20)) == [
        "problem: TFLite's default is closer to the float model"
    ]
    assert titles(layer(input_bits=7), models=outputs(26, 20))[0] == (
        "note: TFLite's default is closer to the float model"
    )
    assert titles(layer(), models=outputs(9, 12)) == ["problem: The outputs are noisy: 12.0 dB"]


def test_agreement_counts_as_well() -> None:
    def agreeing(percent: float, reach: float) -> list[ModelSummary]:
        float_model, default, final = outputs(20, 22)
        return [
            float_model,
            dataclasses.replace(default, agreement=Estimate(92.0)),
            dataclasses.replace(
                final,
                agreement=Estimate(percent),
                agreement_lost=Estimate(92 - percent, 92 - percent - reach, 92 - percent + reach),
            ),
        ]

    assert titles(layer(), models=agreeing(91.0, 3.0)) == [
        "good: 2.0 dB closer than TFLite's default"
    ]
    assert titles(layer(), models=agreeing(75.0, 3.0)) == [
        "problem: TFLite's default is closer to the float model"
    ]


def test_missing_delegate_says_what_to_install() -> None:
    missing = TargetSummary("x86-vnni", supported=False, note="install Bazel")
    [finding] = find([layer()], [], [missing])
    assert finding.text == "install Bazel"
    assert find([layer()], [], [missing, TargetSummary("x86-avx2", True, "")]) == ()
