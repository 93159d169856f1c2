"""Loads the delegate; what does the runtime say?

Job: ``{"module", "library", "options"}``. Answer: ``{"error"}``, ``null`` if it loads.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    job = json.load(sys.stdin)
    runtime = importlib.import_module(job["module"])
    error = None
    try:
        runtime.load_delegate(job["library"], job["options"])
    except ValueError as refusal:
        error = str(refusal)
    print(json.dumps({"error": error}))


if __name__ == "__main__":
    main()
