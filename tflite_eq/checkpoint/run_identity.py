"""What a run's results depend on, as text that tells one run's saved state from another's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_eq.config import Config
from tflite_eq.json_fields import parse_json
from tflite_eq.version import __version__


def describe_run(form: str, model_sha256: str, config: Config, runtime: str) -> str:
    """Everything but the data that the bits of the result depend on, as JSON.

    Args:
        form: Name and version of the saved state's format.
        model_sha256: Hash of the float model.
        config: Options.
        runtime: Name and version of the runtime that computes activations.
    """
    run = {
        "format": form,
        "tflite_eq": __version__,
        "model_sha256": model_sha256,
        "runtime": runtime,
        "numpy": np.__version__,
        "options": config.as_dict(),
    }
    return json.dumps(run, indent=2) + "\n"


def differences(stored: str, run: str) -> list[str] | None:
    """What differs between two runs, one phrase each; ``None`` if one is no description."""
    try:
        there, here = _flat(parse_json(stored)), _flat(parse_json(run))
    except (ValueError, AttributeError):
        return None
    return [
        f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in {**there, **here}
        if there.get(name, "absent") != here.get(name, "absent")
    ] or None


def _flat(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by the last part of their names, as users know options."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, dict):
            flat.update(_flat(value, "" if name == "options" else f"{name}."))
        else:
            flat[prefix + name] = value
    return flat
