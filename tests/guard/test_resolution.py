"""What the guard says about bounds that so many samples cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from tflite_eq import Guard, Validation
from tflite_eq.evaluation.intervals import Estimate, paired_difference, rate
from tflite_eq.guard.accuracy_guard import _resolution
from tflite_eq.guard.search import Drop, KeptLayers, Outcome


def notes(bound: float, loss: Estimate, images: int, has_labels: bool = True) -> tuple[str, ...]:
    labels = [0, 1] if has_labels else None
    validation = Validation.from_arrays(np.zeros((2, 3), np.float32), labels)
    kept = KeptLayers()
    outcome = Outcome(kept, loss.value <= bound, {kept: Drop(loss, images)})
    return _resolution(Guard(bound, validation), outcome)


@pytest.mark.parametrize("has_labels", [True, False])
def test_no_image_lost_does_not_show_that_few_would_be(has_labels: bool) -> None:
    """The standard error of such a figure is 0."""
    loss = paired_difference(0, 0, 200) if has_labels else rate(0, 200)
    (note,) = notes(0.5, loss, 200, has_labels)
    assert "200 images cannot tell a loss of 0.5 points" in note
    assert ("use 553 or more" if has_labels else "use 765 or more") in note
    assert notes(3.0, loss, 200, has_labels) == ()


def test_a_bound_within_the_interval() -> None:
    (note,) = notes(1.0, paired_difference(12, 6, 1000), 1000)
    assert "The 95 % interval of the loss reaches to 1.47 points" in note
    assert notes(1.5, paired_difference(12, 6, 1000), 1000) == ()


def test_a_bound_of_nothing() -> None:
    (note,) = notes(0, paired_difference(0, 0, 1000), 1000)
    assert "no number of images shows that nothing is lost" in note


def test_a_bound_that_does_not_hold_needs_no_remark() -> None:
    assert notes(1.0, paired_difference(30, 6, 1000), 1000) == ()
