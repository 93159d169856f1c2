"""Loads the delegate with options, one set after the other; what does the runtime say?

Job: ``{"module", "library", "options": [...]}``. Answer: ``{"errors"}``, ``null`` where it loads.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any


def main() -> None:
    job = json.load(sys.stdin)
    runtime = importlib.import_module(job["module"])
    errors = [_error(runtime, job["library"], options) for options in job["options"]]
    print(json.dumps({"errors": errors}))


def _error(runtime: Any, library: str, options: dict[str, str]) -> str | None:
    try:
        runtime.load_delegate(library, options)
    except ValueError as error:
        return str(error)
    return None


if __name__ == "__main__":
    main()
