"""Whether a written model computes what it should, operator by operator, on the installed runtimes.

That a file runs does not tell that it is right. Comparing outputs would need a bound that grows
with the depth, for stock kernels differ from each other by a code here and there, and the
differences add up to several decibels where leaky ReLUs follow each other. So every operator is
judged by itself: it is given the very codes that the written model has computed in front of it
(they are appended to the model's outputs), and its result is compared with what the float network's
operator makes of them under the record's scales, filters and biases. No difference is carried on,
and the bound is the same at every depth; ``operators`` derives it.

A result that is wrong with the reference kernels, too, or with every runtime, is the model's fault;
one that only some kernels compute is theirs.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from tflite_eq.conformance.operators import Mismatch, checks
from tflite_eq.conformance.samples import Sample
from tflite_eq.conformance.written_model import WrittenModel
from tflite_eq.errors import BackendError, VerificationError
from tflite_eq.evaluation.instrumented import Instrumented
from tflite_eq.graph.checks import describe
from tflite_eq.graph.edit import computed_tensors
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, Runtime

Array = npt.NDArray[Any]

# Tensors that are looked at in one run. A model with larger ones runs once for every part of it.
_SHOWN_BYTES = 64 << 20

_Run = tuple[Kernels, Sequence[Sample]]

# An operator by index, with digests of the tensors that its check looks at.
_Finding = tuple[int, tuple[Optional[bytes], ...]]


@dataclasses.dataclass(frozen=True)
class _Values:
    """Tensors of a written model for one sample by index, with digests."""

    tensors: dict[int, Array]
    digests: dict[int, bytes]


@dataclasses.dataclass(frozen=True)
class _Part:
    """Consecutive operators of the written model, and the computed tensors they read or write.

    Attributes:
        operators: By index, each with all tensors that its check looks at.
        tensors: Those of them that the model computes.
    """

    operators: dict[int, list[int]]
    tensors: list[int]


def check_computed(
    subject: WrittenModel, inputs: Sequence[Sample], able: Mapping[Runtime, Sequence[Kernels]]
) -> None:
    """Compare what the written model computes with what it should.

    The first runtime is checked on all samples with the first of its kernels, all else on one.

    Args:
        subject: The written model and what it should compute.
        inputs: Samples: values of the network's inputs, in their order.
        able: The runtimes that run the model, each with the kernels that do.

    Raises:
        VerificationError: Names the operator, what it computed and what is right, and whether the
            model is wrong or the runtime.
    """
    right: set[_Finding] = set()
    for number, (runtime, kinds) in enumerate(able.items()):
        runs: list[_Run] = [
            (kernels, inputs if (number, position) == (0, 0) else inputs[:1])
            for position, kernels in enumerate(kinds)
        ]
        wrong = _first_wrong(subject, runtime, runs, right)
        if wrong is not None:
            raise _error(subject, inputs, list(able), runtime, *wrong)


def _first_wrong(
    subject: WrittenModel, runtime: Runtime, runs: Sequence[_Run], right: set[_Finding]
) -> tuple[Kernels, Mismatch] | None:
    """The first operator that computes what it may not, and with which kernels.

    Args:
        subject: The written model and what it should compute.
        runtime: What runs it.
        runs: Kernels, and samples to run with them.
        right: What was found to be right, which need not be computed again: most runtimes give the
            same codes. Receives what is.
    """
    makers = checks(subject)
    for part in _parts(subject):
        values = [found for run in runs for found in _values(subject, runtime, run, part)]
        for index, tensors in part.operators.items():
            if index not in makers:
                continue
            check = functools.cache(makers[index])
            for kernels, found in values:
                finding = index, tuple(found.digests.get(i) for i in tensors)
                if finding in right:
                    continue
                mismatch = check().mismatch(found.tensors)
                if mismatch is not None:
                    return kernels, mismatch
                right.add(finding)
    return None


def _values(
    subject: WrittenModel, runtime: Runtime, run: _Run, part: _Part
) -> Iterator[tuple[Kernels, _Values]]:
    """The tensors of a part for every sample of a run, those of the network's inputs included."""
    kernels, samples = run
    written = subject.written
    # With its own outputs: XNNPACK of TensorFlow 2.19 aborts where nobody reads a result.
    own = computed_tensors(written)
    shown = [*part.tensors, *(index for index in written.outputs if index in own)]
    model = Instrumented(written, {index: index for index in shown}, runtime, kernels)
    for sample in samples:
        computed = model.run_codes(sample)
        tensors = dict(zip(written.inputs, model.fed))
        tensors.update({index: codes for index, codes, _ in computed})
        yield kernels, _Values(tensors, {i: _digest(codes) for i, codes in tensors.items()})


def _digest(values: Array) -> bytes:
    form = f"{values.dtype.str}{values.shape}".encode()
    return hashlib.blake2b(
        np.ascontiguousarray(values).data, digest_size=16, key=form[:64]
    ).digest()


def _parts(subject: WrittenModel) -> list[_Part]:
    """The model cut so that no part shows more than ``_SHOWN_BYTES``, or one operator."""
    written = subject.written
    computed = set(computed_tensors(written))
    parts: list[_Part] = []
    shown: set[int] = set()
    for operator in written.operators:
        ends = [*operator.inputs, *operator.outputs]
        for index in operator.outputs:
            ends += subject.forms.get(index, ())
            if index in subject.limits:
                ends.append(subject.limits[index][0])
        own = computed.intersection(ends)
        if not own:
            continue
        if not parts or sum(_bytes(written, i) for i in shown | own) > _SHOWN_BYTES:
            parts.append(_Part({}, []))
            shown = set()
        parts[-1].operators[operator.index] = ends
        parts[-1].tensors.extend(sorted(own - shown))
        shown |= own
    return parts


def _bytes(graph: Graph, index: int) -> int:
    tensor = graph.tensors[index]
    size = 1 if tensor.type_name in ("INT8", "UINT8", "BOOL") else 4
    return size * int(np.prod(tensor.shape, dtype=np.int64))


def _error(
    subject: WrittenModel,
    inputs: Sequence[Sample],
    runtimes: Sequence[Runtime],
    runtime: Runtime,
    kernels: Kernels,
    found: Mismatch,
) -> VerificationError:
    what = f"{describe(subject.written, found.operator)}, channel {found.channel}"
    values = (
        f"gives {found.found:.6g} on {runtime.description} with {kernels.value} kernels where "
        f"{found.expected:.6g} is right, to within {found.allowed:.3g}"
    )
    if not _is_right_elsewhere(subject, inputs, runtimes, runtime, kernels):
        return subject.wrong(what, values)
    return VerificationError(
        f"{subject.graph.origin}: {runtime.description} computes {what} wrongly: it {values}; "
        "other kernels compute it rightly from the same file. Install another version of "
        f"{runtime.name}, or uninstall it if another runtime is there"
    )


def _is_right_elsewhere(
    subject: WrittenModel,
    inputs: Sequence[Sample],
    runtimes: Sequence[Runtime],
    runtime: Runtime,
    kernels: Kernels,
) -> bool:
    """Whether the model is right with reference kernels, or on another runtime."""
    others = [(runtime, Kernels.REFERENCE)]
    others += [(r, k) for r in runtimes for k in (Kernels.DEFAULT, Kernels.REFERENCE)]
    for other, its_kernels in dict.fromkeys(others):
        if (other, its_kernels) == (runtime, kernels):
            continue
        try:
            if _first_wrong(subject, other, [(its_kernels, inputs)], set()) is None:
                return True
        except BackendError:
            continue  # it does not run there
    return False
