"""Which samples the float network and its quantized twin are followed through, side by side.

Ranges are those of all samples: an extreme is seen or not. What the pass of both networks finds is
means over samples and positions - the search's errors, the shift of every channel - and a network
with large activations has positions in plenty: of a super-resolution network for half an HD frame,
a channel has half a million in a single sample. Going through all of them for every sample takes
hours and gains nothing, so there is a limit to the values of a pass. What it costs where positions
are few is in docs/experiments.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite_eq.alternatives.min_max import min_max_config
from tflite_eq.config import Bits, Config
from tflite_eq.graph.edit import computed_tensors
from tflite_eq.graph.model import Graph

# Values of all tensors and samples that are gone through. A ResNet50 for images of 224x224 has 17
# million per sample, and reaches this with 63 of them.
_MOST_VALUES = 1 << 30

# Samples that are followed in any case: enough to judge with half of them what the others decide.
_FEWEST = 12


def followed_samples(graph: Graph, count: int) -> Sequence[int]:
    """Numbers of the samples, evenly spread.

    Args:
        graph: The float network.
        count: Number of samples.

    Returns:
        All of them, unless the network computes too many values for that.
    """
    computed = [graph.tensors[index] for index in computed_tensors(graph)]
    values = sum(int(np.prod(tensor.shape, dtype=np.int64)) for tensor in computed)
    return _spread(range(count), max(_FEWEST, _MOST_VALUES // max(values, 1)))


def followed_by(config: Config, followed: Sequence[int]) -> Sequence[int]:
    """Those of the samples that are of use under some options.

    Min-max scales of 8 bits depend on no values of the quantized network. A few samples tell how
    far they come.
    """
    is_plain = config.bits is Bits.INT8 and config == min_max_config(config)
    return _spread(followed, _FEWEST) if is_plain else followed


def _spread(numbers: Sequence[int], most: int) -> Sequence[int]:
    kept = min(len(numbers), most)
    return [numbers[i * len(numbers) // kept] for i in range(kept)]
