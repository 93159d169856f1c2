"""How properties are tried that need files: each example writes over those of the one before."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

with_files = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
