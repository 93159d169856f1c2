"""``tflite-eq evaluate``: accuracy of models, side by side, on labelled images."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tflite_eq.cli.flags import add_preprocessing_flags, preprocessing_from, warn_of_other_reading
from tflite_eq.cli.models import read_tflite
from tflite_eq.evaluation.classifier import input_shape
from tflite_eq.evaluation.evaluator import Engine, Evaluation, ModelResult, evaluate
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.evaluation.labels import DEFAULT_LABEL_COLUMN, open_labelled
from tflite_eq.evaluation.team import NamedModel
from tflite_eq.files import check_writable, exists, write_atomically
from tflite_eq.progress import peak_memory_mib
from tflite_eq.runtimes import Kernels

_HEADER = ("model", "MB", "top-1 %", "drop", "top-5 %", "agreement %", "cosine", "SQNR dB", "n")
_NOTHING = "-"


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "evaluate",
        help=summary,
        description="Measure .tflite classifiers on labelled images. Figures are those of the "
        "logits: a final softmax is left out.",
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="X.tflite",
        help="model to measure, float or quantized; repeat the flag to compare several",
    )
    files.add_argument(
        "--dataset",
        required=True,
        metavar="DIR|FILE.npz",
        help="folder of images or recordings, or .npz file with an array of samples and an "
        "integer array of labels",
    )
    files.add_argument(
        "--labels",
        metavar="CSV",
        help="for a folder: CSV file with the columns 'file', relative to the folder, and "
        f"'{DEFAULT_LABEL_COLUMN}', a class number from 0; rows without a label are skipped",
    )
    files.add_argument(
        "--label_column",
        metavar="NAME",
        help=f"column of the CSV file, or array of the .npz file, with the labels "
        f"({DEFAULT_LABEL_COLUMN})",
    )
    files.add_argument(
        "--reference", metavar="FLOAT.tflite", help="float model to compare the others with"
    )
    files.add_argument("--json", metavar="OUT", help="also write the figures to this file")
    add_preprocessing_flags(parser)
    running = parser.add_argument_group("running")
    running.add_argument(
        "--kernels",
        choices=[kernels.value for kernels in Kernels],
        default=Kernels.DEFAULT.value,
        help="kernels to compute with: the runtime's default, built-in ones without XNNPACK, or "
        "the slow reference ones, the same on every machine (default)",
    )
    running.add_argument(
        "--num_workers", type=int, metavar="N", help="processes to use at once (one per core)"
    )
    running.add_argument(
        "--engine",
        choices=[engine.value for engine in Engine],
        default=Engine.LOCAL.value,
        help="who does the work: processes of this machine, or a Ray cluster, whose machines all "
        "need this package and the dataset under the same path (local)",
    )
    running.add_argument(
        "--ray_address",
        metavar="ADDRESS",
        help="of a running Ray cluster, such as auto or ray://HOST:10001; without it Ray is "
        "started on this machine",
    )
    running.add_argument(
        "--limit", type=int, metavar="N", help="use N of the images only, always the same ones"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: Anything the user can mend; nothing has been written then.
    """
    preprocessing = preprocessing_from(args)
    if args.json:
        check_writable(args.json)
    models = _load(args.model, args.reference)
    reference = models.pop(0) if args.reference else None
    dataset = open_labelled(args.dataset, args.labels, args.label_column, args.limit)
    for model in models:
        samples = dataset.samples(input_shape(model.data, model.name), preprocessing)
        warn_of_other_reading(model.name, model.data, samples.preprocessing)
    result = evaluate(
        models,
        dataset,
        preprocessing,
        reference=reference,
        kernels=Kernels(args.kernels),
        num_workers=args.num_workers,
        engine=Engine(args.engine),
        ray_address=args.ray_address,
    )
    if args.json:
        write_atomically(args.json, (json.dumps(result.to_dict(), indent=2) + "\n").encode())
    print(table(result))
    line = {**result.to_dict(), "peak_memory_mib": peak_memory_mib()}
    print(f"RESULT {json.dumps(line)}")
    return 0


def table(result: Evaluation) -> str:
    """One line per model, values with their intervals, and how it was measured."""
    lines = _align([_HEADER, *(_row(model) for model in result.models)])
    lines.append(f"Logits on {result.runtime}, {result.kernels.value} kernels; [95 % interval].")
    if any(model.is_reference for model in result.models):
        lines.append(
            "Drop is top-1 of the reference (*) minus top-1, in points; agreement, cosine and "
            "SQNR compare with the reference."
        )
    return "\n".join(lines)


def _row(model: ModelResult) -> tuple[str, ...]:
    figures = model.metrics
    return (
        f"{model.name}{' *' if model.is_reference else ''}",
        f"{model.size_bytes / 1e6:.2f}",
        _shown(figures.top1, 1),
        _NOTHING if model.is_reference else _shown(figures.top1_drop, 1),
        _shown(figures.top5, 1),
        _NOTHING if model.is_reference else _shown(figures.agreement, 1),
        _NOTHING if model.is_reference else _shown(figures.cosine, 4),
        _NOTHING if model.is_reference else _shown(figures.sqnr_db, 1),
        str(figures.n),
    )


def _shown(figure: Estimate | None, digits: int) -> str:
    return _NOTHING if figure is None else figure.text(digits)


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns padded to equal width, all but the first to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
        ).rstrip()
        for row in rows
    ]


def _load(paths: Sequence[str], reference: str | None) -> list[NamedModel]:
    """The reference, if any, then the other models, each file once.

    Models go by their file names, or by their paths where file names are the same.
    """
    distinct = [reference] if reference else []
    for path in paths:
        if not any(_same_file(path, other) for other in distinct):
            distinct.append(path)
    names = [Path(path).name for path in distinct]
    return [
        NamedModel(name if names.count(name) == 1 else path, read_tflite(path))
        for name, path in zip(names, distinct)
    ]


def _same_file(path: str, other: str) -> bool:
    return exists(path) and exists(other) and os.path.samefile(path, other)
