"""Fixtures shared by all tests; ``models.py`` and ``running.py`` hold the plain helpers."""

from __future__ import annotations

import os

# Before anything imports TensorFlow: no start-up chatter in the test log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
