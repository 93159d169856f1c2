"""Sessions: interpreters that take arrays and give arrays.

Everything that runs a network does it through a session: nothing else sets an interpreter's inputs,
invokes it, or takes its outputs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Detail = dict[str, Any]

# What interpreters say that do not run because somebody holds a view of their memory, and for how
# many seconds to wait before they are asked again.
_HELD = "reference to internal data"
_WAITS = (0.001, 0.01, 0.1, 1.0, None)


class Writable(Protocol):
    """Values that are not there yet, and are best made where they are needed."""

    @property
    def shape(self) -> Shape:
        """Their shape."""

    def write_to(self, values: Array) -> None:
        """Write them into a contiguous array of their shape."""


class Session:
    """One interpreter, whose tensors are allocated for the shapes of what it was given last.

    Errors are the interpreter's, ``ValueError`` and ``RuntimeError``: what they mean depends on who
    asks.

    Attributes:
        interpreter: What runs.
        inputs: What the interpreter says of its inputs, in their order.
    """

    def __init__(self, interpreter: Any) -> None:
        """Take an interpreter, made by ``Runtime.interpreter``; nothing is allocated yet."""
        self.interpreter = interpreter
        self.inputs: list[Detail] = list(interpreter.get_input_details())
        self._shapes: list[Shape] = [tuple(detail["shape"]) for detail in self.inputs]
        self._is_allocated = False
        self._fetched: list[int] | None = None
        self._is_apart = bool(getattr(interpreter, "is_apart", False))

    @property
    def outputs(self) -> list[Detail]:
        """What the interpreter says of its outputs; shapes are those of the last run."""
        return list(self.interpreter.get_output_details())

    def allocate(self, shapes: Sequence[Shape] | None = None) -> None:
        """Make room for inputs of these shapes, those of the file without, if there is none yet."""
        wanted = self._shapes if shapes is None else [tuple(shape) for shape in shapes]
        if self._is_allocated and wanted == self._shapes:
            return
        # What fails half-way must not be taken for done.
        self._is_allocated = False
        for position, (detail, shape) in enumerate(zip(self.inputs, wanted)):
            if shape != self._shapes[position]:
                self.interpreter.resize_tensor_input(detail["index"], shape)
                self._shapes[position] = shape
        self.interpreter.allocate_tensors()
        self._is_allocated = True

    def feed(self, values: Sequence[Array | Writable]) -> None:
        """Set the inputs, in their order, to values of their types and allocated shapes."""
        for detail, value in zip(self.inputs, values):
            write_to = getattr(value, "write_to", None)
            if write_to is None:  # an array, or a number without dimensions
                self.interpreter.set_tensor(detail["index"], value)
                continue
            memory = self._memory(detail["index"])
            made = np.empty(value.shape, detail["dtype"]) if memory is None else memory
            write_to(made)
            if memory is None:
                self.interpreter.set_tensor(detail["index"], made)
            del memory, made

    def invoke(self) -> None:
        """Compute the outputs of what was fed last."""
        for seconds in _WAITS:
            try:
                self.interpreter.invoke()
                return
            except RuntimeError as error:
                # A thread that looks at this one's frames, as profilers do, holds views a while.
                if _HELD not in str(error) or seconds is None:
                    raise
                time.sleep(seconds)

    def results(self) -> Iterator[Array]:
        """Copies of the outputs, one after the other: all at once may take much memory."""
        return map(self.interpreter.get_tensor, self._indices())

    def _memory(self, index: int) -> Array | None:
        """A tensor where the interpreter keeps it.

        ``None`` if that is in another process, if it is empty, or a number without dimensions, of
        which NumPy makes a copy. While anybody holds it, interpreters refuse to run.
        """
        if self._is_apart:
            return None
        try:
            found = self.interpreter.tensor(index)()
        except ValueError:
            return None
        return found if isinstance(found, np.ndarray) else None

    def _indices(self) -> list[int]:
        if self._fetched is None:
            self._fetched = [detail["index"] for detail in self.outputs]
        return self._fetched

    def views(self) -> Iterator[Array]:
        """The outputs as ``results`` has them, where the interpreter keeps them.

        They may be changed, and the next run overwrites them. While anybody still holds one, it
        fails.
        """
        for index in self._indices():
            view = self._memory(index)
            if view is None:
                view = self.interpreter.get_tensor(index)
            yield view
            del view

    def run(self, values: Sequence[Array | Writable]) -> list[Array]:
        """Outputs for values of the inputs' types, in the model's order."""
        self.compute(values)
        return list(self.results())

    def compute(self, values: Sequence[Array | Writable]) -> None:
        """The same, but for taking the outputs."""
        self.allocate([value.shape for value in values])
        self.feed(values)
        self.invoke()
