"""Samples of one model input, or of all, wherever they come from."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy.typing as npt

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.errors import DatasetError

Array = npt.NDArray[Any]
T = TypeVar("T")


class SampleSequence(abc.ABC, Generic[T]):
    """Samples: sized, indexable, iterable again and again, picklable.

    Attributes:
        preprocessing: What the files went through; ``None`` if they are taken as they are.
    """

    preprocessing: Preprocessing | None = None

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abc.abstractmethod
    def __getitem__(self, index: int) -> T:
        """Read sample ``index``, in [0, len).

        Raises:
            DatasetError: The sample cannot be read or holds NaN or infinity.
        """

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """Where sample ``index`` comes from, for messages."""

    def __iter__(self) -> Iterator[T]:
        return (self[index] for index in range(len(self)))


class Samples(SampleSequence[Array]):
    """Samples of one input: finite values of its type.

    Attributes:
        shape: Shape of every sample, with a batch of 1 where the input has a batch dimension.
    """

    shape: tuple[int, ...]

    def select(self, indices: Sequence[int]) -> Samples:
        """The samples at some positions, ascending for speed."""
        return SelectedSamples(self, indices)


class SelectedSamples(Samples):
    """Some of other samples."""

    def __init__(self, samples: Samples, indices: Sequence[int]) -> None:
        """Keep the positions in ``samples``."""
        self._samples = samples
        self._indices = tuple(indices)
        self.shape = samples.shape
        self.preprocessing = samples.preprocessing

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Array:
        return self._samples[self._indices[index]]

    def name(self, index: int) -> str:
        """As among all of them."""
        return self._samples.name(self._indices[index])


class JoinedSamples(SampleSequence["dict[str, Array]"]):
    """Samples of a model with several inputs: those at the same position belong together."""

    def __init__(self, parts: Mapping[str, Samples]) -> None:
        """Join the samples of every input.

        Args:
            parts: By name of the input.

        Raises:
            DatasetError: There are not as many for each.
        """
        counts = {name: len(samples) for name, samples in parts.items()}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{count} for '{name}'" for name, count in counts.items())
            raise DatasetError(
                f"the inputs have different numbers of samples: {found}; samples at the same "
                "position belong together, so give as many for each"
            )
        self._parts = dict(parts)
        used = (samples.preprocessing for samples in parts.values())
        self.preprocessing = next((one for one in used if one is not None), None)

    def __len__(self) -> int:
        return len(next(iter(self._parts.values())))

    def __getitem__(self, index: int) -> dict[str, Array]:
        return {name: samples[index] for name, samples in self._parts.items()}

    def name(self, index: int) -> str:
        """Where each input's part comes from."""
        return " with ".join(samples.name(index) for samples in self._parts.values())

    def select(self, indices: Sequence[int]) -> JoinedSamples:
        """The same positions of every input."""
        return JoinedSamples({n: samples.select(indices) for n, samples in self._parts.items()})


class UnbatchedSamples(Samples):
    """Samples without the batch of 1 they have."""

    def __init__(self, samples: Samples) -> None:
        """Wrap samples of shape [1, ...]."""
        self._samples = samples
        self.shape = samples.shape[1:]
        self.preprocessing = samples.preprocessing

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Array:
        values: Array = self._samples[index][0]
        return values

    def name(self, index: int) -> str:
        """As before."""
        return self._samples.name(index)
