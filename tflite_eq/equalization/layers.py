"""A layer's filters seen from its output channels and from its input channels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflite_eq.graph import properties
from tflite_eq.graph.model import Graph
from tflite_eq.graph.properties import LinearKind

Double = npt.NDArray[np.float64]


class Filters:
    """Stored filters of one layer, with their axes explained.

    Attributes:
        values: The filters as the model stores them, float64.
        outputs: Number of output channels.
        inputs: Number of input channels.
        is_depthwise: Whether every output channel reads one input channel.
    """

    def __init__(self, graph: Graph, index: int) -> None:
        """Read the filters of operator ``index``."""
        operator = graph.operators[index]
        activation, stored, _ = properties.linear_inputs(operator)
        kind = LinearKind(operator.kind)
        self.values: Double = graph.constant(stored).astype(np.float64)
        self.is_depthwise = kind is LinearKind.DEPTHWISE
        self._output_axis = properties.OUTPUT_CHANNEL_AXIS[kind]
        self.outputs = int(self.values.shape[self._output_axis])
        channels = graph.tensors[activation].shape[-1]
        self.inputs = int(channels if self.is_depthwise else self.values.shape[-1])

    def along_outputs(self, values: Double) -> Double:
        """Values per output channel, shaped so that they broadcast over the filters."""
        shape = [1] * self.values.ndim
        shape[self._output_axis] = -1
        return values.reshape(shape)

    def along_inputs(self, values: Double) -> Double:
        """Values per input channel, shaped so that they broadcast over the filters."""
        if self.is_depthwise:
            return np.repeat(values, self.outputs // self.inputs)
        return values  # input channels come last

    def by_channels(self) -> Double:
        """[outputs, taps, inputs]; a depthwise filter has its one input channel."""
        if self.is_depthwise:
            return np.moveaxis(self.values.reshape(-1, self.outputs), 1, 0)[:, :, None]
        return self.values.reshape(self.outputs, -1, self.inputs)

    def largest_per_output(self) -> Double:
        """Largest magnitude that writes each output channel."""
        return np.asarray(np.abs(self.by_channels()).max(axis=(1, 2)))

    def largest_per_input(self) -> Double:
        """Largest magnitude that reads each input channel."""
        if self.is_depthwise:
            return np.asarray(self.largest_per_output().reshape(self.inputs, -1).max(axis=1))
        return np.asarray(np.abs(self.by_channels()).max(axis=(0, 1)))
