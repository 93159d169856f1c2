"""The pipeline on one page: calibrate -> write -> verify."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from typing import Any

from tflite_eq import islands, metadata
from tflite_eq.arguments import check_kind, check_model, check_path, checked_count
from tflite_eq.bias.finetune import check_enough
from tflite_eq.calibration.checkpoint import Checkpoint, SavedEqualization
from tflite_eq.calibration.doubts import doubts_about
from tflite_eq.calibration.fit import check_equalization, check_fits
from tflite_eq.calibration.record import Calibration
from tflite_eq.calibration.statistics import observe_ranges
from tflite_eq.calibration.stored_samples import StoredSamples
from tflite_eq.config import BiasCorrection, Config, Equalization, checked_config
from tflite_eq.conformance import subject as conformance
from tflite_eq.conformance.computed import check_computed
from tflite_eq.conformance.samples import CHECKED_SAMPLES, checked_samples
from tflite_eq.conformance.stored import check_stored
from tflite_eq.deprecated import warn_of_backend
from tflite_eq.equalization.choose import equalizing_factors
from tflite_eq.equalization.factors import ChannelFactors, with_factors
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.files import PathLike
from tflite_eq.fine_tuning import check_can_fine_tune, fine_tuned
from tflite_eq.graph import schema
from tflite_eq.graph.consistency import check_consistent
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.graph.scale_groups import scale_groups
from tflite_eq.preparation import Prepared, prepared
from tflite_eq.progress import note
from tflite_eq.report.build import build_report
from tflite_eq.report.full import Subject, complete
from tflite_eq.report.guard import GuardRecord
from tflite_eq.report.model import Report
from tflite_eq.report.write import check_directory, write_report
from tflite_eq.runtimes import preferred_runtime
from tflite_eq.selection import check_selection, skipped_operators
from tflite_eq.simulation.differentiable import distilled_tensors
from tflite_eq.simulation.lockstep import run_lockstep
from tflite_eq.simulation.store import ActivationStore
from tflite_eq.simulation.trace import PassTrace
from tflite_eq.simulation.twins import TwinActivations
from tflite_eq.targets import WeightGrid
from tflite_eq.verify import check_fully_int8, check_runs_everywhere
from tflite_eq.version import __version__
from tflite_eq.writer import Written, write

# Samples that a report runs the models on, if the user names none.
COMPARED_SAMPLES = 32


@dataclasses.dataclass(frozen=True)
class QuantizationResult:
    """What ``quantize`` returns.

    Attributes:
        model: The quantized ``.tflite``.
        report: Per-layer results.
        calibration: The record the model was written from.
    """

    model: bytes
    report: Report
    calibration: Calibration


def calibrate(
    model: bytes,
    representative_dataset: Any,
    config: Config | None = None,
    *,
    num_samples: int | None = None,
    origin: str = "model",
    resume_dir: PathLike | None = None,
    trace: PassTrace | None = None,
) -> Calibration:
    """Find all scales and bias corrections of a float model.

    Args:
        model: A float ``.tflite``.
        representative_dataset: Sample inputs in any form TFLite accepts, see ``SampleReader``; read
            once.
        config: Options; defaults to ``Config()``.
        num_samples: Use at most so many samples; ``None`` uses all.
        origin: What to call the model in messages.
        resume_dir: Folder that takes the state after every finished layer. A run that was
            interrupted goes on from there when it is repeated with the same folder, and ends with
            the same bytes.
        trace: Receives what the pass sees on its way, for a report.

    Raises:
        ModelError: The model cannot be quantized.
        DatasetError: The data set is empty, invalid or does not fit the model.
        CheckpointError: ``resume_dir`` holds the state of another run, is damaged or in use.
        ConfigError: ``config.skip`` matches nothing or everything, ``config.keep_int8`` matches
            nothing, or ``num_samples`` is not positive.
        BackendError: Biases are to be fine-tuned and TensorFlow is not installed.
    """
    config = checked_config(config)
    num_samples = checked_count(num_samples, "num_samples")
    check_path(resume_dir, "resume_dir")
    network, layers, skipped = _checked(model, origin, config)
    graph = network.front
    for sentence in islands.sentences(network, skipped, config):
        note(sentence)
    fine_tunes = config.bias_correction is BiasCorrection.FINETUNE
    model_sha256 = hashlib.sha256(model).hexdigest()
    with contextlib.ExitStack() as stack:
        checkpoint = None
        if resume_dir is not None:
            checkpoint = Checkpoint(
                resume_dir, model_sha256, config, preferred_runtime().description
            )
            stack.callback(checkpoint.close)
        samples = representative_dataset
        if not isinstance(samples, StoredSamples):
            samples = stack.enter_context(StoredSamples(graph, samples, num_samples))
        if fine_tunes:
            check_enough(samples.count)
        if checkpoint:
            checkpoint.check_data(samples.count, samples.digest)
        if trace is not None:
            trace.kept = samples.spread(trace.keeps)
        warnings = _doubts(graph, samples)
        equalization = _equalization(graph, skipped, samples, config, trace, checkpoint)
        graph = with_factors(graph, equalization)
        layers = linear_layers(graph)
        groups = scale_groups(graph, layers, skipped)
        twins = TwinActivations(stack.enter_context(ActivationStore()), samples=0)
        observers = observe_ranges(graph, samples, twins, config.seed, checkpoint)
        if trace is not None:
            trace.take_ranges(observers)
        needed = set()
        if fine_tunes:
            needed = {*graph.inputs, *distilled_tensors(graph)}
        tensors, records = run_lockstep(
            graph, layers, groups, skipped, observers, twins, config, trace, checkpoint, needed
        )
        calibration = Calibration(
            tool_version=__version__,
            model_sha256=model_sha256,
            data_sha256=samples.digest,
            samples=samples.count,
            config=config,
            tensors=tensors,
            layers=records,
            equalization=equalization,
            warnings=[*warnings, *twins.notices],
            preprocessing=samples.preprocessing,
        )
        if fine_tunes:
            calibration = fine_tuned(graph, layers, skipped, calibration, twins)
    return calibration


def check_can_quantize(model: bytes, origin: str, config: Config) -> None:
    """Make all checks that take the model and the options alone, before any data are read.

    ``calibrate`` makes them, too; this is for who has more to do before it, such as opening data.

    Raises:
        TfliteEqError: As ``calibrate``.
    """
    _checked(model, origin, config)


def _checked(
    model: bytes, origin: str, config: Config
) -> tuple[Prepared, dict[int, LinearLayer], set[int]]:
    """The network, its linear layers, and the operators that stay in float."""
    network = prepared(model, origin, config)
    layers = linear_layers(network.front)
    skipped = skipped_operators(network.front, config)
    check_selection(network.front, layers, skipped, config)
    if config.bias_correction is BiasCorrection.FINETUNE:
        check_can_fine_tune(network.front, layers)
    return network, layers, skipped


def _doubts(graph: Graph, samples: StoredSamples) -> list[str]:
    """What is doubtful about the samples; said at once, and once however often they serve."""
    if samples.doubts is None:
        samples.doubts = doubts_about(graph, samples)
        for doubt in samples.doubts:
            note(f"warning: {doubt}")
    return samples.doubts


def _equalization(
    graph: Graph,
    skipped: set[int],
    samples: StoredSamples,
    config: Config,
    trace: PassTrace | None,
    checkpoint: Checkpoint | None,
) -> list[ChannelFactors]:
    """What channels are scaled by: as an interrupted run has found it, or anew."""
    seen = PassTrace() if trace is None else trace
    if checkpoint and checkpoint.equalization:
        checkpoint.check_equalization(graph, skipped)
        saved = checkpoint.equalization
        seen.extremes.update(saved.extremes)
        return saved.factors
    is_used = config.equalization_used is not Equalization.NONE
    factors = equalizing_factors(graph, skipped, samples, config, seen) if is_used else []
    if checkpoint:
        checkpoint.save_equalization(
            SavedEqualization(samples.count, samples.digest, factors, dict(seen.extremes))
        )
    return factors


def quantize(
    model: bytes,
    representative_dataset: Any,
    config: Config | None = None,
    *,
    num_samples: int | None = None,
    backend: str | None = None,
    origin: str = "model",
    resume_dir: PathLike | None = None,
    report_dir: PathLike | None = None,
    comparison: ComparisonSet | None = None,
) -> QuantizationResult:
    """Quantize a float model to int8.

    Args:
        model: A float ``.tflite``.
        representative_dataset: Sample inputs, or a ``Calibration`` made earlier for the same
            model, which is applied without looking at data again.
        config: Options. With a ``Calibration`` its own options hold, and of these only
            ``input_type`` and ``output_type`` are taken.
        num_samples: Use at most so many samples; ``None`` uses all.
        backend: Deprecated and ignored.
        origin: What to call the model in messages.
        resume_dir: Folder for the state of the calibration, see ``calibrate``; applying a
            ``Calibration`` needs none.
        report_dir: Write the full report into this folder. It takes some more time, because the
            models are run side by side.
        comparison: What the report runs them on; some of the calibration samples if ``None``.

    Raises:
        TfliteEqError: One of its sub-classes says what is wrong and how to mend it.
    """
    warn_of_backend(backend)
    check_model(model, origin)
    config = None if config is None else checked_config(config)
    if report_dir is not None:
        check_path(report_dir, "report_dir")
        check_directory(report_dir)
    if comparison is not None:
        remedy = "give a ComparisonSet(samples, description)"
        check_kind(comparison, ComparisonSet, "comparison", remedy)
    keeps = report_dir is not None and comparison is None
    trace = PassTrace(keeps=COMPARED_SAMPLES if keeps else CHECKED_SAMPLES)
    if isinstance(representative_dataset, Calibration):
        calibration = representative_dataset
        if config is not None:
            calibration = dataclasses.replace(
                calibration,
                config=dataclasses.replace(
                    calibration.config,
                    input_type=config.input_type,
                    output_type=config.output_type,
                ),
            )
        _check_belongs(calibration, model, origin)
    else:
        calibration = calibrate(
            model,
            representative_dataset,
            config,
            num_samples=num_samples,
            origin=origin,
            trace=trace,
            resume_dir=resume_dir,
        )
    return apply_calibration(
        model,
        calibration,
        origin=origin,
        trace=trace,
        report_dir=report_dir,
        comparison=comparison,
    )


def apply_calibration(
    model: bytes,
    calibration: Calibration,
    *,
    origin: str = "model",
    trace: PassTrace | None = None,
    report_dir: PathLike | None = None,
    comparison: ComparisonSet | None = None,
    guard: GuardRecord | None = None,
) -> QuantizationResult:
    """Write and verify the model that a calibration record describes.

    Args:
        model: The float ``.tflite`` that the record was made from.
        calibration: The record.
        origin: What to call the model in messages.
        trace: What the calibration pass saw, for the report; ``None`` for a loaded record.
        report_dir: Write the full report into this folder.
        comparison: What the report runs the models on; the samples that the trace kept if
            ``None``.
        guard: What the accuracy guard found, for the report.

    Raises:
        TfliteEqError: The record does not fit the model, or the result is not as promised.
    """
    trace = trace or PassTrace()
    result, subject = _apply(model, calibration, origin, trace)
    result = dataclasses.replace(result, report=dataclasses.replace(result.report, guard=guard))
    if report_dir is not None:
        report = complete(result.report, subject, comparison or _calibration_samples(trace))
        write_report(report, report_dir)
        result = dataclasses.replace(result, report=report)
    return result


def _check_belongs(calibration: Calibration, model: bytes, origin: str) -> None:
    found = hashlib.sha256(model).hexdigest()
    if found != calibration.model_sha256:
        raise ConfigError(
            f"{origin}: the calibration record belongs to another model (SHA-256 "
            f"{calibration.model_sha256[:12]}..., this one has {found[:12]}...); calibrate again"
        )


def _calibration_samples(trace: PassTrace) -> ComparisonSet | None:
    """What the models are compared on without a set of its own; nothing for a loaded record."""
    count = len(trace.kept)
    if not count:
        return None
    return ComparisonSet(trace.kept, f"{count} of the calibration samples")


def _apply(
    model: bytes, calibration: Calibration, origin: str, trace: PassTrace
) -> tuple[QuantizationResult, Subject]:
    network = prepared(model, origin, calibration.config)
    given = network.front
    config = calibration.config
    skipped = skipped_operators(given, config)
    check_equalization(calibration.equalization, given, skipped)
    graph = with_factors(given, calibration.equalization)
    layers = linear_layers(graph)
    check_fits(calibration, graph, layers, skipped)
    written, data = _written(graph, layers, calibration, skipped, origin)
    kept_float = [graph.tensors[i].name for o in skipped for i in graph.operators[o].outputs]
    check_fully_int8(Graph(written.model, origin), kept_float)
    inputs = checked_samples(graph, calibration, trace.kept, config.seed)
    ran = check_runs_everywhere(data, inputs[0], lambda: schema.serialize(given.model))
    outcome = conformance.Subject(
        graph=graph,
        layers=layers,
        skipped=skipped,
        calibration=calibration,
        written=Graph.from_bytes(data, origin),
        meanings=written.meanings_by_index(),
    )
    check_stored(outcome)
    check_computed(outcome, inputs, ran)
    front = data
    if network.tail:
        whole = with_factors(network.whole, calibration.equalization)
        data = _written(whole, layers, calibration, skipped | network.tail, origin)[1]
    report = build_report(
        calibration,
        [runtime.description for runtime in ran],
        network.changes,
        islands.sentences(network, skipped, config),
        len(model),
        len(data),
        origin,
    )
    subject = Subject(given, graph, layers, skipped, calibration, trace, len(model), front)
    return QuantizationResult(data, report, calibration), subject


def _written(
    graph: Graph,
    layers: dict[int, LinearLayer],
    calibration: Calibration,
    skipped: set[int],
    origin: str,
) -> tuple[Written, bytes]:
    """The quantized network with its metadata, and its file."""
    config = calibration.config
    written = write(graph, layers, calibration, skipped, config.input_type, config.output_type)
    metadata.attach(
        written.model,
        metadata.Record(
            tool_version=__version__,
            backend=metadata.NAME,
            config=config.as_dict(),
            samples=calibration.samples,
            calibration_sha256=hashlib.sha256(calibration.to_text().encode()).hexdigest(),
            data_sha256=calibration.data_sha256,
            windows=_windows(Graph(written.model, origin), calibration),
            lattice=[
                layer.name
                for layer in calibration.layers
                if layer.grid == WeightGrid.EVEN_TRIPLETS.value
            ],
            preprocessing=calibration.preprocessing,
        ),
    )
    data = schema.serialize(written.model)
    check_consistent(schema.parse(data, origin), f"{origin}, quantized")
    return written, data


def _windows(graph: Graph, calibration: Calibration) -> dict[str, tuple[int, int]]:
    """7-bit windows by the names that the tensors have in the quantized network.

    What a QUANTIZE operator makes of a float tensor has a name of its own there.
    """
    windows = {t.name: t.window for t in calibration.tensors if t.bits == 7}
    for operator in graph.operators:
        if operator.kind != "QUANTIZE":
            continue
        source, made = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        if source.name in windows and source.type_name != "INT8" and made.type_name == "INT8":
            windows[made.name] = windows[source.name]
    return windows
