"""Random graphs of int8 operators, the fuzzer's: this runtime's reference kernels compute what the
C++ test runtime computes, alone and with the delegate."""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import Any

import graph_model
import numpy as np
import pytest

_CONV, _DEPTHWISE, _SLICE = 3, 4, 65


@pytest.fixture(scope="module")
def cases(pytestconfig) -> list[dict[str, Any]]:
    root = pathlib.Path(__file__).resolve().parents[2]
    program = root / "bazel-bin/delegate/fuzz/describe_cases"
    if not program.exists():
        pytest.fail(f"{program} is missing: make build-delegate")
    output = subprocess.run(
        [program, "--random", "600", "7"], capture_output=True, check=True, text=True
    ).stdout
    return [json.loads(line) for line in output.splitlines()]


def _runs_in_tflite(case: dict[str, Any]) -> bool:
    # SLICE keeps the output that it had when the model was loaded: of an input that was resized
    # since, 2.14 and 2.19 write beyond it, and LiteRT 2.3 refuses that.
    if any(n["code"] == _SLICE for n in case["nodes"]) and any(s["resizes"] for s in case["steps"]):
        return False
    # The reference kernel of CONV_2D wants a bias.
    return all(len(n["inputs"]) == 3 for n in case["nodes"] if n["code"] in (_CONV, _DEPTHWISE))


# What some runtimes say, and others do not: of empty inputs of convolutions; of a transposed one
# whose output has another size than is usual; of an operator's version that came later.
_REFUSALS = ("> 0 was not true", "!= 0 was not true", "computed_input_", "Didn't find op")


def _run(runtime: Any, case: dict[str, Any], **kwargs: Any) -> bool:
    """Takes the case's steps and compares every output.

    False when this runtime, unlike others, refuses something that the case has: when tensors are
    allocated, or where shapes are known only then, when it runs.
    """
    try:
        _take_steps(_interpreter(runtime, case, **kwargs), case)
    except (RuntimeError, ValueError) as error:
        if any(refusal in str(error) for refusal in _REFUSALS):
            return False
        raise
    return True


def _take_steps(interpreter: Any, case: dict[str, Any]) -> None:
    inputs = [d["index"] for d in interpreter.get_input_details()]
    outputs = [d["index"] for d in interpreter.get_output_details()]
    for step, result in zip(case["steps"], case["results"]):
        for resize in step["resizes"]:
            interpreter.resize_tensor_input(inputs[resize["input"]], resize["shape"])
        interpreter.allocate_tensors()
        for invocation in result["invocations"]:
            for details, data in zip(interpreter.get_input_details(), invocation["inputs"]):
                value = np.array(data, np.uint8).view(details["dtype"]).reshape(details["shape"])
                interpreter.set_tensor(details["index"], value)
            interpreter.invoke()
            for index, expected in zip(outputs, invocation["outputs"]):
                if not expected["codes"]:
                    continue  # there is no memory to be read
                actual = interpreter.get_tensor(index)
                assert list(actual.shape) == expected["shape"]
                assert actual.ravel().tolist() == expected["codes"]


def _interpreter(runtime: Any, case: dict[str, Any], **kwargs: Any) -> Any:
    return runtime.Interpreter(
        model_content=graph_model.build(case),
        experimental_op_resolver_type=runtime.OpResolverType.BUILTIN_REF,
        **kwargs,
    )


def test_the_test_runtime_computes_what_reference_kernels_compute(runtime, cases) -> None:
    ran = [_run(runtime, case) for case in cases if _runs_in_tflite(case)]
    assert sum(ran) > len(cases) // 2


def test_the_delegate_changes_nothing(runtime, delegate_path, cases) -> None:
    for case in filter(_runs_in_tflite, cases):
        options = {name: str(case["options"][name]) for name in ("kernel", "isa", "num_threads")}
        delegate = runtime.load_delegate(delegate_path, {"log_level": "0", **options})
        _run(runtime, case, experimental_delegates=[delegate])
