"""The accuracy guard on the command line: ``--max_drop`` and what is printed about it."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import Any

from tflite_eq.cli.flags import preprocessing_from
from tflite_eq.cli.models import classes_of, input_shape_of
from tflite_eq.data.sources import open_calibration
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.labels import LabelledSet, Unlabelled, holds_labels, open_labelled
from tflite_eq.guard.guard import Guarded, Validation, check_bound
from tflite_eq.guard.price import Price
from tflite_eq.report.model import TargetSummary
from tflite_eq.targets import Target

NOT_MET = 3  # exit code


def check_flags(args: argparse.Namespace) -> None:
    """Refuse a bound that cannot be checked.

    Raises:
        ConfigError: It means nothing, or options that it needs are missing or contradict it.
    """
    check_bound(args.max_drop)
    if not args.validation:
        raise ConfigError(
            "--max_drop holds on validation data: name images or arrays with --validation, and "
            "their classes with --labels if there are any"
        )
    if args.load_calibration:
        raise ConfigError(
            "--max_drop and --load_calibration exclude each other: the guard calibrates again for "
            "every choice of layers; a record already holds one"
        )


def validation_from(args: argparse.Namespace, model: bytes) -> Validation:
    """What ``--validation`` and ``--labels`` name; an ``.npz`` file may hold its own labels.

    Raises:
        TfliteEqError: The data or labels are missing, unreadable or of the wrong form.
    """
    preprocessing = preprocessing_from(args)
    has_labels = bool(args.labels) or holds_labels(args.validation)
    dataset: LabelledSet
    if has_labels:
        dataset = open_labelled(args.validation, args.labels)
        dataset.check_classes(classes_of(args.model, model))
    else:
        shape = input_shape_of(args.model, model)
        dataset = Unlabelled(
            open_calibration(args.validation, shape, preprocessing, sys.maxsize, seed=0)
        )
    return Validation(dataset, preprocessing, has_labels)


def text(guarded: Guarded, max_drop: float) -> str:
    """What the guard found, what it costs, and the options that give the same model without it."""
    outcome, drop = guarded.outcome, guarded.outcome.drop
    end = "holds" if outcome.holds else "CANNOT BE MET; this is the best model found"
    lines = [
        f"Guard: {guarded.measure} {drop.points:.2f} ± {drop.standard_error:.2f} points on "
        f"{drop.images} images ({outcome.plain.points:.2f} with nothing kept); the bound of "
        f"{max_drop:g} {end}. {outcome.tries} models tried.",
        *_resolution(guarded, max_drop),
        f"Kept in INT8: {_names(outcome.kept.int8)}. Kept in float: "
        f"{_names(outcome.kept.in_float)}.",
    ]
    options = _options(guarded)
    if options:
        lines += ["The same model without --max_drop:", f"  {options}"]
    if outcome.kept.int8 or outcome.kept.in_float:
        lines += _price(guarded)
    return "\n".join(lines)


def summary(guarded: Guarded, max_drop: float) -> dict[str, Any]:
    """The same for scripts."""
    outcome = guarded.outcome
    return {
        "bound": max_drop,
        "holds": outcome.holds,
        "measure": guarded.measure,
        "drop": outcome.drop.points,
        "standard_error": outcome.drop.standard_error,
        "images": outcome.drop.images,
        "plain_drop": outcome.plain.points,
        "kept_int8": sorted(outcome.kept.int8),
        "kept_float": sorted(outcome.kept.in_float),
        "tries": outcome.tries,
        "keep_int8": guarded.config.keep_int8,
        "skip": guarded.config.skip,
        "plain_bytes": guarded.plain_price.size_bytes,
    }


def _resolution(guarded: Guarded, max_drop: float) -> list[str]:
    """What so few images cannot tell."""
    drop = guarded.outcome.drop
    step = 100 / drop.images
    if max_drop < step:
        return [
            f"One of {drop.images} images is {step:.2g} points, so they cannot tell a loss of "
            f"{max_drop:g} from none: use {-(-100 // max_drop):.0f} or more."
            if max_drop
            else f"One of {drop.images} images is {step:.2g} points: a smaller loss does not show."
        ]
    if guarded.outcome.holds and drop.points + 2 * drop.standard_error > max_drop:
        return [
            "The bound lies within two standard errors of the figure: on other images of the same "
            "kind the loss may exceed it. More images make it sharper."
        ]
    return []


def _options(guarded: Guarded) -> str:
    """The expressions, quoted for a shell."""
    given = {"--keep_int8": guarded.config.keep_int8, "--skip": guarded.config.skip}
    return " ".join(f"{flag} {shlex.quote(value)}" for flag, value in given.items() if value)


def _names(names: frozenset[str]) -> str:
    firsts = sorted(name.split(";")[0] for name in names)  # the rest is what was fused into them
    return f"{len(names)} ({', '.join(firsts)})" if names else "none"


def _price(guarded: Guarded) -> list[str]:
    before, after = guarded.plain_price, guarded.price
    lines = [
        f"Price: {after.size_bytes - before.size_bytes:+,} bytes "
        f"({before.size_bytes:,} -> {after.size_bytes:,})."
    ]
    if after.float_share > before.float_share:
        lines.append(
            f"{100 * after.float_share:.1f} % of the multiplications are in float (before "
            f"{100 * before.float_share:.1f} %), at the speed of float kernels and with "
            "conversions around them; the estimates below do not count that."
        )
    target = guarded.config.target
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
        f"{new.convolutions} convolutions claimed."
        for old, new in known
    ]
