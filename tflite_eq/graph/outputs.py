"""The logits behind a classifier's softmax.

Softmax squeezes an int8 model's scores onto a grid of 1/256: small probabilities all become
the same code, so ranking them is left to chance. Before the softmax nothing is lost.
"""

from __future__ import annotations

from tflite_eq.errors import ModelError
from tflite_eq.graph import compact, edit, schema
from tflite_eq.graph.model import Graph, Operator

_NORMALIZERS = ("SOFTMAX", "LOG_SOFTMAX")
# Monotonic functions that a network ends with; what they read tells more than what they give.
_FINAL = frozenset({"SOFTMAX", "LOGISTIC", "LOG_SOFTMAX"})
_REARRANGING = frozenset({"RESHAPE", "SQUEEZE"})
_TRANSPARENT = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE")


def logits_view(data: bytes, origin: str = "model") -> bytes:
    """The same model with the input of its final softmax as its output.

    The softmax may be followed by a change of element type or shape. The output then has the
    type of the softmax's input: an int8 model gives int8 logits, to be dequantized with the
    output's scale and zero point. The softmax and what follows it are removed; signatures
    and metadata are dropped.

    Args:
        data: A ``.tflite`` file with one output.
        origin: What to call the model in error messages.

    Returns:
        The edited file, or ``data`` itself when the output does not come from a softmax.

    Raises:
        ModelError: The file is no intact flatbuffer or has several outputs.
    """
    graph = Graph.from_bytes(data, origin)
    if len(graph.outputs) != 1:
        names = ", ".join(graph.tensors[index].name for index in graph.outputs)
        raise ModelError(
            f"{origin}: has {len(graph.outputs)} outputs ({names or 'none'}); evaluating needs a "
            "classifier with one output: convert the model with that output alone"
        )
    softmax = final_softmax(graph)
    if softmax is None:
        return data
    model = edit.without_signatures(graph.model)
    subgraph = model.subgraphs[0]
    subgraph.outputs = [softmax.inputs[0]]
    needed = _needed_operators(graph, softmax.inputs[0])
    subgraph.operators = [
        stored for index, stored in enumerate(subgraph.operators) if index in needed
    ]
    compact.drop_unused_tensors(subgraph, model)
    return schema.serialize(model)


def final_softmax(graph: Graph, output: int = 0) -> Operator | None:
    """The softmax that an output comes from, if any; ``output`` is its position."""
    operator = graph.producer(graph.outputs[output])
    while operator is not None and operator.kind in _TRANSPARENT:
        operator = graph.producer(operator.inputs[0])
    if operator is None or operator.kind not in _NORMALIZERS:
        return None
    # Softmax straight on the model's input leaves no network to evaluate.
    return operator if graph.producer(operator.inputs[0]) is not None else None


def computed_logits(graph: Graph) -> list[int]:
    """Tensors in which two networks' outputs are compared, in the order of the outputs.

    Those are the computed float outputs, or the logits behind a final SOFTMAX or LOGISTIC: such
    functions saturate, and their int8 codes are coarse.
    """
    found = []
    for output in graph.outputs:
        tensor, at = output, output
        while (producer := graph.producer(at)) and producer.kind in _FINAL | _REARRANGING:
            at = producer.inputs[0]
            if producer.kind in _FINAL:
                tensor = at
        if graph.tensors[tensor].is_float and graph.producer(tensor) is not None:
            found.append(tensor)
    return list(dict.fromkeys(found))


def _needed_operators(graph: Graph, tensor: int) -> set[int]:
    """Operators that ``tensor`` depends on.

    Operators without outputs in this graph (such as those that assign variables) are kept:
    what they do is not visible in the dataflow.
    """
    needed = {operator.index for operator in graph.operators if not operator.outputs}
    waiting = [tensor, *(i for index in needed for i in graph.operators[index].inputs)]
    while waiting:
        operator = graph.producer(waiting.pop())
        if operator is not None and operator.index not in needed:
            needed.add(operator.index)
            waiting.extend(operator.inputs)
    return needed
