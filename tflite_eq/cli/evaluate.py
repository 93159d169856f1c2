"""``tflite-eq evaluate``: accuracy by labels or a task, or closeness to a float model's outputs."""

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
from tflite_eq.cli.judging import add_judging_flags, judge_from, truth_from
from tflite_eq.cli.label_table import label_table
from tflite_eq.cli.models import read_tflite
from tflite_eq.cli.result import TO_STDOUT, json_alone, tell
from tflite_eq.cli.task_table import task_table
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import ModelSamples, choose, open_data, subset
from tflite_eq.errors import ConfigError, DatasetError, ModelError
from tflite_eq.evaluation.classifier import may_be_classifier
from tflite_eq.evaluation.comparison import OutputComparison, compare_outputs
from tflite_eq.evaluation.dispatch import Engine, Workforce
from tflite_eq.evaluation.ends import inputs_of, listed, outputs_of, with_known_sizes
from tflite_eq.evaluation.evaluator import Evaluation, evaluate, samples_for
from tflite_eq.evaluation.labels import (
    DEFAULT_LABEL_COLUMN,
    LIMIT_SEED,
    check_limit,
    holds_labels,
    open_labelled,
)
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.evaluation.task_evaluator import TaskEvaluation, evaluate_task
from tflite_eq.evaluation.tasks.own import Own
from tflite_eq.evaluation.tasks.registry import Judge
from tflite_eq.evaluation.truth import given_truth
from tflite_eq.files import check_writable, exists, write_atomically
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note, peak_memory_mib
from tflite_eq.runtimes import Kernels


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "evaluate",
        help=summary,
        description="Measure .tflite classifiers on labelled images: figures are those of the "
        "logits, a final softmax is left out. With --task or --metric judge any models by "
        "what they are for. With --reference alone compare all outputs of any models with its own.",
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
    add_judging_flags(parser, "each sample of --dataset")
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
    judge = judge_from(args)
    if judge is not None and not _are_labels_enough(args, judge):
        found = _judge_by_task(args, judge, models, reference, preprocessing)
        plain = {**found.to_dict(), "preprocessing": preprocessing.to_dict()}
        shown = task_table(found)
        for text in found.notes:
            note(f"note: {text}")
    elif judge is not None or _is_labelled(args, every):
        judged = _judge_by_labels(args, models, reference, preprocessing)
        plain, shown = judged.to_dict(), label_table(judged)
    elif reference is None:
        raise ConfigError(
            f"{' '.join(args.dataset)}: holds no labels to judge models by; name the CSV file with "
            "their classes with --labels, a float model to compare all outputs with, with "
            "--reference, or what they are for with --task and --truth"
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
        raise _several_with_labels()
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


def _are_labels_enough(args: argparse.Namespace, judge: Judge) -> bool:
    """Whether it is about classifiers whose logits the labels judge, with nothing else to know."""
    return judge.is_of_classes(args.truth is not None) and _has_labels(args)


def _has_labels(args: argparse.Namespace) -> bool:
    """Whether there are labels for a task that takes them."""
    if args.labels is not None or args.label_column is not None:
        return True
    return len(args.dataset) == 1 and exists(args.dataset[0]) and holds_labels(args.dataset[0])


def _judge_by_task(
    args: argparse.Namespace,
    judge: Judge,
    models: Sequence[NamedModel],
    reference: NamedModel | None,
    preprocessing: Preprocessing,
) -> TaskEvaluation:
    if judge.figure:
        raise ConfigError(
            f"--metric {judge.figure}: evaluate shows all figures of a task; leave it out, or name "
            "a function of yours in place of --task: module:function"
        )
    every = [*([reference] if reference else []), *models]
    takes_labels = judge.task.takes_labels or isinstance(judge.task, Own)
    is_labelled = args.labels is not None or args.label_column is not None
    if is_labelled and (args.truth is not None or not takes_labels):
        raise ConfigError(
            f"--labels are class numbers; {judge.name} judges by --truth: "
            f"{judge.task.takes_truth}; leave out --labels and --label_column"
        )
    if args.truth is None and judge.task.takes_labels and _has_labels(args):
        is_labelled = True
    if is_labelled:
        samples, truth = _labelled(args, judge, every[0], preprocessing)
    else:
        samples = _samples(args, every, preprocessing)
        chosen = choose(len(samples), args.limit or len(samples), LIMIT_SEED)
        truth = None
        if args.truth is not None:
            names = [samples.name(index) for index in range(len(samples))]
            values = truth_from(args, judge.task, preprocessing.resize.value, names)
            if len(values) != len(samples):
                chosen = list(range(len(samples)))  # for the error about that
            else:
                values = [values[index] for index in chosen]
            truth = given_truth(values, judge.task, [names[index] for index in chosen])
        samples = samples.select(chosen)
    return evaluate_task(
        models,
        samples,
        judge,
        truth=truth,
        reference=reference,
        kernels=Kernels(args.kernels),
        num_workers=args.num_workers,
        engine=Engine(args.engine),
        ray_address=args.ray_address,
    )


def _labelled(
    args: argparse.Namespace, judge: Judge, model: NamedModel, preprocessing: Preprocessing
) -> tuple[ModelSamples, Any]:
    """The samples that have labels, and these."""
    if len(args.dataset) > 1:
        raise _several_with_labels()
    (path,) = args.dataset
    dataset = open_labelled(path, args.labels, args.label_column, args.limit)
    own = inputs_of(Graph.from_bytes(model.data, model.name))
    if len(own) != 1:
        raise ModelError(
            f"{model.name}: has {len(own)} inputs, and labels are for models with one; give "
            "--truth in place of --labels"
        )
    samples = dataset.samples(own[0].shape, preprocessing)
    names = [samples.name(index) for index in range(len(samples))]
    return samples, given_truth(dataset.labels, judge.task, names)


def _compare(
    args: argparse.Namespace,
    models: Sequence[NamedModel],
    reference: NamedModel,
    preprocessing: Preprocessing,
) -> OutputComparison:
    samples = _samples(args, [reference, *models], preprocessing)
    return compare_outputs(
        models,
        reference,
        samples if args.limit is None else subset(samples, args.limit, LIMIT_SEED),
        kernels=Kernels(args.kernels),
        num_workers=args.num_workers,
        engine=Engine(args.engine),
        ray_address=args.ray_address,
    )


def _samples(
    args: argparse.Namespace, models: Sequence[NamedModel], preprocessing: Preprocessing
) -> ModelSamples:
    """What ``--dataset`` names, for the inputs of the first model."""
    graphs = [Graph.from_bytes(model.data, model.name) for model in models]
    own, *others = map(inputs_of, graphs)
    sizes = [end.shape for end in with_known_sizes(own, others)]
    inputs = [
        dataclasses.replace(
            taker,
            shape=tuple(k if s < 0 else s for s, k in zip(taker.shape, known)),
            usual=next((u for u in usual if u), ()),
        )
        for taker, known, usual in zip(
            model_inputs(graphs[0]), sizes, _usual_sizes(graphs, len(sizes))
        )
    ]
    samples = open_data(args.dataset, inputs, preprocessing, "--dataset")
    note_unused(args, samples.preprocessing)
    for model in models:
        warn_of_other_reading(model.name, model.data, samples.preprocessing)
    return samples


def _usual_sizes(graphs: Sequence[Graph], count: int) -> list[list[tuple[int, ...]]]:
    """By input, what each model with so many inputs was calibrated with."""
    known = [[taker.usual for taker in model_inputs(graph)] for graph in graphs]
    return [[usual[i] for usual in known if len(usual) == count] for i in range(count)]


def _several_with_labels() -> ConfigError:
    return ConfigError(
        "--dataset is given several times, and labels are for the samples of one; give it "
        "once, or leave out --labels and --label_column"
    )


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
