"""The accuracy guard on the command line: ``--max_drop`` and what is printed about it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from tflite_eq.cli.judging import JUDGING_FLAGS, function_truth, judge_from, said_from
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import located
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.intervals import CONFIDENCE
from tflite_eq.graph.inputs import ModelInput
from tflite_eq.graph.model import Graph
from tflite_eq.guard.bound import Guard, check_bound
from tflite_eq.guard.validation import Validation, open_validation
from tflite_eq.progress import note
from tflite_eq.report.guard_record import GuardRecord, Price
from tflite_eq.report.model import TargetSummary
from tflite_eq.report.table import short_names
from tflite_eq.targets import Target
from tflite_eq.user_functions import names_function

NOT_MET = 3  # exit code


def check_flags(args: argparse.Namespace) -> None:
    """Refuse a bound that cannot be checked.

    Raises:
        ConfigError: It means nothing, or options that it needs are missing or contradict it.
    """
    check_bound(args.max_drop, "" if said_from(args) else "points")
    if not args.validation:
        raise ConfigError(
            "--max_drop holds on validation data: name images or arrays with --validation, and "
            "their classes with --labels or what a task expects with --truth if there are any"
        )
    if args.load_calibration:
        raise ConfigError(
            "--max_drop and --load_calibration exclude each other: the guard calibrates again for "
            "every choice of layers; a record already holds one"
        )


def check_unguarded_flags(args: argparse.Namespace) -> None:
    """Refuse flags that say what a bound is about where there is none.

    Raises:
        ConfigError: They do.
    """
    flags = [flag for flag in JUDGING_FLAGS if getattr(args, flag) is not None]
    if flags:
        raise ConfigError(
            f"--{flags[0]} says what --max_drop is about; add a bound, such as --max_drop 0.5, or "
            "leave it out"
        )


def validation_from(
    args: argparse.Namespace, graph: Graph, preprocessing: Preprocessing
) -> Validation:
    """What ``--validation`` names, with what is expected of it.

    Raises:
        TfliteEqError: It cannot be read or is of the wrong form.
    """
    truth = function_truth(args)
    return open_validation(
        graph,
        args.validation,
        args.labels,
        args.label_column,
        preprocessing,
        judge=judge_from(args),
        truth=args.truth if truth is None else truth,
    )


def guard_from(args: argparse.Namespace, validation: Validation) -> Guard:
    """The bound.

    Raises:
        TfliteEqError: It means nothing.
    """
    return Guard(args.max_drop, validation, **said_from(args))


def warn_of_seen_data(args: argparse.Namespace, inputs: Sequence[ModelInput]) -> None:
    """Say so if the bound is checked on what calibration has seen."""
    if any(map(names_function, args.calibration)):
        return
    seen, judged = (
        {os.path.realpath(place.path) for place in located(data, inputs, option).values()}
        for data, option in ((args.calibration, "--calibration"), (args.validation, "--validation"))
    )
    if seen & judged:
        note(
            "warning: --validation and --calibration name the same data: on samples that "
            "calibration has seen the loss looks smaller than it is"
        )


def text(record: GuardRecord, target: Target) -> str:
    """What the guard found, what it costs, and the options that give the same model without it."""
    final = record.final
    end = "holds" if final.holds else "CANNOT BE MET; this is the best model found"
    lines = [
        f"Guard: {record.measure} {record.in_unit(final.loss.text(record.digits))} on "
        f"{record.images} images ({record.plain.drop:.{record.digits}f} with nothing kept); the "
        f"bound of "
        f"{record.bound:g} {end}. Models tried: {len(record.steps)}.",
        *record.notes,
        f"Kept in INT8: {_names(final.kept_int8)}. Kept in float: {_names(final.kept_float)}.",
    ]
    if record.options:
        lines += ["The same model without --max_drop:", f"  {' '.join(record.options)}"]
    if final.kept_int8 or final.kept_float:
        lines += _price(record, target)
    return "\n".join(lines)


def summary(record: GuardRecord) -> dict[str, Any]:
    """The same for scripts."""
    final = record.final
    return {
        "bound": record.bound,
        "holds": final.holds,
        "measure": record.measure,
        "unit": record.unit,
        "drop": final.drop,
        "drop_low": final.loss.low,
        "drop_high": final.loss.high,
        "confidence": CONFIDENCE,
        "images": record.images,
        "plain_drop": record.plain.drop,
        "kept_int8": list(final.kept_int8),
        "kept_float": list(final.kept_float),
        "tries": len(record.steps),
        "keep_int8": record.keep_int8,
        "skip": record.skip,
        "plain_bytes": record.plain.price.size_bytes,
    }


def _names(names: tuple[str, ...]) -> str:
    return f"{len(names)} ({', '.join(short_names(names, length=80))})" if names else "none"


def _price(record: GuardRecord, target: Target) -> list[str]:
    before, after = record.plain.price, record.final.price
    lines = [
        f"Price: {after.size_bytes - before.size_bytes:+,} bytes "
        f"({before.size_bytes:,} -> {after.size_bytes:,})."
    ]
    if after.float_share > before.float_share:
        lines.append(
            f"{100 * after.float_share:.2g} % of the multiplications are in float (before "
            f"{100 * before.float_share:.2g} %), at the speed of float kernels and with "
            "conversions around them; the estimates below do not count that."
        )
    rows = [
        (old, new)
        for old, new in zip(before.targets, after.targets)
        if target is Target.GENERIC or new.target == target.value
    ]
    return lines + _speed(rows, after)


def _speed(rows: list[tuple[TargetSummary, TargetSummary]], after: Price) -> list[str]:
    known = [(old, new) for old, new in rows if old.supported and new.supported]
    if not known:
        notes = [new.note for _, new in rows] or [new.note for new in after.targets]
        return [f"Price in speed unknown: {notes[0]}"]
    return [
        f"Speed-up to expect of the delegate on {new.target} (an estimate): {new.speedup:.2f} "
        f"instead of {old.speedup:.2f}, {new.claimed} instead of {old.claimed} of "
        f"{new.operators} operators claimed."
        for old, new in known
    ]
