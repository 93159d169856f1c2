from __future__ import annotations

import numpy as np
import pytest

from tflite_eq.numerics.channel_ends import channel_ends


@pytest.mark.parametrize("channels", [1, 3, 16, 1000, 1024, 1500])
@pytest.mark.parametrize("count", [1, 2, 341, 342, 1025])
def test_ends_of_every_channel(count: int, channels: int) -> None:
    rows = np.random.default_rng(count).standard_normal((count, channels)).astype(np.float32)
    low, high = channel_ends(rows)
    assert low.tolist() == [min(column) for column in rows.T]
    assert high.tolist() == [max(column) for column in rows.T]
