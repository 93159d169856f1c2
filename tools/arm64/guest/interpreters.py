"""Interpreters with the delegate or without it."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any


def make_interpreter(
    runtime: Any, library: str, case: dict[str, Any], **settings: Any
) -> tuple[Any, str]:
    """An interpreter, ready to run with one thread.

    Args:
        runtime: The runtime's module.
        library: The delegate's library.
        case: ``model`` is the path of a ``.tflite``; ``options`` are the delegate's, ``None`` for
            none.
        **settings: More arguments for ``Interpreter``.

    Returns:
        The interpreter, and what was written to stderr meanwhile.
    """
    saved = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            delegates = None
            if case["options"] is not None:
                delegates = [runtime.load_delegate(library, case["options"])]
            interpreter = runtime.Interpreter(
                model_path=case["model"],
                num_threads=1,
                experimental_delegates=delegates,
                **settings,
            )
            interpreter.allocate_tensors()
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            log = caught.read().decode(errors="replace")
            print(log, file=sys.stderr, flush=True)  # for the message, should this have failed
    return interpreter, log
