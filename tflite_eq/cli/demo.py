"""``tflite-eq demo``: quantize a small network that comes along, and say how close it stays."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from tflite_eq.cli.label_table import label_table
from tflite_eq.cli.result import add_json_flag, json_alone, tell
from tflite_eq.config import Config
from tflite_eq.demonstration import digits
from tflite_eq.errors import TfliteEqError
from tflite_eq.evaluating import evaluate
from tflite_eq.evaluation.evaluator import Evaluation
from tflite_eq.files import write_atomically
from tflite_eq.guard.validation import Validation
from tflite_eq.quantizer import quantize
from tflite_eq.runtimes import Kernels

OUTPUT = "net_int8.tflite"
_DEFAULT, _OURS = "TFLite's default", "tflite_eq"

# TFLite's default post-training quantization: the extremes of activations, nearest codes.
TFLITE_DEFAULT = Config(method="minmax", equalization="none", bias_correction="none")


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "demo",
        help=summary,
        description="Quantize a small network for handwritten digits that comes with the package, "
        "in TFLite's default way and in this package's, and compare both with the float network on "
        "719 images that neither training nor calibration has seen. Takes some seconds. Network, "
        "samples and result are left in a folder to go on with.",
    )
    parser.add_argument(
        "--output_dir",
        default="tflite_eq_demo",
        metavar="DIR",
        help="folder for the files, made if it is not there (tflite_eq_demo)",
    )
    add_json_flag(parser)
    parser.set_defaults(run=run)


@json_alone
def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: The folder cannot be written to.
    """
    folder = Path(args.output_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TfliteEqError(
            f"--output_dir {folder}: {error.strerror}; name a folder that you may write to"
        ) from error
    given = digits.write(folder)
    samples = list(given.samples[:, np.newaxis])
    default = quantize(given.model, samples, TFLITE_DEFAULT).model
    ours = quantize(given.model, samples).model
    write_atomically(folder / OUTPUT, ours)
    found = evaluate(
        {_DEFAULT: default, _OURS: ours},
        Validation.from_arrays(given.validation_samples, given.validation_labels.tolist()),
        reference=given.model,
        # The same figures for the same files on every machine.
        kernels=Kernels.REFERENCE.value,
    )
    print(label_table(found))
    print(
        f"In {folder} are the float network ({digits.MODEL}), {len(samples)} inputs of it "
        f"({digits.SAMPLES}), the {len(given.validation_labels)} others with their labels "
        f"({digits.VALIDATION}) and the result ({OUTPUT})."
    )
    print(sentence(found))
    if args.json:
        tell(args, {**found.to_dict(), "output_dir": str(folder)})
    return 0


def sentence(found: Evaluation) -> str:
    """What the demonstration shows, in one line."""
    by_name = {model.name: model.metrics.sqnr_db for model in found.models}
    default, ours = by_name[_DEFAULT], by_name[_OURS]
    assert default is not None
    assert ours is not None
    return (
        f"What int8 adds to the outputs is {ours.value:.1f} dB below them, by TFLite's default "
        f"{default.value:.1f} dB: {10 ** ((ours.value - default.value) / 10):.1f} times less noise."
    )
