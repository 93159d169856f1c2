"""Functions of the user's: named as ``package.module:function``, and called.

Whatever they do, the error that is told is one line with the place in the user's code.
"""

from __future__ import annotations

import importlib
import operator
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

from tflite_eq.errors import ConfigError, DatasetError, TfliteEqError
from tflite_eq.files import exists

_NAMED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def names_function(value: str) -> bool:
    """Whether a value has the form ``package.module:function`` and is no path."""
    return _NAMED.fullmatch(value) is not None and not exists(value)


def imported(name: str) -> Any:
    """What ``package.module:function`` names, from the current folder, too.

    Raises:
        DatasetError: There is no such module, or nothing of that name in it, or importing it fails.
    """
    module_name, _, path = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # for good: the function may import more later
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise failed(name, error) from error
        raise DatasetError(
            f"{name}: no module '{error.name}', neither installed nor below {os.getcwd()}; run "
            "the command where it is, or set PYTHONPATH"
        ) from error
    except Exception as error:  # whatever the module does when it is imported
        raise failed(name, error) from error
    try:
        return operator.attrgetter(path)(module)
    except AttributeError as error:
        there = [found for found in vars(module) if not found.startswith("_")]
        raise DatasetError(
            f"{name}: nothing is called '{path}' in {module.__file__ or module_name}; found "
            f"{', '.join(there) or 'no names'}"
        ) from error


def imported_function(name: str, option: str) -> Callable[..., Any]:
    """A function that an option names.

    Raises:
        ConfigError: The value has another form, or names no function.
        DatasetError: It cannot be imported.
    """
    if not names_function(name):
        raise ConfigError(
            f"{option} {name}: expected package.module:function, such as metrics:wer for the "
            "function wer in metrics.py"
        )
    found = imported(name)
    if not callable(found):
        raise ConfigError(
            f"{option} {name}: names a {type(found).__name__}; name a function instead"
        )
    return found  # type: ignore[no-any-return]


def called(function: Callable[..., Any], role: str, *values: Any) -> Any:
    """What a function gives.

    Args:
        function: The user's.
        role: What it is, for the message.
        values: What it takes.

    Raises:
        DatasetError: It fails.
    """
    try:
        return function(*values)
    except (TfliteEqError, MemoryError):
        raise
    except Exception as error:  # whatever the function does
        raise failed(f"{role} {name_of(function)}", error) from error


def failed(name: str, error: Exception) -> DatasetError:
    """The error about what a user's code raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return DatasetError(
        f"{name}: fails with {reason} ({place.filename}, line {place.lineno}); correct the function"
    )


def name_of(function: Any) -> str:
    """What to call a function."""
    return str(getattr(function, "__name__", type(function).__name__))
