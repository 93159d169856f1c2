"""Data sets that a function of the user's gives: ``package.module:function``."""

from __future__ import annotations

import importlib
import operator
import os
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from tflite_eq.data.dataset import elements
from tflite_eq.errors import DatasetError, TfliteEqError
from tflite_eq.files import exists

_NAMED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def names_function(value: str) -> bool:
    """Whether a value has the form ``package.module:function`` and is no path."""
    return _NAMED.fullmatch(value) is not None and not exists(value)


class FunctionData:
    """What a user's function yields, its errors told in one line like all others."""

    def __init__(self, name: str) -> None:
        """Import it, from the current folder, too.

        Args:
            name: ``package.module:function``; it may also name an iterable.

        Raises:
            DatasetError: There is no such module, or nothing of that name in it, or importing it
                fails.
        """
        self._name = name
        module_name, _, path = name.partition(":")
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())  # for good: the function may import more later
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if not f"{module_name}.".startswith(f"{error.name}."):
                raise self._failed(error) from error
            raise DatasetError(
                f"{name}: no module '{error.name}', neither installed nor below {os.getcwd()}; run "
                "the command where it is, or set PYTHONPATH"
            ) from error
        except Exception as error:  # whatever the module does when it is imported
            raise self._failed(error) from error
        try:
            self._dataset: Any = operator.attrgetter(path)(module)
        except AttributeError as error:
            there = [found for found in vars(module) if not found.startswith("_")]
            raise DatasetError(
                f"{name}: nothing is called '{path}' in {module.__file__ or module_name}; found "
                f"{', '.join(there) or 'no names'}"
            ) from error

    def __iter__(self) -> Iterator[Any]:
        """Its elements, in any form that TFLite's representative data sets have.

        Raises:
            DatasetError: It fails.
        """
        try:
            yield from elements(self._dataset)
        except (TfliteEqError, MemoryError):
            raise
        except Exception as error:  # whatever the function does
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> DatasetError:
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return DatasetError(
            f"{self._name}: fails with {reason} ({place.filename}, line {place.lineno}); correct "
            "the function"
        )
