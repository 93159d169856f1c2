"""What the report says of the delegate, with the delegate's Python module and without."""

from __future__ import annotations

import dataclasses

import pytest

from tests import built, running
from tests.delegate import networks
from tests.report import reports
from tflite_eq import Target
from tflite_eq.delegate import library
from tflite_eq.graph.model import Graph
from tflite_eq.report.claims import claims_by_target, runtime_multiplications
from tflite_eq.report.html import report_html


def test_without_the_module_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    made = reports.conv_net()  # now: other tests share it, and it shall know of the delegate
    monkeypatch.setattr(library, "KERNELS", "libmissing.so")
    graph = Graph.from_bytes(running.quantized("conv_net").model)
    targets, claims = claims_by_target(graph, 1e6)
    assert claims == {}
    assert {target.supported for target in targets} == {False}
    assert all("make build-delegate" in target.note for target in targets)
    report = dataclasses.replace(made.report, targets=tuple(targets))
    assert "make build-delegate" in report_html(report)


def test_claims_are_those_of_explain() -> None:
    built.kernels()
    from tflite_eq.delegate.explain import cpu_of, explain

    made = reports.deep()
    graph = Graph.from_bytes(made.result.model)
    every = explain(graph, cpu_of(Target.X86_VNNI))
    expected = [c for c in every if c.kind == "CONV_2D"]
    assert len(expected) == reports.DEEP_LAYERS - 1  # the last is a dense one
    found = [
        claim
        for layer in made.report.layers
        for claim in (layer.detail.claims if layer.detail else ())
        if claim.target == "x86-vnni"
    ]
    assert [(c.claimed, c.reason) for c in found] == [(c.claimed, c.reason) for c in expected]
    summary = next(t for t in made.report.targets if t.target == "x86-vnni")
    assert summary.claimed == sum(c.claimed for c in every)
    assert summary.operators == len(graph.operators)


def test_speedup_counts_every_multiplication() -> None:
    built.kernels()
    from tflite_eq.delegate.explain import cpu_of, explain

    graph = Graph.from_bytes(networks.quantized("int8"))
    saved = sum(
        claim.saved_multiplications
        for claim in explain(graph, cpu_of(Target.X86_AVX2))
        if "CONV" in claim.kind
    )
    targets, _ = claims_by_target(graph, 4e9)
    found = next(t for t in targets if t.target == "x86-avx2")
    assert found.saved_multiplications == saved > 0
    assert found.speedup == pytest.approx(4e9 / (4e9 - saved))


def test_few_input_channels_are_filled_up() -> None:
    assert runtime_multiplications(300, 3, 1) == 800
    assert runtime_multiplications(300, 8, 1) == 300
    assert runtime_multiplications(300, 1, 16) == 300  # depthwise
