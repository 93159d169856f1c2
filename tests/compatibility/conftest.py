"""One set of tests for environments with TensorFlow, one for those with LiteRT alone."""

from __future__ import annotations

import importlib.util

collect_ignore = (
    ["test_end_to_end.py"]
    if importlib.util.find_spec("tensorflow") is None
    else ["test_without_tensorflow.py"]
)
