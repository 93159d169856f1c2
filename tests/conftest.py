"""Set-up shared by all tests; ``models.py`` and ``running.py`` hold the plain helpers."""

from __future__ import annotations

import os

# Before anything imports TensorFlow: no start-up chatter in the test log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

try:
    from hypothesis import settings
except ImportError:
    # Environments that hold another runtime have nothing but what is tested in them.
    pass
else:
    # The same examples in every run, so that what fails a test is a change; others are looked for
    # with --hypothesis-profile=search.
    settings.register_profile("repeatable", derandomize=True, deadline=None)
    settings.register_profile("search", derandomize=False, deadline=None)
    settings.load_profile("repeatable")
