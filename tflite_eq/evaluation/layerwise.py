"""Error of every layer of quantized models against the float one, measured on the files themselves.

The calibration pass predicts errors from its simulation. Here the models run on the installed
runtime, with the tensors of interest among their outputs, and what comes out is compared: nothing
is taken from the pass.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.data.dataset import SampleReader
from tflite_eq.errors import DatasetError
from tflite_eq.evaluation import metrics
from tflite_eq.evaluation.classifier import is_vector
from tflite_eq.evaluation.feeding import decode
from tflite_eq.evaluation.instrumented import Instrumented
from tflite_eq.evaluation.intervals import Estimate
from tflite_eq.graph.channel_copies import Copies
from tflite_eq.graph.model import Graph
from tflite_eq.graph.outputs import final_softmax
from tflite_eq.progress import track

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class ComparisonSet:
    """Samples to compare models on.

    Attributes:
        samples: In any form ``SampleReader`` takes.
        description: What they are, for people: ``32 images that calibration did not see``.
        labels: Class of every sample, if known.

    Example:
        >>> import numpy as np, tflite_eq
        >>> samples = np.load("samples.npy")[:, np.newaxis]
        >>> others = tflite_eq.ComparisonSet(list(samples[50:80]), "30 other digits")
        >>> result = tflite_eq.quantize(
        ...     "net_float.tflite", list(samples[:50]), report_dir="report", comparison=others
        ... )
        >>> "30 other digits" in result.report.compared_on
        True
    """

    samples: Any
    description: str
    labels: Sequence[int] | None = None

    def __post_init__(self) -> None:
        """Copy the labels: whoever made them may change them."""
        if self.labels is not None:
            object.__setattr__(self, "labels", tuple(self.labels))


@dataclasses.dataclass(frozen=True)
class ComparedModel:
    """A quantized model that is compared with the float one.

    Attributes:
        name: What to call it.
        data: The ``.tflite``, with the float model's tensor names and order of inputs.
        windows: The codes a tensor is meant to use, smallest and largest, by tensor index of the
            float network; all of int8 where nothing is said.
        factors: What the channels of a tensor were divided by before the model was quantized, [C],
            by tensor index of the float network. The float values are divided by them, too, before
            the two are compared.
        copies: Tensors that hold channels in several copies, by tensor index of the float network:
            the mean over its copies stands for a channel.
    """

    name: str
    data: bytes
    windows: Mapping[int, tuple[int, int]] = dataclasses.field(default_factory=dict)
    factors: Mapping[int, npt.NDArray[np.float32]] = dataclasses.field(default_factory=dict)
    copies: Copies = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TensorError:
    """How far a tensor of a quantized model is from the float one, over all samples.

    Attributes:
        sqnr_db: 10 log10(signal energy / error energy); infinite without error.
        cosine: Cosine between all values of the two.
        codes: Smallest and largest code seen; ``None`` if the tensor is float.
        outside: Part of the codes outside the tensor's window, in [0, 1].
    """

    sqnr_db: float
    cosine: float
    codes: tuple[int, int] | None = None
    outside: float = 0.0

    @property
    def noise(self) -> float:
        """Error energy by signal energy."""
        return 10 ** (-self.sqnr_db / 10)


@dataclasses.dataclass(frozen=True)
class ModelErrors:
    """One quantized model against the float one.

    Attributes:
        name: As given.
        tensors: Errors by tensor index of the float model, those of scaled tensors in the units of
            the scaled one; tensors that the quantized model lacks are missing.
        output: Error of the network's outputs, those before a final softmax; of the first output
            where there are several.
        figures: Figures of a classifier; ``None`` for other networks. Those that need labels mean
            nothing without them.
        agreement_lost: What its agreement is below that of the first model, in points.
    """

    name: str
    tensors: dict[int, TensorError]
    output: TensorError | None
    figures: metrics.Metrics | None
    agreement_lost: Estimate | None = None


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Several models on the same samples.

    Attributes:
        description: What the samples are.
        count: How many there are.
        has_labels: Whether top-1 means something.
        runtime: Name and version of the runtime.
        reference: Top-1 of the float model; ``None`` without labels or for other networks.
        models: The quantized models in the order given.
    """

    description: str
    count: int
    has_labels: bool
    runtime: str
    reference: metrics.Metrics | None
    models: tuple[ModelErrors, ...]


def compare(
    graph: Graph,
    models: Sequence[ComparedModel],
    samples: ComparisonSet,
    tensors: Sequence[int],
) -> Comparison:
    """Run the float model and quantized ones on the same samples.

    Args:
        graph: The float network.
        models: The quantized models.
        samples: What to run them on.
        tensors: Tensor indices of the float network to compare; outputs are compared anyway.

    Raises:
        BackendError: The runtime cannot run a model.
        DatasetError: The samples are empty or do not fit the model.
    """
    target = _output_of(graph)
    wanted = sorted({*tensors, target} - set(graph.inputs))
    exact = Instrumented(graph, {index: index for index in wanted})
    rivals = [_Compared(model, graph, [*wanted, *graph.inputs]) for model in models]
    scores_classes = is_classifier(graph)
    scores = [bytearray() for _ in range(len(models) + 1)]
    count = 0
    reader = SampleReader(graph, samples.samples)
    for sample in track(reader, "Comparing the models"):
        inputs = [sample[index] for index in graph.inputs]
        reference = dict(zip(graph.inputs, inputs))
        reference.update(exact.run(inputs))
        logits = reference[target].reshape(-1)
        label = _label(samples, count, logits.size) if scores_classes else 0
        if scores_classes:
            scores[0] += metrics.packed(metrics.score(logits, label))
        for row, rival in enumerate(rivals, start=1):
            values = rival.run(inputs, reference)
            if scores_classes and target in values:
                found = metrics.score(values[target].reshape(-1), label, logits)
                scores[row] += metrics.packed(found)
        count += 1
    return Comparison(
        description=samples.description,
        count=count,
        has_labels=samples.labels is not None and scores_classes,
        runtime=exact.runtime,
        reference=_summary(scores[0]),
        models=tuple(
            rival.errors(target, _summary(own, scores[0]), _agreement_lost(scores[1], own))
            for rival, own in zip(rivals, scores[1:])
        ),
    )


class ErrorSums:
    """Running sums over pairs of exact and quantized values."""

    def __init__(self) -> None:
        """Start with no values."""
        self._signal = self._noise = self._product = self._energy = 0.0
        self._codes: tuple[int, int] | None = None
        self._outside = self._count = 0

    def add(self, exact: Array, values: Array) -> None:
        """Add values of the same shape."""
        x, y = (a.reshape(-1).astype(np.float64) for a in (exact, values))
        difference = y - x
        self._signal += float(np.vdot(x, x))
        self._energy += float(np.vdot(y, y))
        self._product += float(np.vdot(x, y))
        self._noise += float(np.vdot(difference, difference))

    def add_codes(self, codes: Array, window: tuple[int, int]) -> None:
        """Note which codes a tensor uses."""
        low, high = int(codes.min()), int(codes.max())
        seen = self._codes or (low, high)
        self._codes = min(low, seen[0]), max(high, seen[1])
        if low < window[0] or high > window[1]:
            self._outside += int(np.count_nonzero((codes < window[0]) | (codes > window[1])))
        self._count += codes.size

    def result(self) -> TensorError:
        """The figures; two tensors of zeros are equal."""
        norms = math.sqrt(self._signal) * math.sqrt(self._energy)
        cosine = self._product / norms if norms else float(self._signal == self._energy)
        return TensorError(
            sqnr_db=_decibels(self._signal, self._noise),
            cosine=min(cosine, 1.0),
            codes=self._codes,
            outside=self._outside / max(self._count, 1),
        )


class _Compared:
    """A quantized model and the sums over its tensors."""

    def __init__(self, model: ComparedModel, graph: Graph, wanted: Sequence[int]) -> None:
        self._rival = model
        own = Graph.from_bytes(model.data, model.name)
        self._model = Instrumented(own, corresponding_tensors(graph, own, wanted))
        self._sums: dict[int, ErrorSums] = {}

    def run(self, inputs: Sequence[Array], reference: Mapping[int, Array]) -> dict[int, Array]:
        """Compare one sample; returns the real values."""
        found = {}
        for index, codes, detail in self._model.run_codes(inputs):
            values = decode(codes, detail)
            exact = reference[index]
            if index in self._rival.copies:
                values = self._rival.copies[index].averaged(values)
            if index in self._rival.factors:
                exact = exact / self._rival.factors[index]
            sums = self._sums.setdefault(index, ErrorSums())
            sums.add(exact, values)
            if codes.dtype == np.int8:
                sums.add_codes(codes, self._rival.windows.get(index, (-128, 127)))
            found[index] = values
        return found

    def errors(
        self, target: int, figures: metrics.Metrics | None, agreement_lost: Estimate | None
    ) -> ModelErrors:
        """What was measured."""
        tensors = {index: sums.result() for index, sums in self._sums.items()}
        return ModelErrors(self._rival.name, tensors, tensors.get(target), figures, agreement_lost)


def corresponding_tensors(graph: Graph, other: Graph, wanted: Sequence[int]) -> dict[int, int]:
    """Which computed tensor of a quantized model stands for which one of the float network.

    Names tell. A name that is not unique stands for nothing; what a QUANTIZE operator makes of an
    input stands for the input.

    Returns:
        Tensor indices of ``graph`` by tensor index of ``other``, each at most once.
    """
    names: dict[str, list[int]] = {}
    for index in wanted:
        names.setdefault(graph.tensors[index].name, []).append(index)
    unique = {name: indices[0] for name, indices in names.items() if len(indices) == 1}
    found: dict[int, int] = {}
    for operator in other.operators:
        for index in operator.outputs:
            source = other.tensors[operator.inputs[0]] if operator.kind == "QUANTIZE" else None
            name = other.tensors[index].name
            if name not in unique and source is not None and source.index in other.inputs:
                name = source.name
            if name in unique and unique[name] not in found.values():
                found[index] = unique[name]
    return found


def is_classifier(graph: Graph) -> bool:
    """Whether the output is one vector of scores per sample."""
    return len(graph.outputs) == 1 and is_vector(graph.tensors[_output_of(graph)].shape)


def _label(samples: ComparisonSet, position: int, classes: int) -> int:
    if samples.labels is None:
        return 0
    label = int(samples.labels[position])
    if not 0 <= label < classes:
        raise DatasetError(
            f"{samples.description}: the label of sample {position} is {label}, outside "
            f"0..{classes - 1}, the classes of the model; labels count from 0"
        )
    return label


def _output_of(graph: Graph) -> int:
    """The tensor that a user looks at: logits where a softmax follows them."""
    softmax = final_softmax(graph)
    return graph.outputs[0] if softmax is None else softmax.inputs[0]


def _summary(scores: bytearray, reference: bytearray | None = None) -> metrics.Metrics | None:
    if not scores:
        return None
    own, others = (
        None if packed is None else np.frombuffer(packed, metrics.SCORE)
        for packed in (scores, reference)
    )
    assert own is not None
    return metrics.summarize(own, others)


def _agreement_lost(first: bytearray, other: bytearray) -> Estimate | None:
    if not first or len(first) != len(other):
        return None
    before, after = (np.frombuffer(packed, metrics.SCORE)["agrees"] for packed in (first, other))
    return metrics.paired_drop(before, after)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf
