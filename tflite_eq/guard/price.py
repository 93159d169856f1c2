"""What a quantized model costs: bytes, and the speed to expect of it."""

from __future__ import annotations

from tflite_eq.graph.linear import LinearLayer, multiplications
from tflite_eq.graph.model import Graph
from tflite_eq.record.calibration import Calibration
from tflite_eq.report.claims import claims_by_target
from tflite_eq.report.details import total_runtime_multiplications
from tflite_eq.report.guard_record import Price


def price(
    graph: Graph, layers: dict[int, LinearLayer], calibration: Calibration, model: bytes
) -> Price:
    """The cost of a written model.

    Args:
        graph: The float network.
        layers: Its linear layers by operator index.
        calibration: The record the model was written from.
        model: The written ``.tflite``.
    """
    written = Graph.from_bytes(model, "the quantized model")
    targets, _ = claims_by_target(written, total_runtime_multiplications(graph, layers))
    work = {index: multiplications(graph, layer) for index, layer in layers.items()}
    quantized = sum(work[record.index] for record in calibration.layers)
    total = max(sum(work.values()), 1)
    return Price(len(model), 1 - quantized / total, tuple(targets))
