"""How well models do what they are for, as a table for the terminal."""

from __future__ import annotations

from tflite_eq.cli.closeness_table import closeness_table
from tflite_eq.cli.label_table import aligned
from tflite_eq.evaluation.task_evaluator import TaskEvaluation, TaskModel
from tflite_eq.evaluation.tasks.figures import Figure

_NOTHING = "-"


def task_table(result: TaskEvaluation) -> str:
    """One line per model, values with their intervals, how to read them, and every output."""
    # Against the float model's own results a loss is what the figure lacks: nothing new.
    lost = [
        figure
        for figure in result.figures
        if result.has_truth and any(figure.name in model.losses for model in result.models)
    ]
    columns = [f"{figure.title} {figure.unit}".rstrip() for figure in result.figures]
    columns += [f"{figure.title} loss" for figure in lost]
    rows = [("model", "MB", *columns, "n")]
    rows += [_row(model, result, lost) for model in result.models]
    against = "ground truth"
    if not result.has_truth:
        assert result.comparison is not None
        against = f"the results of {result.comparison.reference.name}"
    lines = [
        *aligned(rows),
        f"Judged by {result.judge.name} against {against}, on {result.runtime}, "
        f"{result.kernels.value} kernels; [95 % interval].",
        *map(_explained, result.figures),
    ]
    if lost:
        units = ", ".join(dict.fromkeys(f.loss_unit or "the figure's own unit" for f in lost))
        lines.append(
            f"Loss is how much worse than the reference (*), on the same samples, in {units}."
        )
    if result.comparison is not None:
        lines += ["", closeness_table(result.comparison)]
    return "\n".join(lines)


def _row(model: TaskModel, result: TaskEvaluation, lost: list[Figure]) -> tuple[str, ...]:
    losses = [
        model.losses[f.name].text(f.digits) if f.name in model.losses else _NOTHING for f in lost
    ]
    return (
        f"{model.name}{' *' if model.is_reference else ''}",
        f"{model.size_bytes / 1e6:.2f}",
        *(model.figures[figure.name].text(figure.digits) for figure in result.figures),
        *losses,
        str(result.n),
    )


def _explained(figure: Figure) -> str:
    better = {True: "; higher is better", False: "; lower is better", None: ""}
    return f"{figure.title}: {figure.meaning}{better[figure.higher_is_better]}."
