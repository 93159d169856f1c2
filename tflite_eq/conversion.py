"""What TensorFlow's converter could not do, as one line that names the operators and the remedy."""

from __future__ import annotations

import re
from typing import Any, Callable

from tflite_eq.errors import ModelError, TfliteEqError
from tflite_eq.keras_models import reason

_KINDS = re.compile(r"^(TF Select|Custom) ops: *(.+)$", re.MULTILINE)
_SHOWN = 8

_REPLACE = (
    "replace them in the network by operators that TFLite has (unroll loops, static shapes), or "
    "cut it in front of them: keras.Model(model.inputs, model.get_layer(NAME).output)"
)


def converted(origin: str, convert: Callable[[], Any]) -> bytes:
    """What one of TensorFlow's converters gives.

    Args:
        origin: What to call the model.
        convert: The converter's method.

    Raises:
        ModelError: TensorFlow cannot convert the model; the cause says all that it had to say.
    """
    try:
        return bytes(convert())
    except (MemoryError, TfliteEqError):
        raise
    except Exception as error:  # whatever MLIR's status maps to
        raise _conversion_error(origin, error) from error


def _conversion_error(origin: str, error: Exception) -> ModelError:
    """The error for what the converter raised."""
    kinds = dict(_KINDS.findall(str(error)))
    names = [name for found in kinds.values() for name in re.split(r",\s*", found.strip())]
    if names:
        shown = ", ".join(dict.fromkeys(names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
        return ModelError(
            f"{origin}: TensorFlow cannot convert the model to TFLite: {len(names)} kind(s) of "
            f"operator have no TFLite form: {shown}; {_REPLACE}"
        )
    return ModelError(
        f"{origin}: TensorFlow cannot convert the model to TFLite ({reason(error)}); mend the "
        "model, or convert it yourself and pass the float .tflite"
    )
