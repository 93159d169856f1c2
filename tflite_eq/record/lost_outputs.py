"""Outputs of which int8 keeps nothing, told from the layers in front of them."""

from __future__ import annotations

from collections.abc import Mapping

from tflite_eq.graph.linear import LinearLayer
from tflite_eq.graph.model import Graph
from tflite_eq.record.record import Calibration

# Half of what such a layer gives is noise.
_LEAST_DECIBELS = 3.0


def lost_outputs(
    graph: Graph, layers: Mapping[int, LinearLayer], calibration: Calibration
) -> list[str]:
    """A sentence for every layer that ends in an output and computes little but noise.

    Ranges that nothing but a few outliers fill do so: what is left of the other values is one code.

    Args:
        graph: The float network.
        layers: Its layers by operator index.
        calibration: The record, with the layers' figures on the calibration samples.
    """
    ends: set[int] = set()
    reached = set(graph.outputs)
    for operator in reversed(graph.operators):
        if reached.isdisjoint(operator.outputs):
            continue
        if operator.index in layers:
            ends.add(operator.index)
        else:
            reached.update(operator.inputs)
    steps = {tensor.index: tensor.scale for tensor in calibration.tensors}
    return [
        f"layer '{layer.name}', in front of an output, keeps "
        f"{layer.metrics['after_correction']['sqnr_db']:.1f} dB of what the float network computes "
        f"on the calibration samples; its input has steps of {steps[layer.input]:.3g}. The values "
        "reach too far for int8: look for weights of a diverged training and for samples that are "
        "not preprocessed, or keep what is in front of it in float with --skip"
        for layer in calibration.layers
        if layer.index in ends and layer.metrics["after_correction"]["sqnr_db"] < _LEAST_DECIBELS
    ]
