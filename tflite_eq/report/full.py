"""The full report: models compared layer by layer, details, the delegate's view, findings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence, Set

from tflite_eq.alternatives.min_max import default_model
from tflite_eq.equalization.factors import tensor_factors
from tflite_eq.evaluation.layerwise import (
    ComparedModel,
    Comparison,
    ComparisonSet,
    ModelErrors,
    TensorError,
    compare,
)
from tflite_eq.evaluation.metrics import Metrics
from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.record.calibration import Calibration
from tflite_eq.report import findings
from tflite_eq.report.claims import claims_by_target
from tflite_eq.report.details import (
    layer_detail,
    total_runtime_multiplications,
    written_layers,
)
from tflite_eq.report.model import LayerComparison, LayerReport, ModelSummary, Report, Suggestion
from tflite_eq.report.suggest import suggest
from tflite_eq.search.trace import PassTrace

FLOAT, DEFAULT, WRITTEN = "FP32", "TFLite default", "tflite_eq"


@dataclasses.dataclass(frozen=True)
class FinishedQuantization:
    """One finished quantization, as the report looks at it.

    Attributes:
        given: The float network.
        graph: The same with channels split and scaled as the record says, which was quantized.
        layers: Linear layers of ``graph`` by operator index.
        skipped: Indices of operators that stay in float.
        calibration: The record.
        trace: What the calibration pass saw; empty if the record was loaded.
        float_size: Bytes of the float model.
        model: The written model.
    """

    given: Graph
    graph: Graph
    layers: dict[int, LinearLayer]
    skipped: Set[int]
    calibration: Calibration
    trace: PassTrace
    float_size: int
    model: bytes


def complete(
    report: Report, subject: FinishedQuantization, samples: ComparisonSet | None
) -> Report:
    """The report with everything in it.

    Args:
        report: What the quantizer already knows.
        subject: The quantization.
        samples: What to compare the models on; without any they are not run.
    """
    written = Graph.from_bytes(subject.model, "the quantized model")
    counterparts = written_layers(subject.graph, subject.layers, written)
    targets, claims = claims_by_target(
        written, total_runtime_multiplications(subject.graph, subject.layers)
    )
    models = [] if samples is None else _models(subject)
    comparison = None if samples is None else _compare(subject, models, samples)
    sources = {tensor.index: tensor for tensor in subject.calibration.tensors}
    layers = []
    for layer_report, record in zip(report.layers, subject.calibration.layers):
        layer, counterpart = subject.layers[record.index], counterparts.get(record.index)
        detail = None
        if counterpart is not None:
            detail = layer_detail(
                subject.graph,
                layer,
                record,
                sources[record.input],
                counterpart,
                subject.trace,
                claims.get(counterpart.output, ()),
            )
        measured = None if comparison is None else _layer_comparison(layer, comparison.models)
        layers.append(dataclasses.replace(layer_report, detail=detail, comparison=measured))
    summaries = () if comparison is None else _summaries(subject, models, comparison)
    return dataclasses.replace(
        report,
        layers=layers,
        models=summaries,
        compared_on="" if comparison is None else _described(comparison),
        targets=tuple(targets),
        findings=findings.find(layers, summaries, targets, report.guard),
        suggestions=_suggestions(subject, layers) if report.guard is None else (),
    )


def _suggestions(
    subject: FinishedQuantization, layers: Sequence[LayerReport]
) -> tuple[Suggestion, ...]:
    linear = [subject.layers[record.index] for record in subject.calibration.layers]
    config = subject.calibration.config
    return suggest(subject.graph, linear, subject.skipped, layers, config)


def _models(subject: FinishedQuantization) -> list[ComparedModel]:
    """The written model behind the default one; of a loaded record only the written one.

    The default one is that of the given network: nobody else scales its channels.
    """
    copies = subject.graph.copies
    factors = tensor_factors(subject.graph, subject.skipped, subject.calibration.equalization)
    written = ComparedModel(
        WRITTEN,
        subject.model,
        {tensor.index: tensor.window for tensor in subject.calibration.tensors},
        {i: copies[i].averaged(f) if i in copies else f for i, f in factors.items()},
        copies,
    )
    if not subject.trace.extremes:
        return [written]
    default = default_model(
        subject.given,
        subject.skipped,
        subject.trace.extremes,
        subject.calibration,
    )
    return [ComparedModel(DEFAULT, default), written]


def _compare(
    subject: FinishedQuantization, models: Sequence[ComparedModel], samples: ComparisonSet
) -> Comparison:
    tensors = {layer.output for layer in subject.layers.values()}
    tensors.update(layer.input for layer in subject.layers.values())
    return compare(subject.given, models, samples, sorted(tensors))


def _layer_comparison(
    layer: LinearLayer, models: tuple[ModelErrors, ...]
) -> LayerComparison | None:
    final = models[-1].tensors.get(layer.output)
    default = models[0].tensors.get(layer.output) if len(models) > 1 else None
    if final is None:
        return None
    source = models[-1].tensors.get(layer.input, TensorError(math.inf, 1.0))
    return LayerComparison(
        sqnr_db_default=math.nan if default is None else default.sqnr_db,
        sqnr_db_final=final.sqnr_db,
        cosine_default=math.nan if default is None else default.cosine,
        cosine_final=final.cosine,
        added_noise=final.noise - source.noise,
        input_codes=source.codes,
        input_outside=source.outside,
    )


def _summaries(
    subject: FinishedQuantization, models: Sequence[ComparedModel], comparison: Comparison
) -> tuple[ModelSummary, ...]:
    found = [_summary(FLOAT, subject.float_size, None, comparison.reference, comparison)]
    for model, errors in zip(models, comparison.models):
        found.append(_summary(model.name, len(model.data), errors, errors.figures, comparison))
    return tuple(found)


def _summary(
    name: str,
    size: int,
    errors: ModelErrors | None,
    figures: Metrics | None,
    comparison: Comparison,
) -> ModelSummary:
    output = None if errors is None else errors.output
    return ModelSummary(
        name=name,
        bytes=size,
        top1=figures.top1 if figures is not None and comparison.has_labels else None,
        agreement=None if figures is None else figures.agreement,
        agreement_lost=None if errors is None else errors.agreement_lost,
        sqnr_db=None if output is None else output.sqnr_db,
    )


def _described(comparison: Comparison) -> str:
    return f"{comparison.description}, on {comparison.runtime} with its default kernels"
