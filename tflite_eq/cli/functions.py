"""Data sets that a function of the user's gives: ``package.module:function``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tflite_eq.data.dataset import elements
from tflite_eq.errors import TfliteEqError
from tflite_eq.user_functions import failed, imported


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
        self._dataset: Any = imported(name)

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
            raise failed(self._name, error) from error
