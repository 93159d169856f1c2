"""Activation functions computed by several operators, put together or into better ones.

Between operators int8 kernels round to 256 codes each time, and for some operators there is no int8
kernel at all, where the function as one operator is a table or a comparison (``function_forms``).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.normalization import elementwise
from tflite_eq.normalization.elementwise import Function
from tflite_eq.normalization.function_forms import ARGUMENT, Form, Operand, form_of
from tflite_eq.text import counted

# Operators that alone may stand for an activation function of another name.
_SINGLE = frozenset({"MAXIMUM", "MINIMUM"})

# What maps straight lines to straight lines, unless by another function of the same value.
_AFFINE = frozenset({"ADD", "DIV", "MUL", "NEG", "SUB"})


def recognized(graph: Graph) -> tuple[Graph, str | None]:
    """The network with these functions in the form that is best in int8."""
    rewrite = Rewrite(graph)
    taken: set[int] = set()
    found: Counter[str] = Counter()
    for operator in reversed(graph.operators):
        if operator.index in taken or len(operator.outputs) != 1:
            continue
        longest: tuple[Function, Form] | None = None
        for function in elementwise.functions_of(graph, operator.outputs[0]):
            form = _form(graph, function)
            if form is not None:
                longest = function, form
        if longest is not None:
            function, form = longest
            taken.update(part.index for part in function.operators)
            if not _has_form(function, form):
                _replace(graph, rewrite, function, form)
                found[form.name] += len(function.operators)
    if not found:
        return graph, None
    listed = ", ".join(f"{counted(parts, 'operator')} as {name}" for name, parts in found.items())
    return rewrite.graph(), listed


def _form(graph: Graph, function: Function) -> Form | None:
    """The form that a function shall have, if it has a name and is not in a better one."""
    kinds = [operator.kind for operator in function.operators]
    if len(kinds) == 1 and kinds[0] not in _SINGLE and not kinds[0].startswith("CUSTOM:"):
        return None
    if all(_is_affine(graph, operator) for operator in function.operators):
        return None
    x = elementwise.points(graph, function)
    form = form_of(x, elementwise.values_of(graph, function, x))
    if form is None or not (form.is_best or len(form.steps) <= len(kinds)):
        return None
    return form


def _is_affine(graph: Graph, operator: Operator) -> bool:
    operands = sum(not graph.tensors[index].is_constant for index in operator.inputs)
    is_fused = bool(getattr(operator.options, "fusedActivationFunction", 0))
    return operator.kind in _AFFINE and operands == 1 and not is_fused


def _has_form(function: Function, form: Form) -> bool:
    """Whether a function is in a form already; the order of its operators does not matter."""
    kinds = sorted(operator.kind for operator in function.operators)
    return kinds == sorted(step.kind for step in form.steps)


def _replace(graph: Graph, rewrite: Rewrite, function: Function, form: Form) -> None:
    for operator in function.operators:
        rewrite.remove(operator)
    last = function.operators[-1]
    name = graph.tensors[function.result].name
    made: list[int] = []

    def tensor(operand: Operand) -> int:
        if isinstance(operand, int):
            return function.source if operand == ARGUMENT else made[operand]
        # One value in a rank that no result grows by.
        rank = min(1, len(graph.tensors[function.source].shape))
        values = operand if isinstance(operand, np.ndarray) else np.full((1,) * rank, operand)
        return rewrite.add_constant(f"{name}/constant{len(made)}", values.astype(np.float32))

    for number, step in enumerate(form.steps):
        inputs = [tensor(operand) for operand in step.operands]
        is_last = number + 1 == len(form.steps)
        part = f"{name}/{step.kind.lower()}{number}"
        made.append(function.result if is_last else rewrite.add_tensor(function.result, part))
        rewrite.add(last, step.kind, inputs, [made[-1]], step.options)
