"""The accuracy guard: quantize, evaluate, and keep the layers that cost too much."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from tflite_eq.arguments import ModelLike, check_path, checked_count
from tflite_eq.config import Config
from tflite_eq.deprecated import warn_of_backend
from tflite_eq.errors import ModelError
from tflite_eq.evaluation.classifier import may_be_classifier
from tflite_eq.evaluation.ends import inputs_of, listed, outputs_of
from tflite_eq.evaluation.intervals import samples_to_reach, smallest_upper_end
from tflite_eq.evaluation.tasks.registry import TASKS
from tflite_eq.files import PathLike
from tflite_eq.graph.model import Graph
from tflite_eq.guard.bound import Guard, check_guard
from tflite_eq.guard.candidate_models import CandidateModels, Ranking
from tflite_eq.guard.folder import GuardFolder
from tflite_eq.guard.search import Drop, KeptLayers, OperatorNames, Outcome, search
from tflite_eq.preparation import as_fed
from tflite_eq.progress import note
from tflite_eq.quantizer import QuantizationResult, apply_calibration
from tflite_eq.report.guard_record import GuardRecord, Sensitivity, Step
from tflite_eq.report.write import check_directory
from tflite_eq.request import Request
from tflite_eq.runtimes import preferred_runtime


@dataclasses.dataclass(frozen=True)
class Guarded:
    """What the guard ends with.

    Attributes:
        holds: Whether the model keeps the bound. If not, it is the best one found.
        config: The options given, with what is to be kept added to ``keep_int8`` and ``skip``:
            ``quantize`` gives the same model with them.
        result: The model, its record and report.
        record: All models tried, with their losses and prices.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = np.load("samples.npy")
        >>> guard = tflite_eq.Guard(2.0, tflite_eq.Validation.from_arrays(samples[50:]))
        >>> inputs, config = list(samples[:50, np.newaxis]), tflite_eq.Config(bits="7")
        >>> guarded = tflite_eq.quantize_guarded("net_float.tflite", inputs, guard, config)
        >>> guarded.holds
        True
        >>> isinstance(guarded, tflite_eq.Guarded), guarded.record.final.drop <= 2.0
        (True, True)
    """

    holds: bool
    config: Config
    result: QuantizationResult
    record: GuardRecord


def quantize_guarded(
    model: ModelLike,
    representative_dataset: Any,
    guard: Guard,
    config: Config | None = None,
    *,
    num_samples: int | None = None,
    backend: str | None = None,
    origin: str | None = None,
    held_back: Any = None,
    resume_dir: PathLike | None = None,
    report_dir: PathLike | None = None,
    num_workers: int | None = 1,
) -> Guarded:
    """Quantize a model so that it loses at most so much of what it is for on validation data.

    Args:
        model: A float ``.tflite``, content or path; a classifier with one input and one output if
            the guard names no task.
        representative_dataset: Sample inputs, see ``SampleReader``; read once.
        guard: The bound, and what it holds on; calibration must not have seen that.
        config: Options to start from.
        num_samples: Use at most so many calibration samples.
        backend: Deprecated and ignored.
        origin: What to call the model in messages; its path, or ``model``, if ``None``.
        held_back: Other samples to compare calibrations on, see ``calibrate``.
        resume_dir: Folder for the state of every model tried. A run that was interrupted goes on
            from there when it is repeated with the same folder, and ends with the same bytes.
        report_dir: Write the full report into this folder; it compares the models on the
            validation data.
        num_workers: Processes that evaluate; ``None`` takes one per core, which in a script needs
            the usual ``if __name__ == "__main__":`` around it.

    Raises:
        TfliteEqError: As for ``quantize`` and ``evaluate``. A bound that cannot be met is no error:
            ``holds`` tells.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = np.load("samples.npy")
        >>> guard = tflite_eq.Guard(2.0, tflite_eq.Validation.from_arrays(samples[50:]))
        >>> inputs, config = list(samples[:50, np.newaxis]), tflite_eq.Config(bits="7")
        >>> guarded = tflite_eq.quantize_guarded("net_float.tflite", inputs, guard, config)
        >>> guarded.holds
        True
        >>> int8_model = guarded.result.model
    """
    warn_of_backend(backend)
    request = Request.checked(
        model,
        representative_dataset,
        config,
        num_samples=num_samples,
        origin=origin,
        held_back=held_back,
        resume_dir=resume_dir,
    )
    check_guard(guard)
    num_workers = checked_count(num_workers, "num_workers", "processes")
    if report_dir is not None:
        check_path(report_dir, "report_dir")
        check_directory(report_dir)
    fed = as_fed(request.model, request.origin, request.config)
    if guard.judge is None:
        _check_classifier(fed, request.origin)
    folder = None
    if resume_dir is not None:
        runtime = preferred_runtime().description
        folder = GuardFolder(resume_dir, request.model, request.config, runtime)
    with contextlib.closing(CandidateModels(request, guard, folder, num_workers)) as run:
        return _guarded(run, request, fed, guard, report_dir)


def _check_classifier(model: bytes, origin: str) -> None:
    """Refuse now what ``evaluate`` would refuse after calibrating."""
    graph = Graph.from_bytes(model, origin)
    if not may_be_classifier(graph):
        raise ModelError(
            f"{origin}: a bound on what is lost needs classes to count: one input and one output "
            f"that is a vector, found inputs {listed(inputs_of(graph))} and outputs "
            f"{listed(outputs_of(graph))}; say what the network is for with --task, one of "
            f"{', '.join(TASKS)}, or how to judge it with --metric module:function"
        )


def _guarded(
    run: CandidateModels,
    request: Request,
    fed: bytes,
    guard: Guard,
    report_dir: PathLike | None,
) -> Guarded:
    """Search for what to keep, and write the model that the search ends with."""

    def measure(kept: KeptLayers) -> Drop:
        drop = run.drop(kept)
        if kept in run.impossible:
            return drop
        verdict = "holds" if drop.size <= guard.max_drop else "too much"
        note(
            f"Guard: {len(kept.int8)} layers kept in INT8, {len(kept.in_float)} operators in "
            f"float: {guard.measure} {drop.loss.text(guard.digits)}, {verdict}"
        )
        return drop

    outcome = search(guard.max_drop, measure, run.rank_units, run.rank_float)
    record = _record(run, guard, outcome)
    result = apply_calibration(
        request.model,
        run.result(outcome.kept).calibration,
        origin=request.origin,
        trace=run.trace(outcome.kept),
        report_dir=report_dir,
        comparison=None if report_dir is None else guard.validation.comparison(fed),
        guard=record,
    )
    if not outcome.holds:
        note(
            f"Guard: the bound of {record.in_unit(f'{guard.max_drop:g}')} CANNOT BE MET; the model "
            "is the best one found"
        )
    return Guarded(outcome.holds, run.config(outcome.kept), result, record)


def _record(run: CandidateModels, guard: Guard, outcome: Outcome) -> GuardRecord:
    """What was tried and found, for reports."""
    made = {kept: drop for kept, drop in outcome.measured.items() if kept not in run.impossible}
    steps = tuple(
        Step(
            kept_int8=_ordered(kept.int8, run.int8_ranking),
            kept_float=_ordered(kept.in_float, run.float_ranking),
            loss=drop.loss,
            holds=drop.size <= guard.max_drop,
            price=run.price(kept),
        )
        for kept, drop in made.items()
    )
    config = run.config(outcome.kept)
    return GuardRecord(
        bound=guard.max_drop,
        measure=guard.measure,
        images=outcome.drop.images,
        description=guard.validation.description,
        steps=steps,
        chosen=list(made).index(outcome.kept),
        int8_ranking=_ranking(run.int8_ranking, outcome.kept.int8),
        float_ranking=_ranking(run.float_ranking, outcome.kept.in_float),
        keep_int8=config.keep_int8,
        skip=config.skip,
        notes=(*_resolution(guard, outcome), *_left_out(len(run.impossible))),
        unit=guard.unit,
        digits=guard.digits,
    )


def _left_out(choices: int) -> tuple[str, ...]:
    if not choices:
        return ()
    return (f"{choices} choices were left out: an installed runtime does not run what they give.",)


def _ordered(names: OperatorNames, ranking: Ranking) -> tuple[str, ...]:
    """Names as a ranking has them, the most sensitive first."""
    ranked = dict.fromkeys(name for unit, _ in ranking for name in sorted(unit))
    return tuple(name for name in ranked if name in names)


def _ranking(ranking: Ranking, kept: OperatorNames) -> tuple[Sensitivity, ...]:
    return tuple(
        Sensitivity(tuple(sorted(unit)), noise, bool(unit & kept)) for unit, noise in ranking
    )


def _resolution(guard: Guard, outcome: Outcome) -> tuple[str, ...]:
    """What so few samples cannot tell."""
    bound, loss, images = guard.max_drop, outcome.drop.loss, outcome.drop.images
    is_paired = guard.validation.has_labels
    reach = smallest_upper_end(images, is_paired)
    # Of other figures than rates of classes nothing is known beforehand.
    if guard.judge is None and bound < reach:
        if bound > 0:
            remedy = f"use {samples_to_reach(bound, is_paired)} or more."
        else:
            remedy = "no number of images shows that nothing is lost."
        return (
            f"{images} images cannot tell a loss of {bound:g} points from a larger one: even with "
            f"none of them lost, the 95 % interval reaches to {reach:.2g} points; {remedy}",
        )
    if outcome.holds and loss.high is not None and loss.high > bound:
        return (
            f"The 95 % interval of the loss reaches to {loss.high:.{guard.digits}f}"
            f"{f' {guard.unit}' if guard.unit else ''}, beyond the bound: "
            "on other images of the same kind the loss may exceed it. More images narrow it.",
        )
    return ()
