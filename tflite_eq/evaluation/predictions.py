"""What a model gave for a set of samples, kept so that other models can be compared with it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib

import numpy as np
import numpy.typing as npt

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation import metrics
from tflite_eq.runtimes import Kernels


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """Logits of one model for all samples, with what they depend on.

    Attributes:
        name: The model's.
        size_bytes: Size of its file.
        logits: [samples, classes].
        labels: Class of every sample.
        runtime: Name and version of the TFLite runtime.
        kernels: What it computed with.
        preprocessing: What pixels went through.
    """

    name: str
    size_bytes: int
    logits: npt.NDArray[np.float32]
    labels: tuple[int, ...]
    runtime: str
    kernels: Kernels
    preprocessing: Preprocessing

    @functools.cached_property
    def scores(self) -> metrics.Scores:
        """The model's own entries of type ``metrics.SCORE``, compared with itself."""
        scores = np.zeros(len(self.labels), metrics.SCORE)
        for position, (logits, label) in enumerate(zip(self.logits, self.labels)):
            scores[position] = metrics.score(logits, label, logits)
        return scores

    def digest(self) -> bytes:
        """SHA-256 over the logits and all they depend on: the same samples give the same."""
        facts = (self.labels, self.runtime, self.kernels.value, self.preprocessing.to_dict())
        found = hashlib.sha256(repr((self.logits.shape, *facts)).encode())
        found.update(np.ascontiguousarray(self.logits).tobytes())
        return found.digest()

    def check_made_with(
        self,
        runtime: str,
        kernels: Kernels,
        preprocessing: Preprocessing,
        labels: tuple[int, ...],
    ) -> None:
        """Make sure that these are what the model would give again.

        The samples themselves are not read for that; their number and labels are compared.

        Raises:
            ConfigError: Something differs.
        """
        for what, then, now in (
            ("runtime", self.runtime, runtime),
            ("kernels", self.kernels.value, kernels.value),
            ("preprocessing", self.preprocessing.to_dict(), preprocessing.to_dict()),
            ("number of samples", len(self.labels), len(labels)),
            ("labels", self.labels, labels),
        ):
            if then != now:
                told = "" if what == "labels" else f": {then} then, {now} now"
                raise ConfigError(
                    f"stored predictions of {self.name}: other {what}{told}; run predict "
                    "again with the same samples and options"
                )
