"""The pipeline on one page: calibrate -> write -> verify."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from typing import Any

from tflite_eq import islands, metadata, tensor_metadata
from tflite_eq.allocation.allocate import allocated
from tflite_eq.alternatives.choice import Candidate, best_of
from tflite_eq.alternatives.judges import Judges
from tflite_eq.arguments import ModelLike, check_kind, check_path, given_model
from tflite_eq.calibration.calibrate_once import CalibrationTask, calibrated
from tflite_eq.calibration.crops import CroppedSamples, for_parts, part_of
from tflite_eq.calibration.float_pass import observed
from tflite_eq.calibration.followed_samples import followed_samples
from tflite_eq.calibration.heads import with_heads
from tflite_eq.calibration.outlier_samples import heard_samples
from tflite_eq.checkpoint.checkpoint import Checkpoint
from tflite_eq.config import BiasCorrection, Config, checked_config
from tflite_eq.conformance.computed import check_computed
from tflite_eq.conformance.samples import CHECKED_SAMPLES, checked_samples
from tflite_eq.conformance.stored import check_stored
from tflite_eq.conformance.written_model import WrittenModel
from tflite_eq.data.stored_samples import StoredSamples
from tflite_eq.data_checks.doubts import doubts_about
from tflite_eq.deprecated import warn_of_backend
from tflite_eq.equalization.factors import with_factors
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.files import PathLike
from tflite_eq.fine_tuning.fine_tune import check_can_fine_tune
from tflite_eq.fine_tuning.training import check_enough
from tflite_eq.graph import schema
from tflite_eq.graph.appended import with_archive_of
from tflite_eq.graph.channel_splitting import with_split_channels
from tflite_eq.graph.compact import drop_unused_buffers
from tflite_eq.graph.consistency import check_consistent
from tflite_eq.graph.linear import LinearLayer, linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.grids import WeightGrid
from tflite_eq.preparation import Prepared, prepared
from tflite_eq.progress import note
from tflite_eq.record.calibration import Calibration
from tflite_eq.record.fit import check_equalization, check_fits
from tflite_eq.record.lost_outputs import lost_outputs
from tflite_eq.report.build import build_report
from tflite_eq.report.full import FinishedQuantization, complete
from tflite_eq.report.guard_record import GuardRecord
from tflite_eq.report.model import Report
from tflite_eq.report.write import check_directory, write_report
from tflite_eq.request import Request
from tflite_eq.runtimes import preferred_runtime
from tflite_eq.search.trace import PassTrace
from tflite_eq.selection import check_selection, skipped_operators
from tflite_eq.statistics.channels import Observed
from tflite_eq.stock_speed import stock_speed
from tflite_eq.threads import one_thread_of_blas
from tflite_eq.verify import check_fully_int8, check_runs, check_runs_everywhere, described
from tflite_eq.version import __version__
from tflite_eq.writing.writer import Written, write

# Samples that a report runs the models on, if the user names none.
COMPARED_SAMPLES = 32


@dataclasses.dataclass(frozen=True)
class QuantizationResult:
    """What ``quantize`` returns.

    Attributes:
        model: The quantized ``.tflite``.
        report: Per-layer results.
        calibration: The record the model was written from.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> result = tflite_eq.quantize("net_float.tflite", samples)
        >>> isinstance(result, tflite_eq.QuantizationResult)
        True
        >>> len(result.report.layers), result.calibration.samples
        (8, 50)
    """

    model: bytes
    report: Report
    calibration: Calibration


def calibrate(
    model: ModelLike,
    representative_dataset: Any,
    config: Config | None = None,
    *,
    num_samples: int | None = None,
    origin: str | None = None,
    held_back: Any = None,
    resume_dir: PathLike | None = None,
    trace: PassTrace | None = None,
) -> Calibration:
    """Find all scales and bias corrections of a float model.

    The result is compared with min-max scales. Where the network is closer to the float one with
    these, without equalization or without bias correction, it is kept that way, unless ``config``
    asks for them.

    Args:
        model: A float ``.tflite``, content or path.
        representative_dataset: Sample inputs in any form TFLite accepts, see ``SampleReader``; read
            once.
        config: Options; defaults to ``Config()``.
        num_samples: Use at most so many samples; ``None`` uses all.
        origin: What to call the model in messages; its path, or ``model``, if ``None``.
        held_back: Other samples, in the same forms, to compare on; without at least 6 of them the
            calibration samples serve, each half judging biases that the other has corrected.
        resume_dir: Folder that takes the state after every finished layer. A run that was
            interrupted goes on from there when it is repeated with the same folder, and ends with
            the same bytes.
        trace: Receives what the pass sees on its way, for a report.

    Raises:
        ModelError: The model cannot be quantized.
        DatasetError: The data set is empty, invalid or does not fit the model.
        CheckpointError: ``resume_dir`` holds the state of another run, is damaged or in use.
        ConfigError: ``config.skip`` matches nothing or everything, ``config.keep_int8`` matches
            nothing, ``config.split_channels`` what cannot be split, or ``num_samples`` is not
            positive.
        BackendError: Biases are to be fine-tuned and TensorFlow is not installed.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> record = tflite_eq.calibrate("net_float.tflite", samples)
        >>> result = tflite_eq.quantize("net_float.tflite", record)  # needs no data any more
        >>> result.calibration.data_sha256 == record.data_sha256
        True
    """
    request = Request.checked(
        model,
        representative_dataset,
        config,
        num_samples=num_samples,
        origin=origin,
        held_back=held_back,
        resume_dir=resume_dir,
    )
    return calibrate_as(request, trace)


def calibrate_as(request: Request, trace: PassTrace | None = None) -> Calibration:
    """The same as ``calibrate``, of a request that was checked before."""
    return _calibrated(request, trace)[0]


@one_thread_of_blas()
def _calibrated(request: Request, trace: PassTrace | None) -> tuple[Calibration, Prepared]:
    """The record, and the network that it is about if it has no more copies of channels."""
    model, config = request.model, request.config
    network, skipped = _checked(model, request.origin, config)
    graph = network.unsplit
    for sentence in islands.sentences(network, skipped, config):
        note(sentence)
    for sentence in stock_speed(network, skipped, config).sentences:
        note(sentence)
    trace = PassTrace() if trace is None else trace
    with contextlib.ExitStack() as stack:

        def stored(data: Any, limit: int | None, title: str) -> StoredSamples:
            if isinstance(data, StoredSamples):
                return data
            return stack.enter_context(StoredSamples(graph, data, limit, title=title))

        sha256 = hashlib.sha256(model).hexdigest()
        checkpoint = None
        if request.resume_dir is not None:
            checkpoint = Checkpoint(
                request.resume_dir, sha256, config, preferred_runtime().description
            )
            stack.callback(checkpoint.close)
        samples = stored(request.dataset, request.num_samples, "Reading the calibration data")
        if config.bias_correction is BiasCorrection.FINETUNE:
            check_enough(samples.count)
        spare = None
        if request.held_back is not None:
            spare = stored(request.held_back, None, "Reading the samples held back")
        trace.kept = samples.spread(trace.keeps)
        smaller = for_parts(graph)
        if smaller is not None:
            graph = smaller
            samples = CroppedSamples(samples, graph, config.seed)
            spare = CroppedSamples(spare, graph, config.seed) if spare else None
            height, width = graph.tensors[graph.inputs[0]].shape[1:3]
            note(f"note: large pictures: looks at a part of {height}x{width} of each sample")
        seen = observed(graph, skipped, samples, config)
        heard = heard_samples(graph, samples, seen.ends, config)
        samples = heard.samples
        if checkpoint:
            checkpoint.check_data(samples.count, samples.digest)
        seen = observed(graph, skipped, samples, config, heard.shares.keys())
        config = with_heads(network.front, graph, seen.extremes, config)
        skipped = skipped_operators(network.front, config)
        followed = followed_samples(graph, samples.count)
        if len(followed) < samples.count:
            note(
                f"note: large activations: ranges are those of all {samples.count} samples, "
                f"searches and bias correction look at {len(followed)} of them"
            )
        warnings = [*_doubts(graph, samples, seen), *heard.warnings]
        allocation = allocated(graph, skipped, samples, config, heard.shares.keys())
        config = allocation.config
        trace.allocations = allocation.sentences
        for sentence in allocation.sentences:
            note(f"note: {sentence}", of_result=True)
        graph = with_split_channels(graph, config.split_channels, config.channel_copies)
        loud, reaches = heard.shares.keys(), seen.ends.reaches()
        judges = Judges(graph, skipped, samples, followed, spare, config, loud, reaches)
        stack.callback(judges.close)
        task = CalibrationTask(graph, skipped, sha256, heard, followed, warnings, judges)
        asked = calibrated(task, config, trace, checkpoint)

        traces: dict[str, PassTrace] = {}

        def less(name: str, config: Config) -> Candidate:
            traces[name] = PassTrace()
            own = checkpoint.of_alternative(config) if checkpoint else None
            with contextlib.closing(own) if own else contextlib.nullcontext():
                return calibrated(task, config, traces[name], own)

        found = best_of(asked, graph, skipped, trace.extremes, judges, less)
        if found.comparison and found.comparison.kept in traces:
            trace.become(traces[found.comparison.kept])
        return found, network


def check_can_quantize(model: bytes, origin: str, config: Config) -> None:
    """Make all checks that take the model and the options alone, before any data are read.

    ``calibrate`` makes them, too; this is for who has more to do before it, such as opening data.

    Raises:
        TfliteEqError: As ``calibrate``.
    """
    _checked(model, origin, config)


def _checked(model: bytes, origin: str, config: Config) -> tuple[Prepared, set[int]]:
    """The network, and the operators that stay in float."""
    network = prepared(model, origin, config)
    layers = linear_layers(network.front)
    skipped = skipped_operators(network.front, config)
    check_selection(network.front, layers, skipped, config)
    if config.bias_correction is BiasCorrection.FINETUNE:
        check_can_fine_tune(network.front, layers)
    return network, skipped


def _doubts(graph: Graph, samples: StoredSamples, seen: Observed) -> list[str]:
    """What is doubtful about the samples; said at once, and once however often they serve."""
    if samples.doubts is None:
        samples.doubts = doubts_about(graph, samples, seen.kept)
        for doubt in samples.doubts:
            note(f"warning: {doubt}")
    return samples.doubts


def quantize(
    model: ModelLike,
    representative_dataset: Any,
    config: Config | None = None,
    *,
    num_samples: int | None = None,
    backend: str | None = None,
    origin: str | None = None,
    held_back: Any = None,
    resume_dir: PathLike | None = None,
    report_dir: PathLike | None = None,
    comparison: ComparisonSet | None = None,
) -> QuantizationResult:
    """Quantize a float model to int8.

    Args:
        model: A float ``.tflite``, content or path.
        representative_dataset: Sample inputs, or a ``Calibration`` made earlier for the same
            model, which is applied without looking at data again.
        config: Options. With a ``Calibration`` its own options hold, and of these only
            ``input_type`` and ``output_type`` are taken.
        num_samples: Use at most so many samples; ``None`` uses all.
        backend: Deprecated and ignored.
        origin: What to call the model in messages; its path, or ``model``, if ``None``.
        held_back: Other samples to compare calibrations on, see ``calibrate``.
        resume_dir: Folder for the state of the calibration, see ``calibrate``; applying a
            ``Calibration`` needs none.
        report_dir: Write the full report into this folder. It takes some more time, because the
            models are run side by side.
        comparison: What the report runs them on; some of the calibration samples if ``None``.

    Raises:
        TfliteEqError: One of its sub-classes says what is wrong and how to mend it.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = list(np.load("samples.npy")[:50, np.newaxis])
        >>> config = tflite_eq.Config(bits="7", input_type="int8")
        >>> result = tflite_eq.quantize("net_float.tflite", samples, config)
        >>> table = str(result.report)
        >>> table.split()[:3]
        ['layer', 'kind', 'weights']
    """
    warn_of_backend(backend)
    model, origin = given_model(model, origin)
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
        calibration.check_made_from(model, origin)
        network = None
    else:
        request = Request.checked(
            model,
            representative_dataset,
            config,
            num_samples=num_samples,
            origin=origin,
            held_back=held_back,
            resume_dir=resume_dir,
        )
        calibration, network = _calibrated(request, trace)
        if calibration.config.channel_copies != request.config.channel_copies:
            network = None
    return apply_calibration(
        model,
        calibration,
        origin=origin,
        trace=trace,
        report_dir=report_dir,
        comparison=comparison,
        network=network,
    )


@one_thread_of_blas()
def apply_calibration(
    model: bytes,
    calibration: Calibration,
    *,
    origin: str = "model",
    trace: PassTrace | None = None,
    report_dir: PathLike | None = None,
    comparison: ComparisonSet | None = None,
    guard: GuardRecord | None = None,
    network: Prepared | None = None,
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
        network: The model, prepared under the record's options, if somebody has it.

    Raises:
        TfliteEqError: The record does not fit the model, or the result is not as promised.
    """
    trace = trace or PassTrace()
    result, subject = _apply(model, calibration, origin, trace, network)
    result = dataclasses.replace(result, report=dataclasses.replace(result.report, guard=guard))
    if report_dir is not None:
        report = complete(result.report, subject, comparison or _calibration_samples(trace))
        write_report(report, report_dir)
        result = dataclasses.replace(result, report=report)
    return result


def _calibration_samples(trace: PassTrace) -> ComparisonSet | None:
    """What the models are compared on without a set of its own; nothing for a loaded record."""
    count = len(trace.kept)
    if not count:
        return None
    return ComparisonSet(trace.kept, f"{count} of the calibration samples")


def _apply(
    model: bytes,
    calibration: Calibration,
    origin: str,
    trace: PassTrace,
    network: Prepared | None,
) -> tuple[QuantizationResult, FinishedQuantization]:
    network = network or prepared(model, origin, calibration.config)
    given = network.front
    config = calibration.config
    skipped = skipped_operators(given, config)
    check_equalization(calibration.equalization, given, skipped)
    graph = with_factors(given, calibration.equalization)
    layers = linear_layers(graph)
    check_fits(calibration, graph, layers, skipped)
    written, data, notes = _written(graph, layers, calibration, skipped, origin)
    kept_float = [graph.tensors[i].name for o in skipped for i in graph.operators[o].outputs]
    check_fully_int8(Graph(written.model, origin), kept_float)
    inputs = given_inputs = checked_samples(graph, calibration, trace.kept, config.seed)

    def subject_of(graph: Graph, written: Written, data: bytes) -> WrittenModel:
        return WrittenModel(
            graph=graph,
            layers=linear_layers(graph),
            skipped=skipped,
            calibration=calibration,
            written=Graph.from_bytes(data, origin),
            meanings=written.meanings_by_index(),
            forms=written.read_by_forms(),
            limits=written.limits_by_index(),
        )

    outcome = subject_of(graph, written, data)
    check_stored(outcome)
    part, checked, float_model = for_parts(graph), data, given.model
    if part is not None:  # the same operators, which need not see all of the picture everywhere
        made, checked, _ = _written(part, linear_layers(part), calibration, skipped, origin)
        outcome, float_model = subject_of(part, made, checked), part.model
        inputs = [part_of(sample, part) for sample in given_inputs]
    ran = check_runs_everywhere(checked, inputs[0], lambda: schema.serialize(float_model))
    if part is not None:
        runtime, (kernels, *_) = next(iter(ran.items()))
        check_runs(data, given_inputs[0], runtime, kernels)
    check_computed(outcome, inputs, ran)
    front = data
    if network.tail:
        whole = with_factors(network.whole, calibration.equalization)
        _, data, notes = _written(whole, layers, calibration, skipped | network.tail, origin)
    data = with_archive_of(data, model)
    lost = lost_outputs(graph, layers, calibration)
    report = build_report(
        calibration,
        [described(runtime, kernels) for runtime, kernels in ran.items()],
        network.changes,
        islands.sentences(network, skipped, config),
        written.forms_text(),
        len(model),
        len(data),
        origin,
        trace.allocations,
    )
    for sentence in notes:
        note(sentence)
    for sentence in lost:
        note(f"warning: {sentence}")
    slow = stock_speed(network, skipped, config).sentences
    report = dataclasses.replace(report, warnings=[*report.warnings, *notes, *lost, *slow])
    subject = FinishedQuantization(
        network.unsplit, graph, layers, skipped, calibration, trace, len(model), front
    )
    return QuantizationResult(data, report, calibration), subject


def _written(
    graph: Graph,
    layers: dict[int, LinearLayer],
    calibration: Calibration,
    skipped: set[int],
    origin: str,
) -> tuple[Written, bytes, list[str]]:
    """The quantized network with its metadata, its file, and what a user should know of these."""
    config = calibration.config
    written = write(graph, layers, calibration, skipped, config.input_type, config.output_type)
    notes = tensor_metadata.adapt(Graph(written.model, origin))
    drop_unused_buffers(written.model)
    metadata.attach(
        written.model,
        metadata.Record(
            tool_version=__version__,
            backend=metadata.NAME,
            config=config.as_dict(),
            samples=calibration.samples,
            calibration_sha256=hashlib.sha256(calibration.to_text().encode()).hexdigest(),
            data_sha256=calibration.data_sha256,
            windows=_windows(Graph(written.model, origin), calibration, written),
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
    return written, data, notes


def _windows(
    graph: Graph, calibration: Calibration, written: Written
) -> dict[str, tuple[int, int]]:
    """Windows of 7 bits and fewer by the names that the tensors have in the quantized network.

    What a QUANTIZE operator makes of a float tensor has a name of its own there, and so has what a
    limit makes of that.
    """
    windows = {t.name: t.window for t in calibration.tensors if t.bits < 8}
    for index, (_, ends) in written.limits_by_index().items():
        windows[graph.tensors[index].name] = ends
    unlimited = {source for source, _ in written.limits_by_index().values()}
    for operator in graph.operators:
        if unlimited.intersection(operator.outputs):
            continue
        if operator.kind != "QUANTIZE":
            continue
        source, made = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        if source.name in windows and source.type_name != "INT8" and made.type_name == "INT8":
            windows[made.name] = windows[source.name]
    return windows
