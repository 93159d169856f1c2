"""``tflite-eq evaluate``: accuracy by labels, or closeness of all outputs to a float model's."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tflite_eq.cli.closeness_table import closeness_table
from tflite_eq.cli.flags import (
    add_preprocessing_flags,
    note_unused,
    preprocessing_from,
    warn_of_other_reading,
)
from tflite_eq.cli.models import read_tflite
from tflite_eq.cli.result import TO_STDOUT, json_alone, tell
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import open_data, subset
from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.evaluation.classifier import may_be_classifier
from tflite_eq.evaluation.comparison import OutputComparison, compare_outputs
from tflite_eq.evaluation.dispatch import Engine, Workforce
from tflite_eq.evaluation.ends import inputs_of, listed, outputs_of, with_known_sizes
from tflite_eq.evaluation.evaluator import Evaluation, ModelResult, evaluate, samples_for
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.evaluation.labels import (
    DEFAULT_LABEL_COLUMN,
    LIMIT_SEED,
    check_limit,
    holds_labels,
    open_labelled,
)
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.files import check_writable, exists, write_atomically
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note, peak_memory_mib
from tflite_eq.runtimes import Kernels

_HEADER = ("model", "MB", "top-1 %", "drop", "top-5 %", "agreement %", "cosine", "SQNR dB", "n")
_NOTHING = "-"


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "evaluate",
        help=summary,
        description="Measure .tflite classifiers on labelled images: figures are those of the "
        "logits, a final softmax is left out. Without labels compare every output of any models "
        "with that of --reference.",
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
        action="append",
        metavar="[NAME=]PATH",
        help="folder of images or recordings, or .npz file with an array of samples and an "
        "integer array of labels; without labels whatever --calibration of quantize takes, once "
        "for every input of models with several",
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
        "--reference",
        metavar="FLOAT.tflite",
        help="float model to compare the others with; needed without labels",
    )
    files.add_argument(
        "--json",
        nargs="?",
        const=TO_STDOUT,
        metavar="OUT",
        help="also write the figures to this file; without its name, print them and nothing else",
    )
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


@json_alone
def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: Anything the user can mend; nothing has been written then.
    """
    preprocessing = preprocessing_from(args)
    workforce = Workforce(args.num_workers, Engine(args.engine), args.ray_address)
    workforce.check()
    check_limit(args.limit)
    if args.json and args.json != TO_STDOUT:
        check_writable(args.json)
    models = _load(args.model, args.reference)
    reference = models.pop(0) if args.reference else None
    every = [*([reference] if reference else []), *models]
    if _is_labelled(args, every):
        judged = _judge_by_labels(args, models, reference, preprocessing)
        plain, shown = judged.to_dict(), table(judged)
    elif reference is None:
        raise ConfigError(
            f"{' '.join(args.dataset)}: holds no labels to judge models by; name the CSV file with "
            "their classes with --labels, or a float model to compare all outputs with, with "
            "--reference"
        )
    else:
        compared = _compare(args, models, reference, preprocessing)
        plain = {**compared.to_dict(), "preprocessing": preprocessing.to_dict()}
        shown = closeness_table(compared)
        for text in compared.notes:
            note(f"note: {text}")
    if args.json and args.json != TO_STDOUT:
        write_atomically(args.json, (json.dumps(plain, indent=2) + "\n").encode())
    print(shown)
    tell(args, {**plain, "peak_memory_mib": peak_memory_mib()})
    return 0


def _is_labelled(args: argparse.Namespace, models: Sequence[NamedModel]) -> bool:
    """Whether labels judge: those asked for, or those that an .npz file holds for classifiers."""
    if args.labels is not None or args.label_column is not None:
        return True
    if len(args.dataset) > 1:
        return False
    graphs = [Graph.from_bytes(model.data, model.name) for model in models]
    ends = [end for graph in graphs for end in inputs_of(graph)]
    fed = {name for end in ends for name in (end.name, end.tensor)}
    (dataset,) = args.dataset
    if not exists(dataset) and "=" not in dataset:
        raise DatasetError(
            f"{dataset}: no such file or folder; name a folder of images, or a .npy or .npz file"
        )
    if not exists(dataset) or not holds_labels(dataset, but=fed):
        return False
    for graph in graphs:
        if not may_be_classifier(graph):
            note(
                f"note: {dataset}: its labels are not used: {graph.origin} is no classifier, "
                f"which has one input and one output, a vector: {listed(outputs_of(graph))}"
            )
            return False
    return True


def _judge_by_labels(
    args: argparse.Namespace,
    models: Sequence[NamedModel],
    reference: NamedModel | None,
    preprocessing: Preprocessing,
) -> Evaluation:
    if len(args.dataset) > 1:
        raise ConfigError(
            "--dataset is given several times, and labels are for the samples of one; give it "
            "once, or leave out --labels and --label_column"
        )
    (path,) = args.dataset
    dataset = open_labelled(path, args.labels, args.label_column, args.limit)
    every = [*([reference] if reference else []), *models]
    for model, samples in zip(every, samples_for(every, dataset, preprocessing)):
        warn_of_other_reading(model.name, model.data, samples.preprocessing)
    return evaluate(
        models,
        dataset,
        preprocessing,
        reference=reference,
        kernels=Kernels(args.kernels),
        num_workers=args.num_workers,
        engine=Engine(args.engine),
        ray_address=args.ray_address,
    )


def _compare(
    args: argparse.Namespace,
    models: Sequence[NamedModel],
    reference: NamedModel,
    preprocessing: Preprocessing,
) -> OutputComparison:
    graphs = [Graph.from_bytes(model.data, model.name) for model in (reference, *models)]
    own, *others = map(inputs_of, graphs)
    sizes = [end.shape for end in with_known_sizes(own, others)]
    inputs = [
        dataclasses.replace(
            taker, shape=tuple(k if s < 0 else s for s, k in zip(taker.shape, known))
        )
        for taker, known in zip(model_inputs(graphs[0]), sizes)
    ]
    samples = open_data(args.dataset, inputs, preprocessing, "--dataset")
    note_unused(args, samples.preprocessing)
    for model in models:
        warn_of_other_reading(model.name, model.data, samples.preprocessing)
    return compare_outputs(
        models,
        reference,
        samples if args.limit is None else subset(samples, args.limit, LIMIT_SEED),
        kernels=Kernels(args.kernels),
        num_workers=args.num_workers,
        engine=Engine(args.engine),
        ray_address=args.ray_address,
    )


def table(result: Evaluation) -> str:
    """One line per model, values with their intervals, and how it was measured."""
    lines = _align([_HEADER, *(_row(model) for model in result.models)])
    lines.append(
        f"Judged as classifiers, by the labels: one output, a vector of {result.classes} classes. "
        f"Logits on {result.runtime}, {result.kernels.value} kernels; [95 % interval]."
    )
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
