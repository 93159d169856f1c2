"""Whether what a caller has passed is of the kind that is wanted, and what to pass instead.

A value of another kind fails far inside, with a message about something the caller has never heard
of, or not at all.
"""

from __future__ import annotations

import numbers
import os
import pathlib
from typing import Any, Union

import numpy as np

from tflite_eq.errors import ConfigError, ModelError

# A model: the content of a file, or its path.
ModelLike = Union[bytes, bytearray, memoryview, str, "os.PathLike[str]"]


def given_model(model: ModelLike, origin: str | None = None) -> tuple[bytes, str]:
    """The content of a model, and what to call it in messages.

    Args:
        model: Content or path of a ``.tflite``.
        origin: What to call it; its path, or ``model``, if ``None``.

    Raises:
        ModelError: It is neither, or the file cannot be read.
    """
    if not isinstance(model, (str, os.PathLike)):
        check_model(model, origin or "model")
        return bytes(model), origin or "model"
    path = pathlib.Path(model)
    try:
        return path.read_bytes(), origin or str(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; check the path of the model") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot read the model: {reason}; name another file") from error


def check_model(model: Any, origin: str) -> None:
    """Refuse what is no content of a file.

    Raises:
        ModelError: It is something else than bytes; the message says how to get these.
    """
    if isinstance(model, (bytes, bytearray, memoryview)):
        return
    if isinstance(model, (str, os.PathLike)):
        remedy = f"read the file first: pathlib.Path({os.fspath(model)!r}).read_bytes()"
    elif hasattr(model, "predict") and hasattr(model, "save"):
        remedy = "use tflite_eq.EasyQuantConverter.from_keras_model(model)"
    elif hasattr(model, "convert"):
        remedy = "use tflite_eq.attach(converter), then converter.convert()"
    else:
        remedy = "read the file first, e.g. pathlib.Path(path).read_bytes()"
    raise ModelError(
        f"{origin}: expected the content of a float .tflite file as bytes, found a "
        f"{type(model).__name__}; {remedy}"
    )


def checked_count(value: Any, name: str, what: str = "samples") -> int | None:
    """A number of things, at least one; ``None`` stays what it is.

    Raises:
        ConfigError: It is something else.
    """
    if value is None:
        return None
    if not is_integer(value):
        raise ConfigError(f"{name} is {described(value)}; give a whole number of {what}, or None")
    if value < 1:
        raise ConfigError(f"{name} is {value}; at least one of the {what} is needed")
    return int(value)


def check_path(value: Any, name: str) -> None:
    """Refuse what names no file or folder; ``None`` names none, and is allowed.

    Raises:
        ConfigError: It is neither a string nor a path object.
    """
    if value is None:
        return
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise ConfigError(f"{name} is {described(value)}; give a path, as str or pathlib.Path")


def check_kind(value: Any, kind: type[Any], name: str, remedy: str) -> None:
    """Refuse a value of another type.

    Raises:
        ConfigError: It is one.
    """
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {described(value)}; {remedy}")


def is_integer(value: Any) -> bool:
    """Whether a value is a whole number, NumPy's included; True and False are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))


def is_number(value: Any) -> bool:
    """Whether a value is a finite real number, NumPy's included; True and False are none."""
    is_real = isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))
    return is_real and bool(np.isfinite(float(value)))


def described(value: Any) -> str:
    """Type and, where it is short, the value."""
    shown = repr(value)
    kind = type(value).__name__
    return f"{shown} ({kind})" if len(shown) <= 40 and "\n" not in shown else f"a {kind}"
