"""The samples of a calibration, kept from the only time that the user's data set is read.

Several passes look at them: over the float network as it is given, over the one that is equalized,
over every model that the accuracy guard tries. A data set that shuffles, augments or runs dry
would show each of them something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tflite_eq.data.dataset import Array, Sample, SampleReader
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.samples import SampleSequence
from tflite_eq.data.store import ActivationStore, Closing
from tflite_eq.graph.model import Graph
from tflite_eq.progress import track

# Samples are looked at one after the other and a few times only, so most may wait on disk.
_MEMORY_BUDGET = 64 << 20

_KEY = "sample"


class StoredSamples(Closing):
    """Samples in the order they came in, in memory up to a budget and on disk beyond it.

    Use as a context manager: what is on disk vanishes on exit.

    Attributes:
        count: Number of samples.
        digest: SHA-256 over all of them, hexadecimal.
        by_position: Whether some of them came as lists, in the order of the inputs.
        preprocessing: What the files went through that the data set reads; ``None`` if it does not
            say.
        doubts: What is doubtful about them, one sentence each; ``None`` until somebody has looked.
        facts: What else was found out about them, for who asks again.
    """

    def __init__(
        self,
        graph: Graph,
        dataset: Any,
        limit: int | None = None,
        memory_budget: int | None = None,
        title: str = "Reading the calibration data",
    ) -> None:
        """Read the data set.

        Args:
            graph: The float network.
            dataset: In any form that ``SampleReader`` takes.
            limit: Take at most so many samples; ``None`` takes all.
            memory_budget: Bytes of samples to keep in memory, 64 MiB if it is ``None``.
            title: Of the progress bar.

        Raises:
            DatasetError: The data set is empty or does not fit the model.
        """
        self._inputs = tuple(graph.inputs)
        self._store = ActivationStore(_MEMORY_BUDGET if memory_budget is None else memory_budget)
        try:
            reader = SampleReader(graph, dataset, limit)
            for number, sample in enumerate(track(reader, title, limit)):
                for index in self._inputs:
                    sample[index].flags.writeable = False
                    self._store.put(_KEY, index, number, sample[index])
        except BaseException:
            self._store.close()
            raise
        self.count, self.digest = reader.count, reader.digest
        self.by_position = reader.by_position
        self.preprocessing: Preprocessing | None = getattr(dataset, "preprocessing", None)
        self.doubts: list[str] | None = None
        self.facts: dict[Any, Any] = {}
        self._names: tuple[str, ...] = ()
        if isinstance(dataset, SampleSequence) and len(dataset) == self.count:
            self._names = tuple(dataset.name(number) for number in range(self.count))

    def name(self, number: int) -> str:
        """What a sample is called in messages: its file, where that is known."""
        return self._names[number] if self._names else f"sample {number}"

    def close(self) -> None:
        """Forget the samples."""
        self._store.close()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Sample:
        if not 0 <= number < self.count:
            raise IndexError(f"sample {number} of {self.count}")
        return {index: self._store.get(_KEY, index, number) for index in self._inputs}

    def __iter__(self) -> Iterator[Sample]:
        """The samples, by tensor index of the inputs; read-only."""
        return (self[number] for number in range(self.count))

    def spread(self, limit: int) -> list[list[Array]]:
        """Some samples, evenly spread over all of them, as arrays in input order.

        Returns:
            Between half of ``limit`` and ``limit`` of them, all if there are no more.
        """
        return [list(self[number].values()) for number in spread_positions(self.count, limit)]


class SamplesOfOthers(StoredSamples):
    """Something made of stored samples; the digest, and what is found out about them, stay theirs.

    A subclass sets ``count`` and says what a sample is, and what it is called.
    """

    def __init__(self, samples: StoredSamples) -> None:
        """Look at ``samples``; nothing is copied."""
        self._whole = samples
        self.count, self.digest = samples.count, samples.digest
        self.by_position, self.preprocessing = samples.by_position, samples.preprocessing
        self.facts = samples.facts

    @property
    def doubts(self) -> list[str] | None:
        """Those about all of them."""
        return self._whole.doubts

    @doubts.setter
    def doubts(self, found: list[str] | None) -> None:
        self._whole.doubts = found

    def close(self) -> None:
        """The samples are somebody else's."""

    def name(self, number: int) -> str:
        """As the samples call it."""
        return self._whole.name(number)


class SomeSamples(SamplesOfOthers):
    """Some of stored samples, in their order."""

    def __init__(self, samples: StoredSamples, numbers: Sequence[int]) -> None:
        """Keep samples of these numbers; nothing is copied."""
        super().__init__(samples)
        self._numbers = tuple(numbers)
        self.count = len(self._numbers)

    def name(self, number: int) -> str:
        """As among all of them."""
        return super().name(self._numbers[number])

    def __getitem__(self, number: int) -> Sample:
        if not 0 <= number < self.count:
            raise IndexError(f"sample {number} of {self.count}")
        return self._whole[self._numbers[number]]


def spread_positions(count: int, limit: int) -> range:
    """At most ``limit`` of ``range(count)``, every 1st, 2nd, 4th..., the first among them."""
    if limit < 1:
        return range(0)
    stride = 1
    while -(-count // stride) > limit:
        stride *= 2
    return range(0, count, stride)
