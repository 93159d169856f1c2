"""The golden vectors that the delegate's operators are tested on, against every runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden import operators
from tflite_eq.delegate.process import call_apart
from tflite_eq.runtimes import Runtime, available_runtimes

CASES = operators.read()


@pytest.mark.parametrize("runtime", available_runtimes(), ids=lambda runtime: runtime.name)
def test_operator_vectors_are_what_every_runtime_computes(runtime: Runtime) -> None:
    outputs = call_apart(runtime.name, operators.outputs_of, runtime, CASES)
    for case, codes in zip(CASES, outputs):
        if operators.is_too_old(codes):
            # Version 4 of TRANSPOSE_CONV, which came with its activation.
            assert (case.operator, case.activation != "NONE") == ("TRANSPOSE_CONV", True), codes
            continue
        np.testing.assert_array_equal(codes, case.output.codes, err_msg=case.name)


def test_operator_vectors_say_something() -> None:
    spread = [case.output.codes.std() > 5 for case in CASES]
    assert sum(spread) >= 0.8 * len(CASES), "saturated outputs prove nothing"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    operators.write(CASES, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == operators.PATH.read_text()
