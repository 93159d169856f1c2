from __future__ import annotations

import pytest

from tests import models
from tflite_eq.evaluation.ends import Correspondence, End, correspondence, inputs_of, outputs_of
from tflite_eq.graph.model import Graph


def ends(*names: tuple[str, str]) -> list[End]:
    return [End(name, tensor, (1, 2), "FLOAT32") for name, tensor in names]


@pytest.mark.parametrize(
    ("first", "other", "order", "by_name"),
    [
        # The signature's names, whatever tensors are called.
        ([("a", "x"), ("b", "y")], [("b", "x"), ("a", "y")], (1, 0), True),
        # Without signatures on one side: the tensors'.
        ([("a", "x"), ("b", "y")], [("y", "y"), ("x", "x")], (1, 0), True),
        # A converter adds to tensors' names when it changes their types.
        (
            [("y", "y:0"), ("x", "x:0")],
            [("x_int8", "x_int8"), ("y_int8:0", "y_int8:0")],
            (1, 0),
            True,
        ),
        # Numbers behind the same name tell outputs apart as long as they are there.
        ([("c:0", "c:0"), ("c:1", "c:1")], [("c:1", "c:1"), ("c:0", "c:0")], (1, 0), True),
        # Names that tell nothing apart, or other ones: as they come.
        ([("c", "c:0"), ("c", "c:1")], [("c", "c:5"), ("c", "c:6")], (0, 1), False),
        ([("a", "x"), ("b", "y")], [("p", "p"), ("q", "q")], (0, 1), False),
        ([("a", "x"), ("b", "y")], [("a", "x"), ("q", "q")], (0, 1), False),
    ],
)
def test_ends_are_matched_by_names_where_these_tell(
    first: list[tuple[str, str]],
    other: list[tuple[str, str]],
    order: tuple[int, ...],
    by_name: bool,
) -> None:
    assert correspondence(ends(*first), ends(*other)) == Correspondence(order, by_name)


def test_names_are_those_of_the_signature_and_open_dimensions_are_told() -> None:
    graph = Graph.from_bytes(models.keras_net())
    (taken,), (given,) = inputs_of(graph), outputs_of(graph)
    assert (taken.name, taken.shape, taken.type_name) == ("image", (-1, 8, 8, 3), "FLOAT32")
    assert given.shape == (-1, 6)
    assert str(taken) == "'image' (float32 [any, 8, 8, 3])"
