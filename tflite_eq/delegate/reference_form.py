"""A model in a form that a runtime's reference kernels compute: the judges that ours are held to.

Two things are in their way, in one runtime or another:

- The registry of reference kernels knows some at a lower version than that of the others, although
  they compute the same types: DEPTH_TO_SPACE of int8 codes is version 2 and listed as 1.
- In TFLite 2.14 the reference kernel of an int8 FULLY_CONNECTED with a scale for each channel takes
  the second dimension of its result for the channels. Of results of three dimensions and more, as
  those of attention, it sets a part and leaves the rest as it was in memory: two runs of one model
  on one input differ. The optimized kernels of the same runtime compute all of it.
"""

from __future__ import annotations

import copy
import math
import re

import numpy as np

from tflite_eq.errors import BackendError
from tflite_eq.graph import edit, schema
from tflite_eq.graph.model import Graph, Operator
from tflite_eq.graph.rewrite import Rewrite
from tflite_eq.progress import note
from tflite_eq.runtimes import Kernels, Runtime
from tflite_eq.session import Session
from tflite_eq.text import counted

# Kernels of one runtime may round otherwise, by a code.
_ROUNDING = 1

_UNKNOWN_VERSION = re.compile(r"builtin opcode '(\w+)' version '(\d+)'")


class NoReferenceError(BackendError):
    """The runtime's reference kernels do not run the model, so there is nothing to compare with."""


def reference_form(model: bytes, runtime: Runtime, origin: str) -> bytes:
    """A model that computes the same on a runtime's reference kernels: the same bytes for most.

    Versions are lowered to those that the runtime has kernels of. Dense layers whose results would
    be left unset write them in two dimensions, which a RESHAPE behind brings to the shape they had.

    Args:
        model: A quantized ``.tflite``.
        runtime: Whose reference kernels it is to run on.
        origin: What to call the model in messages.

    Raises:
        NoReferenceError: There is no reference kernel of an operator.
    """
    model = _with_known_versions(model, runtime, origin)
    graph = Graph.from_bytes(model, origin)
    layers = [operator for operator in graph.operators if _may_be_unset(graph, operator)]
    if not layers or _sets_all(graph, layers[0], runtime):
        return model
    note(
        f"note: {runtime.description}: the reference kernel of FULLY_CONNECTED leaves values of "
        f"results with more than two dimensions unset, as of {counted(len(layers), 'layer')} of "
        f"{origin}; compared with a RESHAPE behind each, which changes no value. The runtime's "
        "other kernels do not have this fault"
    )
    return schema.serialize(_with_rows(graph, layers).model)


def belongs_to_form(graph: Graph, operator: Operator) -> bool:
    """Whether an operator of a model in that form is none of the model's own."""
    if operator.kind != "RESHAPE":
        return False
    rows, result = (graph.tensors[i].name for i in (operator.inputs[0], operator.outputs[0]))
    return rows == _rows_of(result)


def _rows_of(name: str) -> str:
    return f"{name}/rows"


def _with_known_versions(model: bytes, runtime: Runtime, origin: str) -> bytes:
    """What else the runtime says of the model is for the caller to hear."""
    changed = Graph.from_bytes(model, origin).model
    changed.operatorCodes = [copy.copy(code) for code in changed.operatorCodes]
    found = model
    while True:
        try:
            runtime.interpreter(found, Kernels.REFERENCE)
        except BackendError as error:
            missing = _UNKNOWN_VERSION.search(str(error))
            # A version that no kernel has, of a damaged model, is not lowered one by one.
            if missing is None or not _is_known(model, runtime):
                return model
            if not _lower(changed, missing[1], int(missing[2])):
                raise NoReferenceError(
                    f"{origin}: {runtime.description} has no reference kernel of {missing[1]}, so "
                    "there is nothing to compare with there; name another installed runtime with "
                    "--runtime"
                ) from error
            found = schema.serialize(changed)
        else:
            return found


def _is_known(model: bytes, runtime: Runtime) -> bool:
    """Whether the runtime's default kernels are of the model's versions."""
    try:
        runtime.interpreter(model, Kernels.DEFAULT)
    except BackendError:
        return False
    return True


def _lower(model: schema.ModelT, kind: str, version: int) -> bool:
    """Take one off the version of an operator; whether that is possible."""
    number = getattr(schema.schema().BuiltinOperator, kind, None)
    lowered = False
    for code in model.operatorCodes:
        if schema.builtin_code(code) == number and code.version == version > 1:
            code.version, lowered = version - 1, True
    return lowered


def _may_be_unset(graph: Graph, operator: Operator) -> bool:
    if operator.kind != "FULLY_CONNECTED" or len(graph.tensors[operator.outputs[0]].shape) <= 2:
        return False
    stored = graph.subgraph.tensors[operator.inputs[1]].quantization
    is_int8 = graph.tensors[operator.outputs[0]].type_name == "INT8"
    return is_int8 and stored is not None and stored.scale is not None and len(stored.scale) > 1


def _sets_all(graph: Graph, operator: Operator, runtime: Runtime) -> bool:
    """Whether the reference kernel computes what the optimized one does."""
    layer, (source,) = edit.single_operator_model(graph, operator)
    codes = np.random.default_rng(0).integers(-128, 128, graph.tensors[source].shape, np.int8)
    reference, other = (
        Session(runtime.interpreter(layer, kernels)).run([codes])[0].astype(np.int32)
        for kernels in (Kernels.REFERENCE, Kernels.BUILTIN)
    )
    return bool((np.abs(reference - other) <= _ROUNDING).all())


def _with_rows(graph: Graph, layers: list[Operator]) -> Graph:
    rewrite = Rewrite(graph)
    for operator in layers:
        (result,) = operator.outputs
        tensor = graph.tensors[result]
        shape = tensor.shape
        rows = rewrite.add_tensor(result, _rows_of(tensor.name), (math.prod(shape[:-1]), shape[-1]))
        rewrite.tensor(rows).quantization = graph.subgraph.tensors[result].quantization
        wanted = rewrite.add_constant(f"{tensor.name}/shape", np.array(shape, np.int32))
        rewrite.connect(operator, outputs=[rows])
        rewrite.set_options(operator, keepNumDims=False)
        rewrite.add(operator, "RESHAPE", [rows, wanted], [result])
    return rewrite.graph()
