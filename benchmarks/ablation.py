"""What bounds the accuracy of a quantized model: its weights, its activations, or single layers.

Quantizes a shared model, then builds float models out of the parts of the result: one with the
quantized weights and biases alone, one with the quantized activations alone (QUANTIZE and
DEQUANTIZE around every tensor), one with both, which stands for the integer file. With ``--layers``
also three per layer: its weights and bias alone, its input alone, both. The first are measured as
benchmarks/accuracy.py does, on the validation images; single layers on the last 50 calibration
images, which calibration does not see. Channels that were scaled stay scaled in all of them, and
those that are written several times stay so; what their copies are shifted by counts as part of
the activation that it rounds.

    python -m benchmarks.ablation --model tiny_darknet --layers --output a.json
    python -m benchmarks.ablation --render a.json b.json > docs/ablation.md
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import pathlib
from collections.abc import Collection
from typing import Any

import numpy as np

import tflite_eq
from benchmarks import accuracy
from benchmarks.ablation_page import layer_table, render
from benchmarks.cases import Case, open_case
from benchmarks.tables import markdown, with_interval
from tests import shared_data
from tflite_eq.equalization.factors import with_factors
from tflite_eq.evaluation import intervals
from tflite_eq.evaluation.dispatch import available_cores
from tflite_eq.evaluation.evaluator import predict
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.files import write_atomically
from tflite_eq.graph import edit, properties, schema
from tflite_eq.graph.linear import linear_layers
from tflite_eq.graph.model import Graph
from tflite_eq.preparation import prepared
from tflite_eq.presets import preset_config, preset_samples
from tflite_eq.progress import track
from tflite_eq.runtimes import preferred_runtime

_HELD_BACK = 50


class Parts:
    """A float model and what quantization has made of its weights and activations."""

    def __init__(self, model: bytes, result: tflite_eq.QuantizationResult) -> None:
        """Take the result of quantizing ``model``."""
        calibration = result.calibration
        front = prepared(model, "model", calibration.config).front
        self._model = schema.serialize(with_factors(front, calibration.equalization).model)
        self._quantized = Graph.from_bytes(result.model)
        self._tensors = {t.index: t for t in calibration.tensors}
        self.layers = {layer.index: layer for layer in calibration.layers}
        # What each layer's bias holds for the rounding of its output, in the layer's own units.
        self._shifts = {
            index: layer.shifts * self._tensors[layer.output].scale
            for index, layer in linear_layers(front).items()
            if layer.shifts is not None and index in self.layers
        }

    def assemble(self, weights: Collection[int], activations: Collection[int]) -> bytes:
        """The float model with these layers' weights and these tensors' values quantized."""
        graph = Graph.from_bytes(self._model)
        for index in weights:
            self._quantize_weights(graph, index)
        for index, shifts in self._shifts.items():
            is_rounded = graph.operators[index].outputs[0] in activations
            if is_rounded != (index in weights):
                _, _, bias = properties.linear_inputs(graph.operators[index])
                _put(graph, bias, graph.constant(bias) + (shifts if is_rounded else -shifts))
        _insert_round_trips(graph, {i: self._tensors[i] for i in activations})
        return schema.serialize(graph.model)

    def activations(self) -> set[int]:
        """Tensors that are quantized, but for the network's outputs and what only they see."""
        graph = Graph.from_bytes(self._model)
        return {i for i in self._tensors if graph.consumers(i)}

    def logits(self) -> set[int]:
        """What a final softmax reads."""
        graph = Graph.from_bytes(self._model)
        last = [graph.producer(index) for index in graph.outputs]
        return {o.inputs[0] for o in last if o is not None and o.kind == "SOFTMAX"}

    def _quantize_weights(self, graph: Graph, index: int) -> None:
        name = graph.tensors[graph.operators[index].outputs[0]].name
        found = next(
            o
            for o in self._quantized.operators
            if o.kind == graph.operators[index].kind
            and self._quantized.tensors[o.outputs[0]].name == name
        )
        stored = properties.linear_inputs(graph.operators[index])[1:]
        for target, source in zip(stored, properties.linear_inputs(found)[1:]):
            _put(graph, target, _real_values(self._quantized, source))


def _real_values(graph: Graph, tensor: int) -> np.ndarray:
    """Values that the codes of a constant stand for."""
    codes = graph.constant(tensor).astype(np.float64)
    quantization = graph.subgraph.tensors[tensor].quantization
    scales = np.asarray(quantization.scale, np.float64)
    shape = [1] * codes.ndim
    if len(scales) > 1:
        shape[quantization.quantizedDimension] = -1
    return (codes * scales.reshape(shape)).astype(np.float32)


def _put(graph: Graph, tensor: int, values: np.ndarray) -> None:
    buffer = schema.schema().BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    graph.model.buffers.append(buffer)
    graph.subgraph.tensors[tensor].buffer = len(graph.model.buffers) - 1


def _insert_round_trips(graph: Graph, records: dict[int, Any]) -> None:
    """Put QUANTIZE and DEQUANTIZE behind tensors, in front of all that read them."""
    subgraph, kinds = graph.subgraph, schema.schema()
    codes = {}
    for kind in ("QUANTIZE", "DEQUANTIZE"):
        code = kinds.OperatorCodeT()
        code.builtinCode = getattr(kinds.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = code.builtinCode
        code.version = 1
        graph.model.operatorCodes.append(code)
        codes[kind] = len(graph.model.operatorCodes) - 1
    behind: dict[int, list[Any]] = {}
    for index, record in records.items():
        chain, source = [], index
        for kind in ("QUANTIZE", "DEQUANTIZE"):
            tensor = copy.copy(subgraph.tensors[index])
            if kind == "QUANTIZE":
                tensor.type = kinds.TensorType.INT8
                tensor.quantization = kinds.QuantizationParametersT()
                tensor.quantization.scale = np.array([record.scale], np.float32)
                tensor.quantization.zeroPoint = np.array([record.zero_point], np.int64)
            subgraph.tensors.append(tensor)
            operator = kinds.OperatorT()
            operator.opcodeIndex = codes[kind]
            operator.inputs = np.array([source], np.int32)
            source = len(subgraph.tensors) - 1
            operator.outputs = np.array([source], np.int32)
            chain.append(operator)
        for consumer in graph.consumers(index):
            stored = subgraph.operators[consumer.index]
            stored.inputs = np.array([source if i == index else i for i in stored.inputs], np.int32)
        producer = graph.producer(index)
        behind.setdefault(-1 if producer is None else producer.index, []).extend(chain)
    operators = behind.pop(-1, [])
    for position, operator in enumerate(subgraph.operators):
        operators += [operator, *behind.get(position, [])]
    subgraph.operators = operators


def whole_model(case: Case, parts: Parts, result: bytes) -> list[dict[str, Any]]:
    """Weights alone, activations alone, both, and the integer file, on the validation images."""
    layers, tensors = list(parts.layers), parts.activations()
    models = [
        NamedModel("weights only", parts.assemble(layers, [])),
        NamedModel("activations only", parts.assemble([], tensors)),
        NamedModel("both", parts.assemble(layers, tensors)),
        NamedModel("both, logits as they are", parts.assemble(layers, tensors - parts.logits())),
        NamedModel("integer file", result),
    ]
    found = [entry["quantized"] for entry in case.compare(models)]
    return [
        {"part": m["name"], "agreement": m["agreement"], "sqnr_db": m["sqnr_db"]} for m in found
    ]


def ties(case: Case, result: bytes) -> dict[str, Any]:
    """``tie_shares`` of the integer file on the validation images."""
    exact, found = (
        predict(model, case.validation, case.preprocessing, num_workers=available_cores()).logits
        for model in (NamedModel("float", case.model), NamedModel("integer file", result))
    )
    return tie_shares(exact, found)


def tie_shares(exact: np.ndarray, found: np.ndarray) -> dict[str, Any]:
    """How often several classes have the largest logit.

    Args:
        exact: Logits of the float model, [n, classes].
        found: Those of the integer file.

    Returns:
        Of all samples, in %: *tied* with several largest logits, and *lost* with the float model's
        first class among them, but not as the one that counts, the first of the list.
    """
    largest = found == found.max(axis=1, keepdims=True)
    first = exact.argmax(axis=1)
    could = largest[np.arange(len(first)), first]
    lost = could & (found.argmax(axis=1) != first)
    shares = {"tied": largest.sum(axis=1) > 1, "lost": lost}
    return {
        name: intervals.rate(int(share.sum()), len(first)).to_dict()
        for name, share in shares.items()
    }


def layer_by_layer(case: Case, parts: Parts, images: list[np.ndarray]) -> list[dict[str, Any]]:
    """Each layer's weights, input, and both quantized alone, on held-back images.

    Returns:
        By layer, that with most noise first: the agreement in % and the logit SQNR in dB of each
        part, and the noise of the whole layer in % of that with everything quantized.
    """
    reference = _outputs(case.model, images)
    everything = parts.assemble(list(parts.layers), parts.activations())
    whole = np.square(_outputs(everything, images) - reference).sum()
    found = []
    for index, record in track(list(parts.layers.items()), "Layers"):
        entry: dict[str, Any] = {"layer": record.name}
        for part, weights, inputs in (
            ("weights", [index], []),
            ("input", [], [record.input]),
            ("both", [index], [record.input]),
        ):
            outputs = _outputs(parts.assemble(weights, inputs), images)
            noise = float(np.square(outputs - reference).sum())
            agreement = 100 * (outputs.argmax(axis=1) == reference.argmax(axis=1)).mean()
            sqnr_db = 10 * np.log10(np.square(reference).sum() / max(noise, 1e-30))
            entry[part] = {"agreement": float(agreement), "sqnr_db": float(sqnr_db)}
        entry["noise_percent"] = 100 * noise / float(whole)
        found.append(entry)
    return sorted(found, key=lambda entry: -entry["noise_percent"])


def _outputs(model: bytes, images: list[np.ndarray]) -> np.ndarray:
    """Outputs in front of a final softmax, [n, classes]."""
    graph = Graph.from_bytes(model)
    last = graph.producer(graph.outputs[0])
    if last is not None and last.kind == "SOFTMAX":
        model = edit.with_outputs(graph, [last.inputs[0]])
    interpreter = preferred_runtime().interpreter(model)
    interpreter.allocate_tensors()
    feed = interpreter.get_input_details()[0]["index"]
    fetch = interpreter.get_output_details()[0]["index"]
    rows = []
    for image in images:
        interpreter.set_tensor(feed, image)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(fetch).astype(np.float64).ravel())
    return np.stack(rows)


def whole_table(entries: list[dict[str, Any]]) -> str:
    """Agreement and SQNR of the parts of a whole model."""
    rows = [["quantized", "Agreement %", "SQNR dB"]]
    rows += [
        [e["part"], *(with_interval(e, key) for key in ("agreement", "sqnr_db"))] for e in entries
    ]
    return markdown(rows)


def main() -> None:
    """Measure one model and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a shared model")
    parser.add_argument("--render", metavar="JSON", nargs="+", help="print results as Markdown")
    parser.add_argument("--variant", default="best int8", choices=accuracy.VARIANTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", action="store_true", help="also every layer by itself")
    parser.add_argument("--output", help="JSON file for the results")
    args = parser.parse_args()
    if args.render:
        print(
            render(
                [json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in args.render]
            )
        )
        return
    if not args.model:
        parser.error("--model or --render is required")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    folder = shared_data.folder()
    if folder is None:
        parser.error("the shared data are not there")
    case = open_case(args.model, folder)
    options = {"preset": "default", **accuracy.VARIANTS[args.variant]}
    samples = [[x] for x in case.calibration[: preset_samples(options["preset"])]]
    result = tflite_eq.quantize(case.model, samples, preset_config(seed=args.seed, **options))
    parts = Parts(case.model, result)
    found: dict[str, Any] = {"model": args.model, "variant": args.variant}
    found["whole"] = whole_model(case, parts, result.model)
    print(whole_table(found["whole"]), flush=True)
    found["ties"] = ties(case, result.model)
    if args.layers:
        images = shared_data.last_calibration(args.model, _HELD_BACK)
        found["layers"] = layer_by_layer(case, parts, images)
        print(layer_table(found["layers"]))
    if args.output:
        write_atomically(args.output, json.dumps(found, indent=1).encode())


if __name__ == "__main__":
    main()
