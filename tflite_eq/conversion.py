"""What TensorFlow's converter could not do, as one line that names the operators and the remedy."""

from __future__ import annotations

import re

from tflite_eq.errors import ModelError
from tflite_eq.keras_models import reason

_KINDS = re.compile(r"^(TF Select|Custom) ops: *(.+)$", re.MULTILINE)
_SHOWN = 8

_REPLACE = (
    "replace them in the network by operators that TFLite has (unroll loops, static shapes), or "
    "cut it in front of them: keras.Model(model.inputs, model.get_layer(NAME).output)"
)


def conversion_error(origin: str, error: Exception) -> ModelError:
    """The error for a model that TensorFlow does not convert.

    Args:
        origin: What to call the model.
        error: What the converter raised: any type, after MLIR's status.
    """
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
