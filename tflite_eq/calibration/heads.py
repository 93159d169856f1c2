"""Whether a network's heads are joined in float, by what calibration data show of their parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tflite_eq.config import Config, Heads, IoType
from tflite_eq.graph.heads import head_operators, narrow_heads
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note
from tflite_eq.statistics.ranges import Interval


def with_heads(
    whole: Graph, graph: Graph, extremes: Mapping[int, Interval], config: Config
) -> Config:
    """The options with what ``Heads.AUTO`` comes to; others stay as they are.

    Args:
        whole: The float network as it is written.
        graph: The same for parts of large pictures, if samples are those.
        extremes: Smallest and largest FP32 value over the calibration samples by tensor index.
        config: Options.
    """
    if config.heads is not Heads.AUTO or not head_operators(whole):
        return config
    may_be_float = config.output_type is IoType.FLOAT32 and not config.strict
    if may_be_float and narrow_heads(graph, extremes):
        note(
            "note: an output joins parts of which one would keep fewer than 16 of 256 codes: they "
            "are joined in float, with a scale for each (--heads joint joins codes)"
        )
        return dataclasses.replace(config, heads=Heads.FLOAT)
    return dataclasses.replace(config, heads=Heads.JOINT)
