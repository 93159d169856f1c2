"""``tflite-eq validate``, ``explain`` and ``benchmark``."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import built, running
from tests.delegate import networks
from tests.evaluation import classifiers
from tests.one_operator import Tensor, one_operator_model
from tflite_eq import runtimes
from tflite_eq.cli import explain
from tflite_eq.cli.main import main, parse
from tflite_eq.delegate import benchmark
from tflite_eq.delegate.benchmark import Benchmark
from tflite_eq.delegate.inputs import random_inputs, tensor_params, typed_inputs
from tflite_eq.delegate.validate import Comparison
from tflite_eq.delegate.verdict import NOTHING_TO_COMPARE
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.numerics.affine import dequantize

RUNTIME = "--runtime ai-edge-litert"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for kind in ("int8", "lattice"):
        Path(f"{kind}.tflite").write_bytes(networks.quantized(kind))
    np.save("data.npy", np.random.default_rng(0).normal(size=(5, *networks.IMAGE[1:])))
    return tmp_path


def run(arguments: str) -> int:
    return main(parse(["tflite-eq", *arguments.split()]))


def result_line(output: str) -> dict[str, Any]:
    last = output.splitlines()[-1]
    assert last.startswith("RESULT ")
    parsed: dict[str, Any] = json.loads(last.removeprefix("RESULT "))
    return parsed


@pytest.mark.usefixtures("here")
def test_validate_on_random_and_real_samples(capsys: pytest.CaptureFixture[str]) -> None:
    for samples in ("--samples 2", "--dataset data.npy --samples 3"):
        assert run(f"validate --model lattice.tflite {RUNTIME} --kernel winograd_1d {samples}") == 0
        output = capsys.readouterr().out
        assert "5 of 13 operators delegated (of those that the delegate knows: 11)" in output
        assert "Bit for bit the same as the reference kernels." in output
        (found,) = result_line(output)["runtimes"]
        assert (found["delegated"], found["differing"], found["first"]) == (5, 0, None)
        assert found["values"] > 10_000


@pytest.mark.usefixtures("here")
def test_validate_compares_every_operator_and_prints_what_others_can_compare(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The hashes are those of the reference kernels, and of nothing but the tensors' bytes."""
    assert run(f"validate --model int8.tflite {RUNTIME} --claim . --samples 2 --seed 7") == 0
    output = capsys.readouterr().out
    (found,) = result_line(output)["runtimes"]
    assert found["delegated"] == 10  # not what reads or writes real values, nor the dense layer
    for kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD"):
        assert f" {kind} " in output
    model = Path("int8.tflite").read_bytes()
    samples = list(random_inputs(Graph.from_bytes(model), 2, 7))
    inputs, outputs = hashlib.sha256(), hashlib.sha256()
    for values in samples:
        inputs.update(b"".join(value.tobytes() for value in values))
        expected = running.run(model, values, runtimes.Kernels.REFERENCE)
        outputs.update(b"".join(value.tobytes() for value in expected))
    assert found["inputs_hash"] == inputs.hexdigest()[:16]
    assert found["outputs_hash"] == outputs.hexdigest()[:16]
    assert f"Hash of the outputs: {found['outputs_hash']}, of the inputs: " in output


@pytest.mark.usefixtures("here")
def test_validate_names_the_layer_that_differs(
    library: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every Winograd kernel in two dimensions divides by 9 with this constant.
    data, inverse = library.read_bytes(), (0x38E38E39).to_bytes(4, "little")
    assert inverse in data
    Path("broken.so").write_bytes(data.replace(inverse, b"\x39\x8e\xe3\x39"))
    monkeypatch.setenv("TFLITE_EQ_DELEGATE", "broken.so")
    assert run(f"validate --model int8.tflite {RUNTIME} --kernel winograd_f43 --samples 1") == 1
    output = capsys.readouterr().out
    (found,) = result_line(output)["runtimes"]
    assert found["differing"] > 100
    assert "DIFFERENT first in " in output
    assert " instead of " in output
    assert found["first"]["layer"].startswith("Relu;")
    assert len(found["first"]["position"]) == 4


@pytest.mark.usefixtures("here")
def test_validate_with_nothing_delegated_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"validate --model int8.tflite {RUNTIME} --isa scalar --samples 1") == 0
    output = capsys.readouterr().out
    assert "0 of 13 operators delegated (of those that the delegate knows: 11)" in output
    assert "Nothing was delegated, so there is nothing to compare and nothing was run" in output
    (found,) = result_line(output)["runtimes"]
    assert (found["operators"], found["known"], found["delegated"]) == (13, 11, 0)
    assert (found["values"], found["inputs_hash"], found["outputs_hash"]) == (0, "", "")
    command = output.partition("'tflite-eq ")[2].partition("'")[0]
    assert run(command) == 0  # the one that tells why


@pytest.fixture
def _no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing one, or starting a process that would, takes longer than what is tested may."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"too early: {arguments}")

    monkeypatch.setattr(runtimes, "_load", refuse)
    monkeypatch.setattr(multiprocessing, "get_context", refuse)


@pytest.mark.usefixtures("here", "_no_runtime")
@pytest.mark.parametrize("command", ["validate", "benchmark"])
def test_of_a_float_model_the_command_that_quantizes_it_is_told(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("float.tflite").write_bytes(networks.float_network())
    real = Tensor((1, 8), kind="FLOAT32")
    Path("log.tflite").write_bytes(one_operator_model("LOG", 1, [real], real))
    assert run(f"{command} --model float.tflite") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: float.tflite: computes in float")
    told = error.strip().partition("quantize it first: tflite-eq ")[2]
    arguments = parse(["tflite-eq", *shlex.split(told)])
    assert (arguments.command, arguments.model) == ("quantize", "float.tflite")
    assert run(f"{command} --model log.tflite") == 1
    assert "quantize it first (it has no operator that it will run then): " in (
        capsys.readouterr().err
    )


@pytest.mark.usefixtures("here")
def test_explain_tells_of_a_float_model_to_quantize_it(capsys: pytest.CaptureFixture[str]) -> None:
    built.kernels()
    Path("float.tflite").write_bytes(networks.float_network())
    assert run("explain --model float.tflite") == 0
    assert "computes in float; quantize it first: tflite-eq quantize" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_a_model_without_operators_that_are_known_gives_a_sentence_not_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built.kernels()
    codes, real = Tensor((1, 8), [0.1]), Tensor((1, 8), kind="FLOAT32")
    Path("codes.tflite").write_bytes(one_operator_model("DEQUANTIZE", 2, [codes], real))
    sentence = "codes.tflite has no operator of a kind that the delegate runs"
    for arguments in ("explain", "benchmark", "validate"):
        if arguments == "validate":
            monkeypatch.setattr(runtimes, "_load", lambda *_: pytest.fail("too early"))
        assert run(f"{arguments} --model codes.tflite") == 0
        output = capsys.readouterr().out
        assert sentence in output
        assert "1 DEQUANTIZE" in output
        assert "because" not in output  # a heading of tables
        assert "computed by" not in output


@pytest.mark.usefixtures("here", "_no_runtime")
@pytest.mark.parametrize("command", ["validate", "benchmark"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--num_threads 100000", "--num_threads 100000: must be from "),
        ("--num_threads -1", "--num_threads -1: must be from "),
        ("--kernel best", '"best" is none of auto'),
        ("--isa mmx", '"mmx" is none of auto'),
        ("--min_saving x", '"x" is neither auto nor'),
        ("--leave a\\d", "which is not supported: write [0-9] for \\d"),
        ("--runtime foo", "'foo' is not installed; installed: "),
        ("--model none.tflite", "none.tflite: no such file"),
    ],
)
def test_what_options_decide_is_said_before_a_runtime_is_imported(
    command: str, flags: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"{command} --model int8.tflite {flags}") == 1
    assert message in capsys.readouterr().err


def test_units_of_a_cpu_that_has_none_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = built.kernels()
    for target in ("armv8.0", "armv9-sme2", "x86-avx2", "generic"):
        assert run(f"explain --model none.tflite --target {target} --vnni_units 1") == 1
        error = capsys.readouterr().err
        assert f"--vnni_units 1: --target {target} has no 512-bit VNNI units" in error

    older = kernels.Cpu("avx2", False, "")
    monkeypatch.setattr(kernels, "Cpu", types.SimpleNamespace(detect=lambda: older))
    assert run("explain --model none.tflite --vnni_units 1") == 1
    assert "this CPU (avx2) has no 512-bit VNNI units" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_explain_names_the_runtime_that_has_no_xnnpack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built.kernels()
    for version, is_told in (("2.14.0", True), ("unknown", False)):
        monkeypatch.setattr(explain, "installed_version", lambda _, found=version: found)
        assert run("explain --model int8.tflite") == 0
        assert ("tflite-runtime 2.14, which is" in capsys.readouterr().out) == is_told


def test_commands_load_without_the_compiled_module() -> None:
    code = (
        "import sys; sys.modules['tflite_eq.delegate.kernels_api'] = None\n"
        "from tflite_eq.cli import benchmark, evaluate, explain, inspect, main, quantize, validate"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("validate --model none.tflite", "none.tflite: no such file"),
        ("validate --model data.npy", "not a TFLite flatbuffer"),
        ("validate --model int8.tflite --samples 0", "--samples 0: at least one"),
        ("validate --model int8.tflite --dataset none", "none: no such file or folder"),
        ("validate --model int8.tflite --kernel best", '"best" is none of auto'),
        ("validate --model int8.tflite --num_threads 999", "from 0 to 256"),
        ("explain --model int8.tflite --num_threads 257", "--num_threads 257: must be from 1 to"),
        ("validate --model int8.tflite --runtime tflite", "'tflite' is not installed"),
        ("benchmark --model int8.tflite --num_runs 0", "--num_runs 0"),
        ("benchmark --model int8.tflite --num_threads 0", "--num_threads 0"),
        ("benchmark --model data.npy", "not a TFLite flatbuffer"),
        ("benchmark --model int8.tflite --isa mmx", '"mmx" is none of auto'),
        ("explain --model none.tflite", "none.tflite: no such file"),
        ("explain --model int8.tflite --num_threads 0", "--num_threads 0"),
    ],
)
def test_errors(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.usefixtures("here")
def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    built.kernels()
    assert run("explain --model lattice.tflite --target x86-vnni") == 0
    output = capsys.readouterr().out
    assert "winograd_1d on avx512_vnni" in output
    cpu = "avx512_vnni with two VNNI units beside XNNPACK on AVX-512 VNNI"
    assert f" on {cpu}; never delegated: 1 FULLY_CONNECTED, 1 DEQUANTIZE." in output
    assert "DEPTHWISE_CONV_2D" in output
    assert '"saves" is an estimate' in output
    assert run("explain --model lattice.tflite --target x86-vnni --vnni_units 1 --json") == 0
    assert not json.loads(capsys.readouterr().out)["two_vnni_units"]
    assert run("explain --model lattice.tflite --target x86-amx") == 0
    output = capsys.readouterr().out
    assert "XNNPACK is as fast here: AMX, direct convolution" in output
    assert "winograd_1d" not in output
    assert run("explain --model lattice.tflite --target armv9-sme2") == 0
    output = capsys.readouterr().out
    assert "XNNPACK is faster here: its int8 kernels use SME" in output
    assert "0 of 13 operators would be delegated" in output
    assert '"saves" is an estimate' not in output
    assert run("explain --model lattice.tflite --target armv8.2-dotprod") == 0
    assert "winograd_1d on neon_dotprod" in capsys.readouterr().out
    assert run("explain --model int8.tflite --target armv8.6-i8mm") == 0
    assert "XNNPACK is as fast here: ARM with dot products, not INT7" in capsys.readouterr().out
    assert run("explain --model lattice.tflite --target generic --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["isa"] == "scalar"
    assert [operator["claimed"] for operator in found["operators"]] == [False] * 11
    assert found["operators"][1]["kind"] == "CONV_2D"
    assert found["others"] == {"FULLY_CONNECTED": 1, "DEQUANTIZE": 1}


@pytest.mark.usefixtures("here")
def test_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--num_runs 5 --warmup_runs 1 --num_threads 2 --kernel direct"
    peer = pytest.importorskip("tflite_eq.delegate.peer").peer_instructions("ai-edge-litert", "")
    assert run(f"benchmark --model int8.tflite {RUNTIME} {flags}") == 0
    output = capsys.readouterr().out
    assert "7 of 13 operators delegated" in output
    assert "times faster" in output
    assert f"times the speed of {peer} (" in output
    assert "in 5 pairs); more runs tell: --num_runs 50" in output
    (found,) = result_line(output)["runtimes"]
    assert found["peer"] == peer
    assert (found["verdict"]["speed"], found["verdict"]["pairs"], found["leave"]) == (
        "undecided",
        5,
        "",
    )
    for side in ("without", "delegated"):
        assert 0 < found[side]["times"]["min"] <= found[side]["times"]["median"]
        assert found[side]["first_run_ms"] > found[side]["times"]["min"]
        assert found[side]["memory_mib"] > 0
    assert len(found["layers"]) == found["claimed"] == 7
    for layer in found["layers"]:
        assert layer["kernel"].startswith("direct on ")
        assert layer["in_network_ms"] > 0
        assert min(layer["without"]["min"], layer["delegated"]["min"]) > 0


@pytest.mark.usefixtures("here")
def test_benchmark_of_a_network_that_is_claimed_nearly_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "_MOST_LAYERS", 8)
    assert run(f"benchmark --model int8.tflite {RUNTIME} --num_runs 3 --claim .") == 0
    output = capsys.readouterr().out
    (found,) = result_line(output)["runtimes"]
    kinds = {kind["kind"]: kind for kind in found["kinds"]}
    counts = {name: (kind["operators"], kind["claimed"]) for name, kind in kinds.items()}
    assert counts == {
        "CONV_2D": (7, 7),
        "ADD": (1, 1),
        "DEPTHWISE_CONV_2D": (1, 1),
        "MEAN": (1, 1),
    }
    assert all(kind["in_network_ms"] > 0 for kind in kinds.values())
    times = [kind["in_network_ms"] for kind in found["kinds"]]
    assert times == sorted(times, reverse=True)
    assert len(found["layers"]) == 8
    assert all(layer["kernel"] and layer["in_network_ms"] > 0 for layer in found["layers"])
    # All but the fastest were cut out.
    left_out = sum(times) - sum(layer["in_network_ms"] for layer in found["layers"])
    assert left_out <= min(layer["in_network_ms"] for layer in found["layers"]) + 1e-3


@pytest.mark.usefixtures("here")
def test_benchmark_with_nothing_delegated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    class Counted(benchmark.Contender):
        def __init__(self, serve: Any, *arguments: Any) -> None:
            started.append(serve)
            super().__init__(serve, *arguments)

    monkeypatch.setattr(benchmark, "Contender", Counted)
    assert run(f"benchmark --model int8.tflite {RUNTIME} --num_runs 3 --isa scalar") == 0
    assert len(started) == 1  # nothing to compare with
    output = capsys.readouterr().out
    assert "Verdict: equal, 1.00 times the speed: nothing is delegated" in output
    (found,) = result_line(output)["runtimes"]
    assert (found["claimed"], found["known"], found["operators"]) == (0, 11, 13)
    assert (found["kinds"], found["layers"]) == ([], [])
    assert (found["without"], found["delegated"]) == (None, None)
    assert (found["verdict"]["ratio"], found["verdict"]["pairs"]) == (1.0, 0)


@pytest.mark.usefixtures("here")
def test_a_slower_benchmark_names_the_option_that_mends_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = f"benchmark --model int8.tflite {RUNTIME} --num_runs 8 --kernel reference"
    assert run(flags) == 0
    output = capsys.readouterr().out
    verdict = next(line for line in output.splitlines() if line.startswith("Verdict: "))
    assert verdict.startswith("Verdict: slower, 0.")
    advice = shlex.split(verdict.partition("to leave the layers responsible: ")[2])
    assert len(advice) == 1
    (found,) = result_line(output)["runtimes"]
    assert advice[0] == f"--leave={found['leave']}"
    assert main(parse(["tflite-eq", *flags.split(), *advice])) == 0
    (mended,) = result_line(capsys.readouterr().out)["runtimes"]
    assert mended["claimed"] < found["claimed"]
    assert mended["verdict"]["speed"] != "slower"


def test_comparison_counts_and_locates() -> None:
    found = Comparison("layer", "CONV_2D", "kernel")
    expected = np.zeros((1, 2, 3, 4), np.int8)
    found.add(0, expected, expected)
    wrong = expected.copy()
    wrong[0, 1, 2, 3] = wrong[0, 1, 0, 2] = -7
    found.add(1, wrong, expected)
    found.add(2, wrong, expected)
    assert (found.values, found.differing) == (72, 4)
    assert str(found.first) == "-7 instead of 0 at [0, 1, 0, 2] of sample 1"


def test_comparison_is_of_bits() -> None:
    found = Comparison("output", "", "model output")
    found.add(0, np.array([np.nan, 0.0], np.float32), np.array([np.nan, 0.0], np.float32))
    assert found.differing == 0
    found.add(1, np.array([-0.0], np.float32), np.array([0.0], np.float32))
    assert found.differing == 1
    found.add(2, np.zeros(3, np.float32), np.zeros(2, np.float32))
    assert found.differing == 3


@pytest.mark.usefixtures("here")
def test_benchmark_runs_on_the_first_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def stand_in(model: bytes, *_: object, **arguments: Any) -> Benchmark:
        given.update(arguments)
        return Benchmark("r", "p", 1, 0, 0, 0, None, None, [], [], NOTHING_TO_COMPARE, "")

    monkeypatch.setattr("tflite_eq.cli.benchmark.benchmark", stand_in)
    assert run("benchmark --model int8.tflite") == 0
    assert given["sample"] is None
    assert run("benchmark --model int8.tflite --dataset data.npy") == 0
    (sample,) = given["sample"]
    np.testing.assert_array_equal(sample[0], np.load("data.npy")[0].astype(np.float32))


@pytest.mark.usefixtures("here")
def test_benchmark_on_real_samples(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "--dataset data.npy --num_runs 2 --warmup_runs 1 --kernel winograd_1d"
    assert run(f"benchmark --model lattice.tflite {RUNTIME} {flags}") == 0
    assert "5 of 13 operators delegated" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["INT8", "UINT8"])
def test_real_samples_become_codes_and_codes_stay(kind: str) -> None:
    graph = Graph.from_bytes(classifiers.int8_classifier(kind.lower(), softmax=False))
    (one,) = model_inputs(graph)
    params = tensor_params(graph, one.index)
    assert params is not None
    codes = np.arange(-96, 96, dtype=np.int8).reshape(classifiers.SHAPE)
    real = dequantize(codes, params)
    stored = codes if kind == "INT8" else codes.view(np.uint8) ^ np.uint8(0x80)
    for sample in (real, stored, {one.name: real}):
        (found,) = next(typed_inputs(graph, [sample]))
        np.testing.assert_array_equal(found, stored)
