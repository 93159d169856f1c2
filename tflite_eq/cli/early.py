"""What can be said of a command line before a model is loaded, which may take TensorFlow."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tflite_eq.checkpoint.state_folder import names_in
from tflite_eq.cli.flags import preprocessing_from
from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.files import exists
from tflite_eq.record.calibration import Calibration


def check_before_loading(args: argparse.Namespace) -> None:
    """Refuse what ``quantize`` could not do with any model.

    Raises:
        TfliteEqError: An option, a record or a path that is no use.
    """
    if args.num_samples is not None and args.num_samples < 1:
        raise ConfigError(f"--num_samples {args.num_samples}: at least one sample is needed")
    preprocessing_from(args)
    for option, path in _paths(args):
        if not exists(path):
            raise DatasetError(
                f"{path}: no such file or folder; name one with {option} that is there"
            )
    if args.resume_dir and exists(args.resume_dir):
        names_in(args.resume_dir)
    if args.load_calibration:
        Calibration.load(args.load_calibration)


def _paths(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Paths that must be there, whatever the model; what may be more than a path is not told."""
    for option in ("calibration", "validation", "labels", "truth"):
        given = getattr(args, option)
        for value in [given] if isinstance(given, str) else given or ():
            if exists(value) or not ("=" in value or ":" in value):
                yield f"--{option}", value
