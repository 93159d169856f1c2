"""Representative data sets in every form TFLite accepts, normalised and checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_eq.errors import DatasetError
from tflite_eq.graph.inputs import find_input, listed, model_inputs
from tflite_eq.graph.model import Graph, Tensor

Array = npt.NDArray[Any]
Sample = dict[int, Array]


class SampleReader:
    """Turns a representative data set into single samples keyed by input tensor index.

    Accepted, as by ``tf.lite.TFLiteConverter.representative_dataset``: a callable that returns an
    iterable, an object with ``input_gen`` (``tf.lite.RepresentativeDataset``), or an iterable;
    each element a list or tuple of arrays in input order, a dict of arrays by input name, or a
    pair (signature key, dict). A bare array serves for a model with one input.

    Samples are copies: what yields them may fill the same buffer again and again, as TFLite allows.

    Attributes:
        count: Samples read so far.
        digest: SHA-256 over all samples read so far, hexadecimal.
        by_position: Whether some of them came as lists, in the order of the inputs.
    """

    def __init__(self, graph: Graph, dataset: Any, limit: int | None = None) -> None:
        """Read at most ``limit`` samples of ``dataset`` for ``graph`` (``None``: all)."""
        self._graph = graph
        self._dataset = dataset
        self._limit = limit
        self._hash = hashlib.sha256()
        self.count = 0
        self.by_position = False
        self._inputs = model_inputs(graph)

    @property
    def digest(self) -> str:
        """Hash of the data read so far: the calibration hash of the metadata record."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Sample]:
        """Yield samples of the model's own batch size.

        Raises:
            DatasetError: The data set is empty or an element does not fit the model.
        """
        for position, element in enumerate(elements(self._dataset)):
            for sample in self._split(self._arrays(element, position), position):
                for index in self._graph.inputs:
                    self._hash.update(self._identity(index, sample[index]))
                self.count += 1
                yield sample
                # Asking for one more might wait for it, or find nothing but an error.
                if self.count == self._limit:
                    return
        if self.count == 0:
            raise DatasetError(
                "the representative data set is empty: without data there are no ranges and the "
                "model would stay in float. Give it at least one sample (50 are usual)"
            )

    def _identity(self, index: int, values: Array) -> bytes:
        """What the digest takes of one input: its values, and their shape where it may vary."""
        varies = any(size < 0 for size in self._graph.signature(index)[1:])
        return (repr(values.shape).encode() if varies else b"") + values.tobytes()

    def _arrays(self, element: Any, position: int) -> Sample:
        where = f"element {position} of the representative data set"
        if (
            isinstance(element, tuple)
            and len(element) == 2
            and isinstance(element[0], str)
            and isinstance(element[1], Mapping)
        ):
            self._check_signature(element[0], where)
            element = element[1]
        if isinstance(element, Mapping):
            return self._by_name(element, where)
        if not isinstance(element, (list, tuple)):
            if len(self._graph.inputs) != 1:
                raise DatasetError(
                    f"{where} is a {type(element).__name__}; the model has "
                    f"{len(self._graph.inputs)} inputs, so give a list or a dict of arrays"
                )
            element = [element]
        if len(element) != len(self._graph.inputs):
            raise DatasetError(
                f"{where} has {len(element)} arrays, but the model has {len(self._graph.inputs)} "
                f"inputs: {listed(self._inputs)}"
            )
        self.by_position = True
        return {
            index: self._checked(value, self._graph.tensors[index], where)
            for index, value in zip(self._graph.inputs, element)
        }

    def _by_name(self, element: Mapping[str, Any], where: str) -> Sample:
        sample: Sample = {}
        for name, value in element.items():
            taker = find_input(self._inputs, name) if isinstance(name, str) else None
            if taker is None:
                raise DatasetError(
                    f"{where} names an input '{name}' that the model does not have; its inputs "
                    f"are {listed(self._inputs)}"
                )
            if taker.index in sample:
                raise DatasetError(
                    f"{where} has two arrays for the input '{taker.name}', one of them as "
                    f"'{name}'; give one"
                )
            sample[taker.index] = self._checked(value, self._graph.tensors[taker.index], where)
        missing = [taker for taker in self._inputs if taker.index not in sample]
        if missing:
            raise DatasetError(
                f"{where} lacks the model's input {listed(missing)}; give one array for every input"
            )
        return sample

    def _check_signature(self, key: str, where: str) -> None:
        keys = [(d.signatureKey or b"").decode() for d in self._graph.model.signatureDefs or []]
        if keys and key not in keys:
            raise DatasetError(
                f"{where} is for signature '{key}', but the model has {keys}; use one of these"
            )

    def _checked(self, value: Any, tensor: Tensor, where: str) -> Array:
        array = np.asarray(value)
        expected = tensor.type_name.lower()
        if tensor.is_float and array.dtype == np.float64:
            array = array.astype(np.float32)
        if expected == "string":
            raise DatasetError(
                f"{where}: input '{tensor.name}' takes strings, and only numbers are calibrated "
                "with; cut the part that turns strings into numbers off the model"
            )
        if array.dtype.name != expected:
            raise DatasetError(
                f"{where} gives {array.dtype.name} for input '{tensor.name}', which is {expected}; "
                f"{_conversion(array, tensor)}"
            )
        shape = tuple(int(d) for d in array.shape)
        signature = self._graph.signature(tensor.index)
        if signature and shape == signature[1:]:
            array, shape = array[np.newaxis], (1, *shape)
        fits = len(shape) == len(signature) and all(
            expected_size in (-1, size) for size, expected_size in zip(shape[1:], signature[1:])
        )
        batch = signature[0] if signature else 1
        if not fits or (batch > 1 and shape[0] % batch):
            raise DatasetError(
                f"{where} has shape {list(shape)} for input '{tensor.name}', which wants "
                f"{[d if d >= 0 else None for d in signature]}; resize or reshape the data"
            )
        if tensor.is_float and not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "infinity"
            raise DatasetError(
                f"{where} contains {kind} for input '{tensor.name}'; TFLite would ignore it "
                "silently and the ranges would be wrong. Remove the sample or mend the "
                "preprocessing"
            )
        return array

    def _split(self, element: Sample, position: int) -> Iterator[Sample]:
        """Cut an element with a larger batch into samples of the model's batch size."""
        steps = {index: _step(self._graph.signature(index)) for index in element}
        numbers = {len(array) // steps[i] for i, array in element.items() if array.ndim}
        if len(numbers) > 1:
            raise DatasetError(
                f"element {position} of the representative data set has different batch sizes for "
                f"its inputs: {sorted(numbers)}"
            )
        for part in range(numbers.pop() if numbers else 1):
            yield {
                index: np.array(
                    array[part * steps[index] : (part + 1) * steps[index]] if array.ndim else array,
                    order="C",
                )
                for index, array in element.items()
            }


def _step(signature: tuple[int, ...]) -> int:
    """Size along the first dimension of one sample; a scalar has none, and is for all samples."""
    return max(1, signature[0]) if signature else 1


def _conversion(array: Array, tensor: Tensor) -> str:
    """How to give an array of the type that an input has."""
    if tensor.is_float and array.dtype == np.uint8:
        return (
            "pixels go through the model's preprocessing first, e.g. "
            "(x.astype(np.float32) - 127.5) / 127.5; of files the command line does that with "
            "--image_mean and --image_std"
        )
    if tensor.is_float:
        return "apply the model's preprocessing and convert, e.g. x.astype(np.float32)"
    return f"convert, e.g. x.astype(np.{tensor.type_name.lower().replace('bool', 'bool_')})"


def elements(dataset: Any) -> Iterable[Any]:
    """The elements of a data set in any form that ``SampleReader`` takes.

    Raises:
        DatasetError: It is none.
    """
    if dataset is None:
        raise DatasetError(
            "no representative data set was given: EasyQuant needs sample inputs. Set "
            "representative_dataset to a function that yields them"
        )
    generator = getattr(dataset, "input_gen", dataset)
    produced = generator() if callable(generator) else generator
    if isinstance(produced, (str, bytes, Mapping)) or not isinstance(produced, Iterable):
        remedy = "yield lists of arrays, dicts of arrays or single arrays, one a sample"
        if isinstance(produced, (str, bytes, os.PathLike)):
            remedy = "read what it names first: a record with Calibration.load, images as arrays"
        elif isinstance(produced, Mapping):
            remedy = "put the samples into a list, [{...}, {...}]"
        raise DatasetError(
            f"the representative data set gives a {type(produced).__name__}, not an iterable of "
            f"samples; {remedy}"
        )
    return produced
