"""The delegate against a runtime's reference kernels, code for code."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from tflite_eq.delegate import library
from tflite_eq.delegate.claims import Claim, captured_stderr, parse_claims, pass_on_warnings
from tflite_eq.delegate.golden import GoldenRun, GoldenSample, golden_run
from tflite_eq.delegate.inputs import ordinary_inputs, random_inputs, typed_inputs
from tflite_eq.delegate.process import CrashError, call_apart
from tflite_eq.delegate.reference_form import NoReferenceError, reference_form
from tflite_eq.delegate.work import check_computes_with_codes
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.graph import edit
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime
from tflite_eq.session import Session

Array = npt.NDArray[Any]
Samples = Union["Iterable[Array]", "Iterable[Mapping[str, Array]]"]

# What computed a tensor that no claim is about.
OUTPUT = "model output"
GOLDEN = "model output beside the golden file's"
# And the last of several operators that are run as one, where they are.
FUSED = "run as one with those before it"


@dataclasses.dataclass(frozen=True)
class Difference:
    """The first code that differs.

    Attributes:
        sample: Number of the sample, from 0.
        position: Index into the tensor.
        found: What the delegate computed.
        expected: What the reference kernel computed.
    """

    sample: int
    position: tuple[int, ...]
    found: float
    expected: float

    def __str__(self) -> str:
        where = ", ".join(map(str, self.position))
        return f"{self.found:g} instead of {self.expected:g} at [{where}] of sample {self.sample}"


@dataclasses.dataclass
class Comparison:
    """How one tensor came out over all samples.

    Attributes:
        name: Name of the tensor.
        kind: The operator that writes it, ``CONV_2D``; empty for a model output.
        kernel: What computed it: the delegate's reason, ``FUSED`` or ``OUTPUT``.
        values: Number of values compared.
        differing: How many of them differ.
        first: The first that does.
    """

    name: str
    kind: str
    kernel: str
    values: int = 0
    differing: int = 0
    first: Difference | None = None

    def add(self, sample: int, found: Array, expected: Array) -> None:
        """Compare one sample's tensors; any difference of shape counts as all values."""
        self.values += expected.size
        if found.shape != expected.shape:
            self.differing += expected.size
            self.first = self.first or Difference(sample, (), float("nan"), float("nan"))
            return
        # Bit patterns: NaN equals NaN, and -0 is not 0.
        shape, found, expected = found.shape, found.reshape(-1, 1), expected.reshape(-1, 1)
        unequal = (found.view(np.uint8) != expected.view(np.uint8)).any(axis=-1)
        count = int(np.count_nonzero(unequal))
        if count and self.first is None:
            place = int(unequal.argmax())
            position = tuple(int(i) for i in np.unravel_index(place, shape or (1,))[: len(shape)])
            self.first = Difference(
                sample, position, float(found[place, 0]), float(expected[place, 0])
            )
        self.differing += count


@dataclasses.dataclass(frozen=True)
class Validation:
    """One runtime's outcome.

    Attributes:
        runtime: Name and version.
        claims: The delegate's decision on every operator of a kind that it runs.
        comparisons: The delegated operators' outputs in model order, then the model's outputs; none
            if nothing is delegated, as nothing is run then.
        inputs_hash: What stands for the samples, see ``_Hash``; empty if nothing is run.
        outputs_hash: What stands for the model's outputs over them, computed with the delegate.
        golden: The run, to be written; None unless it was asked for.
    """

    runtime: str
    claims: list[Claim]
    comparisons: list[Comparison]
    inputs_hash: str
    outputs_hash: str
    golden: GoldenRun | None = None

    @property
    def first_wrong(self) -> Comparison | None:
        """The first tensor with a differing value: where a fault came from."""
        return next((c for c in self.comparisons if c.differing), None)


def validate(
    model: bytes,
    runtime: Runtime,
    *,
    samples: int | Samples = 4,
    seed: int = 0,
    options: Mapping[str, library.Option] | None = None,
    origin: str = "model",
    keep_run: bool = False,
    golden: GoldenRun | None = None,
) -> Validation:
    """Compare the delegate with the reference kernels of one runtime, in a process of its own.

    What the delegate leaves runs on reference kernels in either case, so that any difference is
    the delegate's.

    Args:
        model: A quantized ``.tflite``.
        runtime: The runtime.
        samples: Number of random samples, or real ones, see ``typed_inputs``.
        seed: Seeds the random ones.
        options: Options for the delegate.
        origin: What to call the model in messages.
        keep_run: Whether the outcome is to hold the run, whatever is delegated.
        golden: A run to compare the model's outputs with, too; its inputs are the samples then.

    Raises:
        ConfigError: ``golden`` is of another model.
        NoReferenceError: The reference kernels do not run the model without the delegate, either.
        TfliteEqError: The model, the library, an option or the runtime is at fault.
    """
    name = runtime.description
    if golden is not None and golden.model_hash != hashlib.sha256(model).digest():
        raise ConfigError(
            f"the golden file is of another model than {origin}: of one whose SHA-256 is"
            f" {golden.model_hash.hex()}"
        )
    arguments = (model, runtime, samples, seed, dict(options or {}), origin, keep_run, golden)
    try:
        return call_apart(f"{origin}: validating on {name}", _validate, *arguments)
    except CrashError:
        _check_reference(model, runtime, origin)
        raise


def _check_reference(model: bytes, runtime: Runtime, origin: str) -> None:
    """Tell a crash of the runtime's own kernels from one of the delegate's."""
    name = runtime.description
    try:
        call_apart(f"{origin}: the reference kernels of {name}", _run_plain, model, runtime, origin)
    except CrashError as error:
        raise NoReferenceError(
            f"{origin}: the reference kernels of {name} crash on this model without the delegate, "
            "too, so there is nothing to compare with there; name another installed runtime with "
            "--runtime"
        ) from error


def _run_plain(model: bytes, runtime: Runtime, origin: str) -> None:
    plain = reference_form(model, runtime, origin)
    session = Session(runtime.interpreter(plain, Kernels.REFERENCE))
    session.run(ordinary_inputs(Graph.from_bytes(plain, origin)))


def _validate(
    model: bytes,
    runtime: Runtime,
    samples: int | Samples,
    seed: int,
    options: dict[str, library.Option],
    origin: str,
    keep_run: bool,
    golden: GoldenRun | None,
) -> Validation:
    check_computes_with_codes(Graph.from_bytes(model, origin))
    given, model = model, reference_form(model, runtime, origin)
    graph = Graph.from_bytes(model, origin)
    # As it is: partitions with tensors of their own inside.
    plain = _Pair(model, runtime, options)
    pass_on_warnings(plain.log)
    claims = plain.claims
    claimed = {claim.operator: claim for claim in claims if claim.claimed}
    if not claimed and not keep_run and golden is None:
        return Validation(runtime.description, claims, [], "", "")
    written, results = [], []
    for number, claim in claimed.items():
        for place, index in enumerate(graph.operators[number].outputs):
            name = claim.name if place == 0 else graph.tensors[index].name
            written.append(index)
            results.append(Comparison(name, claim.kind, claim.reason))
    # With every delegated operator's result to be seen, so that each is run by itself. What several
    # write that are run as one is to be seen where what lies between them is not.
    opened = _Pair(edit.with_outputs(graph, written), runtime, options) if written else None
    ends = [claim for claim in claimed.values() if claim.fused_into == claim.operator]
    seen = [graph.operators[claim.operator].outputs[0] for claim in ends]
    fused = _Pair(edit.with_outputs(graph, seen), runtime, options) if ends else None
    groups = [Comparison(c.name, c.kind, FUSED) for c in ends]
    outputs = [Comparison(graph.tensors[index].name, "", OUTPUT) for index in graph.outputs]
    beside = [Comparison(graph.tensors[index].name, "", GOLDEN) for index in graph.outputs]
    kept: list[GoldenSample] = []
    hashes = _Hash(), _Hash()
    inputs: Iterable[list[Array]]
    if golden is not None:
        inputs = (list(sample.inputs) for sample in golden.samples)
    elif isinstance(samples, int):
        inputs = random_inputs(graph, samples, seed)
    else:
        inputs = typed_inputs(graph, samples)
    for number, values in enumerate(inputs):
        delegated = plain.run(values)
        compared = [(outputs, delegated)]
        compared += [(results, opened.run(values))] if opened else []
        compared += [(groups, fused.run(values))] if fused else []
        for comparisons, tensors in compared:
            for comparison, found, expected in zip(comparisons, *tensors):
                comparison.add(number, found, expected)
        if golden is not None:
            for comparison, tensor, expected in zip(
                beside, delegated[0], golden.samples[number].outputs
            ):
                comparison.add(number, tensor, expected)
        for hashed, of in zip(hashes, (values, delegated[0])):
            hashed.add(of)
        kept += [GoldenSample(values, delegated[0])] if keep_run else []
    every = results + groups + outputs + (beside if golden is not None else [])
    input_names, output_names = (
        [graph.tensors[index].name for index in indices]
        for indices in (graph.inputs, graph.outputs)
    )
    run = golden_run(given, input_names, output_names, kept) if keep_run else None
    inputs_hash, outputs_hash = map(str, hashes)
    return Validation(runtime.description, claims, every, inputs_hash, outputs_hash, run)


class _Hash:
    """The first 16 hexadecimal digits of a SHA-256, over the tensors of all samples in order.

    Of their bytes, little-endian, and nothing else: a program without this package gets the same.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, tensors: Iterable[Array]) -> None:
        for tensor in tensors:
            self._hash.update(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())

    def __str__(self) -> str:
        return self._hash.hexdigest()[:16]


class _Pair:
    """A model on reference kernels, without and with the delegate before them."""

    def __init__(
        self, model: bytes, runtime: Runtime, options: Mapping[str, library.Option]
    ) -> None:
        delegate = library.load(runtime, **{**options, "log_level": 2})
        with captured_stderr() as log:
            delegated = runtime.interpreter(model, Kernels.REFERENCE, delegates=[delegate])
            plain = runtime.interpreter(model, Kernels.REFERENCE)
            self._sessions = (Session(delegated), Session(plain))
            for session in self._sessions:
                try:
                    session.allocate()
                except (RuntimeError, ValueError) as error:
                    raise BackendError(f"the runtime rejects the model: {error}") from error
        self.log = log.getvalue()
        self.claims = parse_claims(log.getvalue(), Graph.from_bytes(model))

    def run(self, inputs: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """Outputs with the delegate and without."""
        with_it, without = (_outputs(i, inputs) for i in self._sessions)
        return with_it, without


def _outputs(session: Session, inputs: Sequence[Array]) -> list[Array]:
    session.feed(inputs)
    try:
        session.invoke()
    except RuntimeError as error:
        raise BackendError(f"the model fails to run: {error}") from error
    return list(session.results())
