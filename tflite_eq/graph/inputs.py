"""What a model's inputs are called, and what one sample of each looks like."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tflite_eq.errors import DatasetError
from tflite_eq.graph.model import Graph

_CODES: dict[str, np.dtype[Any]] = {
    "INT8": np.dtype(np.int8),
    "UINT8": np.dtype(np.uint8),
    "INT16": np.dtype(np.int16),
}

# What TensorFlow puts around the name of a signature's input to make a tensor name of it.
_DECORATION = re.compile(r"^serving_default_|:\d+$")


@dataclasses.dataclass(frozen=True)
class ModelInput:
    """One input of a model.

    Attributes:
        name: What samples call it: the signature's name, else the tensor's.
        shape: Shape of one sample, with a batch of 1 in front where the model has a batch
            dimension; -1 stands for any size.
        dtype: Element type of a sample: float32 also where the model stores codes for real values;
            ``object`` for strings.
        is_batched: Whether the first dimension is a batch.
        index: Tensor index.
        tensor_name: Name of the tensor.
        codes: Element type of the codes where the model stores real values as codes.
        usual: Sizes that files are brought to where ``shape`` leaves them open: those that the
            network was calibrated with, which its file keeps; empty where it does not say.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] = dataclasses.field(default_factory=lambda: np.dtype(np.float32))
    is_batched: bool = True
    index: int = 0
    tensor_name: str = ""
    codes: np.dtype[Any] | None = None
    usual: tuple[int, ...] = ()

    @classmethod
    def of_shape(cls, shape: Sequence[int], name: str = "input") -> ModelInput:
        """A float input of this shape; a first dimension of 1 or -1 is a batch."""
        sizes = tuple(int(size) for size in shape)
        is_batched = bool(sizes) and sizes[0] in (1, -1)
        sizes = (1, *sizes[1:]) if is_batched else sizes
        return cls(name, sizes, is_batched=is_batched, tensor_name=name)

    @property
    def sized(self) -> ModelInput:
        """The input with its usual sizes in the place of open ones."""
        if len(self.usual) != len(self.shape):
            return self
        sizes = (known if size < 0 else size for size, known in zip(self.shape, self.usual))
        return dataclasses.replace(self, shape=tuple(sizes))

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one sample without the batch."""
        return self.shape[1:] if self.is_batched else self.shape

    @property
    def wanted(self) -> str:
        """Shape of an array of samples, for messages: ``[N, 8, 8, 3]``."""
        return f"[{', '.join(['N', *_sizes(self.row_shape)])}]"

    @property
    def type_name(self) -> str:
        """The element type, for messages."""
        return "string" if self.dtype == object else self.dtype.name

    def __str__(self) -> str:
        return f"'{self.name}' ({self.type_name} [{', '.join(_sizes(self.shape))}])"


def model_inputs(graph: Graph) -> tuple[ModelInput, ...]:
    """The inputs in the model's order."""
    names = {index: name for name, index in signature_names(graph).items()}
    found = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        plain = ModelInput.of_shape(graph.signature(index), names.get(index, tensor.name))
        codes = _CODES.get(tensor.type_name) if _has_scale(graph, index) else None
        found.append(
            dataclasses.replace(
                plain,
                dtype=np.dtype(np.float32) if codes is not None else _dtype(tensor.type_name),
                index=index,
                tensor_name=tensor.name,
                codes=codes,
                usual=_usual(plain.shape, tensor.shape),
            )
        )
    return tuple(found)


def _usual(shape: tuple[int, ...], stored: tuple[int, ...]) -> tuple[int, ...]:
    """Converters store 1 for an open size, which says nothing."""
    is_known = all(known > 1 for size, known in zip(shape, stored) if size < 0)
    return stored if -1 in shape and is_known else ()


def check_names(inputs: Sequence[ModelInput]) -> None:
    """Make sure that samples can name each input.

    Raises:
        DatasetError: Two have the same name.
    """
    names = [one.name for one in inputs]
    for name in names:
        if names.count(name) > 1:
            raise DatasetError(
                f"the model has {names.count(name)} inputs with the name '{name}', so data cannot "
                "be given for each; convert it with different names, or use tflite_eq.quantize() "
                "with lists of arrays"
            )


def find_input(inputs: Sequence[ModelInput], name: str) -> ModelInput | None:
    """The input that a user means by a name; ``None`` if there is none.

    That of the signature, else of the tensor, else either of them without ``serving_default_`` in
    front and ``:0`` behind, on both sides of the comparison.

    Raises:
        DatasetError: Several inputs may be meant.
    """
    plain = _plain(name)
    for meant in (
        [one for one in inputs if one.name == name],
        [one for one in inputs if one.tensor_name == name],
        [one for one in inputs if plain in (_plain(one.name), _plain(one.tensor_name))],
    ):
        if len(meant) > 1:
            raise DatasetError(
                f"'{name}' may be {' or '.join(f'{_spelled(one)}' for one in meant)}; write the "
                "name out"
            )
        if meant:
            return meant[0]
    return None


def listed(inputs: Sequence[ModelInput]) -> str:
    """All of them with type and shape, for messages."""
    return " and ".join(map(str, inputs))


def signature_names(graph: Graph) -> dict[str, int]:
    """Tensor indices by the signature's input names; empty where it does not name every input."""
    names: dict[str, int] = {}
    for definition in graph.model.signatureDefs or []:
        for entry in definition.inputs or []:
            names[(entry.name or b"").decode()] = int(entry.tensorIndex)
    return names if set(names.values()) == set(graph.inputs) else {}


def _spelled(one: ModelInput) -> str:
    return f"'{one.name}'" if one.name == one.tensor_name else f"'{one.name}' ({one.tensor_name})"


def _sizes(shape: Sequence[int]) -> list[str]:
    return ["any" if size < 0 else str(size) for size in shape]


def _plain(name: str) -> str:
    return _DECORATION.sub("", name)


def _has_scale(graph: Graph, index: int) -> bool:
    stored = graph.subgraph.tensors[index].quantization
    return stored is not None and stored.scale is not None and len(stored.scale) > 0


def _dtype(type_name: str) -> np.dtype[Any]:
    """NumPy's type for one of the schema: ``object`` for strings, ``void`` where there is none."""
    if type_name == "STRING":
        return np.dtype(object)
    try:
        return np.dtype(type_name.lower())
    except TypeError:
        return np.dtype(np.void)
