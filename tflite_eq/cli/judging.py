"""Flags that say what a network is for, shared by ``evaluate`` and the guard of ``quantize``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from tflite_eq.cli.functions import FunctionData
from tflite_eq.data.dataset import elements
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.tasks.base import NetworkTask
from tflite_eq.evaluation.tasks.own import Metric
from tflite_eq.evaluation.tasks.registry import TASKS, Judge, judge
from tflite_eq.evaluation.truth import check_geometry, open_truth
from tflite_eq.user_functions import imported, imported_function, names_function

JUDGING_FLAGS = ("task", "metric", "decode", "task_option", "truth")


def add_judging_flags(
    parser: argparse.ArgumentParser, which_truth: str, is_bound: bool = False
) -> None:
    """Add ``--task``, ``--metric``, ``--decode``, ``--task_option`` and ``--truth``.

    Args:
        parser: The command's.
        which_truth: What samples the truth is of.
        is_bound: Whether ``--metric`` may name one of a task's figures.
    """
    group = parser.add_argument_group(
        "task", "What the network is for, and how that is judged; see docs/tasks.md."
    )
    group.add_argument(
        "--task",
        choices=list(TASKS),
        help="judge by the figures of this field, against --truth or --labels, or without them "
        "against the float model",
    )
    group.add_argument(
        "--metric",
        metavar="MODULE:FUNCTION",
        help="judge by a function of yours, found from the current folder, too"
        + ("; or the name of one of the task's figures, which --max_drop is about" * is_bound),
    )
    group.add_argument(
        "--decode",
        metavar="MODULE:FUNCTION",
        help="function that makes of a dict of outputs what the task judges, such as boxes",
    )
    group.add_argument(
        "--task_option",
        action="append",
        metavar="NAME=VALUE",
        help="an option of the task, such as min_score=0.3; repeat the flag for several",
    )
    group.add_argument(
        "--truth",
        metavar="PATH",
        help=f"what is expected of {which_truth}: an array in a .npy or .npz file, a folder with "
        "an image or .npy file for each, called the same, COCO's annotations (JSON) for detect, "
        "or module:function",
    )


def judge_from(args: argparse.Namespace) -> Judge | None:
    """How to judge; ``None`` if no flag says anything.

    Raises:
        TfliteEqError: The flags contradict each other, or a function cannot be imported.
    """
    said = said_from(args)
    return judge(**said) if said else None


def said_from(args: argparse.Namespace) -> dict[str, Any]:
    """What the flags say, as ``Guard`` takes it; empty if they say nothing.

    Raises:
        TfliteEqError: They contradict each other, or a function cannot be imported.
    """
    if all(getattr(args, flag) is None for flag in JUDGING_FLAGS if flag != "truth"):
        if args.truth is not None:
            raise ConfigError(
                f"--truth {args.truth}: of what is not said; give --task, one of "
                f"{', '.join(TASKS)}, or --metric module:function"
            )
        return {}
    metric: Any = args.metric
    if metric is not None and (args.task is None or names_function(metric)):
        found = imported(metric) if names_function(metric) else None
        metric = found if isinstance(found, Metric) else imported_function(metric, "--metric")
    decode = None if args.decode is None else imported_function(args.decode, "--decode")
    options = _options(args.task_option or ()) or None
    return {"task": args.task, "metric": metric, "decode": decode, "task_options": options}


def truth_from(
    args: argparse.Namespace, task: NetworkTask, resize: str, names: Sequence[str]
) -> Sequence[Any]:
    """What ``--truth`` names, one entry for every sample.

    Args:
        args: The command line.
        task: What it is the truth of.
        resize: How images get the input's size.
        names: What samples are called.

    Raises:
        TfliteEqError: It cannot be read, or does not fit the samples.
    """
    given = function_truth(args)
    if given is not None:
        return given
    check_geometry(task, args.truth, resize, names)
    return open_truth(args.truth, task, names)


def function_truth(args: argparse.Namespace) -> list[Any] | None:
    """What the function gives that ``--truth`` names; ``None`` if it names none.

    Raises:
        DatasetError: The function fails.
    """
    if args.truth is None or not names_function(args.truth):
        return None
    return list(elements(FunctionData(args.truth)))


def _options(given: Sequence[str]) -> dict[str, str]:
    options = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign or not name:
            raise ConfigError(f"--task_option {one}: expected NAME=VALUE, such as min_score=0.3")
        if name in options:
            raise ConfigError(f"--task_option {one}: {name} is given twice; give it once")
        options[name] = value
    return options
