"""docs/tasks.md: its examples run, and it lists the tasks, figures and options that there are."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np

import tflite_eq
from tests.evaluation.tasks import networks
from tflite_eq.cli.main import parse
from tflite_eq.evaluation.tasks.detect import Detect
from tflite_eq.evaluation.tasks.registry import TASKS, judge

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "tasks.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def rows(heading: str) -> dict[str, list[str]]:
    """Cells of a table by the first of each row."""
    lines = TEXT[TEXT.index(heading) :].splitlines()[2:]
    table = [line.strip("|").split("|") for line in lines[: lines.index("")]]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in table}


def test_python_examples_run() -> None:
    samples = networks.samples()
    names: dict[str, Any] = {
        "validation_samples": samples,
        "masks": np.zeros((len(samples), 8, 8), int),
        "int8_model": networks.segmenter(0.4),
        "float_model": networks.segmenter(),
        "representative_dataset": [[sample[np.newaxis]] for sample in samples],
    }
    examples = blocks("python")
    assert len(examples) == 4
    for example in examples:
        exec(example, names)
    found = names["boxes"]({"out": np.array([[[0.5, 0.4, 0.2, 0.4, 0.9, 3.0]]])})
    formed = Detect().form(found)
    np.testing.assert_allclose(formed.corners, [[0.4, 0.2, 0.6, 0.6]])
    assert (formed.classes.tolist(), formed.scores.tolist()) == ([3], [0.9])
    for metric in ("pitch", "recall"):
        assert judge(None, names[metric]).bound_figure(False).title
    assert names["recall_of_all"]([(1, 2), (1, 2)]) == 50
    assert names["guarded"].record.measure == "pixels loss"


def test_commands_parse() -> None:
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith("tflite-eq")]
    assert {command[1] for command in commands} == {"evaluate", "quantize"}
    for command in commands:
        parse(command)


def test_every_task_and_figure_is_listed() -> None:
    table = rows("| `--task` |")
    assert list(table) == list(TASKS)
    for name, (_, with_truth, without) in table.items():
        task = TASKS[name]()
        figures = {has: [f.name for f in task.figures(has)] for has in (True, False)}
        assert re.findall(r"`(\w+)`", with_truth) == figures[True]
        if not without.startswith("the same"):
            assert re.findall(r"`(\w+)`", without) == figures[False]
        else:
            assert figures[True] == figures[False]
        is_lower = not task.figures(True)[0].higher_is_better
        assert ("*lower*" in with_truth) == is_lower


def test_every_option_is_listed_with_its_default() -> None:
    for name, (_, options) in rows("| task | what it takes").items():
        fields = {f.name: f.default for f in dataclasses.fields(TASKS[name])}
        fields = {k: v for k, v in fields.items() if k not in ("output", "slots")}
        listed = dict(re.findall(r"`(\w+)(=?[\d.]*)`", options))
        assert set(listed) == set(fields), name
        for option, value in listed.items():
            if value:
                assert float(value[1:]) == fields[option]


def test_public_names_are_what_it_says() -> None:
    assert {"Metric", "TaskEvaluation"} <= set(tflite_eq.__all__)
