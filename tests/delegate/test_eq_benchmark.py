"""The on-device benchmark on this machine, with the C library of TFLite that Debian has.

``TFLITE_RUNTIME_LIBRARY`` names another library with TFLite's C API. Debian's comes with a loader
and a C library of its own, which may be newer than this machine's.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import running
from tests.delegate import every_operator, networks
from tflite_eq import runtimes
from tflite_eq.delegate import golden
from tflite_eq.delegate import library as delegate_library

REPOSITORY = Path(__file__).resolve().parents[2]
SKIPPED = 77  # fetch_runtime.sh
DIFFERENT, USAGE, BAD_INPUT, RUN_FAILED = 1, 2, 3, 4
QUICK = ("--num_runs=2", "--min_secs=0", "--warmup_runs=1")


@pytest.fixture(scope="session")
def program() -> Path:
    """Path of eq_benchmark."""
    for folder in delegate_library.checkout_outputs():
        candidate = folder / "delegate/benchmark/eq_benchmark"
        if candidate.is_file():
            return candidate
    pytest.skip("not built: bazel build //delegate/benchmark:eq_benchmark")


@dataclasses.dataclass(frozen=True)
class TfliteLibrary:
    """A TFLite library with the C API, and what to put before a program that opens it."""

    path: Path
    launcher: tuple[str, ...]


@pytest.fixture(scope="session")
def tflite(program: Path) -> TfliteLibrary:
    given = os.environ.get("TFLITE_RUNTIME_LIBRARY")
    if given:
        assert Path(given).is_file(), f"TFLITE_RUNTIME_LIBRARY={given}: no such file"
        return TfliteLibrary(Path(given), ())
    command = [REPOSITORY / "delegate/abi/fetch_runtime.sh", REPOSITORY / "build/tflite_runtime"]
    fetched = subprocess.run(command, capture_output=True, text=True)
    if fetched.returncode == SKIPPED:
        pytest.skip("TFLite's C library cannot be had: " + fetched.stderr.strip().splitlines()[-1])
    assert fetched.returncode == 0, fetched.stderr
    loader, folder, path = fetched.stdout.split()
    return TfliteLibrary(Path(path), (loader, "--library-path", folder))


@dataclasses.dataclass
class Benchmark:
    """Runs eq_benchmark on models of the tests' making."""

    program: Path
    delegate: Path
    tflite: TfliteLibrary
    folder: Path

    def model(self, content: bytes) -> Path:
        path = self.folder / "model.tflite"
        path.write_bytes(content)
        return path

    def run(self, model: Path, *flags: str, **replaced: Any) -> subprocess.CompletedProcess[str]:
        """With the delegate, unless ``external_delegate_path=None``."""
        named = {
            "graph": model,
            "runtime_library": self.tflite.path,
            "external_delegate_path": self.delegate,
            **replaced,
        }
        command = [f"--{name}={value}" for name, value in named.items() if value is not None]
        return execute(self.program, *command, *flags, launcher=self.tflite.launcher)

    def result(self, model: Path, *flags: str, **replaced: Any) -> dict[str, Any]:
        return last_line(self.run(model, *QUICK, *flags, **replaced))

    def error(self, code: int, model: Path, *flags: str, **replaced: Any) -> str:
        return only_error(code, self.run(model, *QUICK, *flags, **replaced))


def execute(
    program: Path, *flags: str, launcher: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = [*launcher, str(program), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def last_line(finished: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON of a run that went well and had nothing to complain about."""
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def only_error(code: int, finished: subprocess.CompletedProcess[str]) -> str:
    """The message of a run that failed as it should: one line, and no result."""
    assert finished.returncode == code, (finished.returncode, finished.stderr)
    assert "{" not in finished.stdout
    (line,) = finished.stderr.splitlines()
    assert line.startswith("eq_benchmark: ")
    return line


@pytest.fixture
def benchmark(program: Path, library: Path, tflite: TfliteLibrary, tmp_path: Path) -> Benchmark:
    return Benchmark(program, library, tflite, tmp_path)


@pytest.fixture
def network(benchmark: Benchmark) -> Path:
    """A small int8 network of thirteen operators, seven of them convolutions."""
    return benchmark.model(networks.quantized("int8"))


# Claims the same layers on every CPU.
SCALAR = "--external_delegate_options=kernel:direct;isa:scalar"


def edited(content: bytes, edit: Callable[[Any], None]) -> bytes:
    """The model after ``edit`` of its object tree."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    edit(model)
    packer = flatbuffers.Builder(1 << 16)
    packer.Finish(model.Pack(packer), b"TFL3")
    return bytes(packer.Output())


class TestModel:
    def test_measures_both_sides_equally_often(self, benchmark: Benchmark, network: Path) -> None:
        result = benchmark.result(network, SCALAR, "--num_runs=5")
        for side in ("without_delegate", "with_delegate"):
            times = result[side]["inference_ms"]
            assert times["count"] == 5
            assert 0 < times["min"] <= times["median"] <= times["max"]
            first = result[side]["first_run"]
            steps = [first[key] for key in first if key.endswith("_ms") and key != "total_ms"]
            assert first["total_ms"] == pytest.approx(sum(steps), rel=1e-4)
            assert first["first_inference_ms"] > 0
            assert first["resident_growth_bytes"] > 0
        assert result["without_delegate"]["first_run"]["create_delegate_ms"] == 0
        assert result["gain_min"] == pytest.approx(
            result["without_delegate"]["inference_ms"]["min"]
            / result["with_delegate"]["inference_ms"]["min"],
            rel=1e-4,
        )

    def test_tells_what_is_claimed_and_why(self, benchmark: Benchmark, network: Path) -> None:
        finished = benchmark.run(network, *QUICK, SCALAR)
        delegate = last_line(finished)["delegate"]
        assert delegate["claimed"] == len(delegate["claimed_layers"]) == 7
        decisions = delegate["decisions"]
        assert [decision["op"] for decision in decisions].count("CONV_2D") == 7
        for decision in decisions:
            assert decision["output"]
            assert decision["claimed"] == ("asked for by name" in decision["reason"])
            assert decision["claimed"] == (decision["op"] == "CONV_2D")
        assert delegate["partitions"] >= 1
        packed = sum(layer["packed_bytes"] for layer in delegate["claimed_layers"])
        assert delegate["packed_bytes"] == packed > 0
        assert delegate["scratch_bytes"] > 0
        assert {layer["kernel"] for layer in delegate["claimed_layers"]} == {"direct"}
        strides = [layer["stride"] for layer in delegate["claimed_layers"]]
        assert strides.count([2, 2]) == 1
        assert {layer["op"] for layer in delegate["claimed_layers"]} == {"CONV_2D"}
        assert "claimed 7, known 11\n" in finished.stdout

    def test_gives_reasons_for_what_it_leaves(self, benchmark: Benchmark, network: Path) -> None:
        delegate = benchmark.result(network, "--external_delegate_options=isa:scalar")["delegate"]
        assert delegate["claimed"] == 0
        assert delegate["claimed_layers"] == []
        convolutions = [d for d in delegate["decisions"] if d["op"] == "CONV_2D"]
        assert len(convolutions) == 7
        for convolution in convolutions:
            assert "no instruction set with fast kernels" in convolution["reason"]

    def test_times_every_operator(self, benchmark: Benchmark, network: Path) -> None:
        result = benchmark.result(network, SCALAR, "--enable_op_profiling", "--num_runs=3")
        plain = result["without_delegate"]["operators"]
        names = [operator["name"] for operator in plain]
        assert names.count("CONV_2D") == 7
        assert "DEPTHWISE_CONV_2D" in names
        assert all(operator["runs"] == 3 and operator["mean_ms"] > 0 for operator in plain)
        delegated = [operator["name"] for operator in result["with_delegate"]["operators"]]
        assert "CONV_2D" not in delegated
        assert delegated.count("TfLiteEqDelegate") == result["delegate"]["partitions"]
        layers = result["delegate"]["claimed_layers"]
        assert len(layers) == 7
        assert all(layer["mean_ms"] > 0 for layer in layers)

    def test_checks_golden_files_byte_for_byte(self, benchmark: Benchmark, tmp_path: Path) -> None:
        content = next(c for c in every_operator.cases() if c.kind == "CONV_2D").model()
        model, file = benchmark.model(content), tmp_path / "conv.golden"
        rng = np.random.default_rng(0)
        shapes = [(2, 9, 8, 4), (2, 4, 7, 5)]
        samples = []
        for _ in range(2):
            inputs = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
            outputs = running.run(content, inputs, runtimes.Kernels.REFERENCE)
            samples.append(golden.GoldenSample(inputs, outputs))
        names = ["input0", "other"], ["total"]
        data = golden.content_of(golden.golden_run(content, *names, samples))
        file.write_bytes(data)
        assert benchmark.result(model, f"--golden={file}")["golden"] == "equal"
        assert benchmark.result(model)["golden"] == "not asked"

        changed = bytearray(data)
        changed[-3] ^= 1
        file.write_bytes(changed)
        finished = benchmark.run(model, *QUICK, f"--golden={file}")
        assert finished.returncode == DIFFERENT
        result = json.loads(finished.stdout.splitlines()[-1])
        assert result["golden"] == "different"
        place = f"sample 1, output 0 (total), code {samples[1].outputs[0].size - 3}: "
        assert result["golden_difference"].startswith(place)
        assert place in finished.stderr

        file.write_bytes(data[:-1])
        assert "damaged or cut off" in benchmark.error(BAD_INPUT, model, f"--golden={file}")
        file.write_bytes(golden.content_of(golden.golden_run(b"other", *names, samples)))
        assert "of another model" in benchmark.error(BAD_INPUT, model, f"--golden={file}")
        nowhere = benchmark.error(BAD_INPUT, model, f"--golden={tmp_path / 'nowhere'}")
        assert "No such file" in nowhere

    def test_golden_files_of_other_inputs_crash_nothing(
        self, benchmark: Benchmark, network: Path, tmp_path: Path
    ) -> None:
        file, content = tmp_path / "other.golden", network.read_bytes()

        def written(batch: int, inputs: int) -> None:
            sample = golden.GoldenSample(
                [np.zeros((batch, 16, 16, 3), np.float32)] * inputs, [np.zeros((2, 10), np.int8)]
            )
            names = ["image"] * inputs, ["classes"]
            file.write_bytes(golden.content_of(golden.golden_run(content, *names, [sample])))

        # TFLite 2.14 divides by the batch; another runtime may compute nothing, which differs.
        written(batch=0, inputs=1)
        finished = benchmark.run(network, *QUICK, f"--golden={file}", external_delegate_path=None)
        assert finished.returncode in (DIFFERENT, RUN_FAILED), finished
        assert len(finished.stderr.splitlines()) == 1
        written(batch=1, inputs=0)
        finished = benchmark.run(network, *QUICK, f"--golden={file}")
        assert finished.returncode == DIFFERENT
        assert "1 inputs and 1 outputs, the golden file 0 and 1" in finished.stderr

    @pytest.mark.parametrize("kind", ["int8", "int7", "lattice"])
    def test_verifies(self, benchmark: Benchmark, kind: str) -> None:
        model = benchmark.model(networks.quantized(kind))
        for options in ("", "kernel:winograd_f43", "kernel:winograd_f23;isa:scalar"):
            flags = [f"--external_delegate_options={options}"] if options else []
            result = benchmark.result(model, "--verify", "--num_threads=2", *flags)
            assert result["verified"] == "equal"

    def test_the_reference_can_stand_in(self, benchmark: Benchmark, network: Path) -> None:
        """What outputs are compared with: the same layers claimed, by another kernel."""
        flag = "--external_delegate_options=kernel:winograd_f43;isa:scalar"
        own = benchmark.result(network, flag)["delegate"]
        reference = benchmark.result(network, f"{flag};reference_in_place:1")["delegate"]
        assert {layer["kernel"] for layer in own["claimed_layers"]} == {"winograd_f43"}
        assert {layer["kernel"] for layer in reference["claimed_layers"]} == {"reference"}
        assert reference["decisions"] == own["decisions"]
        assert 0 < own["claimed"] < len(own["decisions"])

    def test_runs_without_a_delegate(self, benchmark: Benchmark, network: Path) -> None:
        result = benchmark.result(network, external_delegate_path=None)
        assert result["without_delegate"]["inference_ms"]["count"] == 2
        assert "with_delegate" not in result

    def test_float_models_run_and_nothing_is_claimed(self, benchmark: Benchmark) -> None:
        model = benchmark.model(networks.float_network())
        result = benchmark.result(model, "--verify")
        assert result["delegate"]["claimed"] == 0
        assert all("not int8" in decision["reason"] for decision in result["delegate"]["decisions"])
        assert result["output_bytes_unlike_runtime"] == 0

    def test_open_shapes_must_be_given(self, benchmark: Benchmark) -> None:
        def open_shape(model: Any) -> None:
            graph = model.subgraphs[0]
            graph.tensors[graph.inputs[0]].shapeSignature = np.array([-1, -1, -1, 3], np.int32)
            graph.tensors[graph.inputs[0]].name = b"image"

        model = benchmark.model(edited(networks.quantized("int8"), open_shape))
        error = benchmark.error(BAD_INPUT, model)
        assert 'input "image" has no fixed shape, but [-1, -1, -1, 3]' in error
        flags = ("--input_layer=image", "--input_layer_shape=1,24,20,3")
        layers = benchmark.result(model, SCALAR, "--verify", *flags)["delegate"]["claimed_layers"]
        assert layers[0]["input"] == [1, 24, 20, 3]

    def test_names_that_are_no_text(self, benchmark: Benchmark) -> None:
        def rename(model: Any) -> None:
            graph = model.subgraphs[0]
            convolution = next(o for o in graph.operators if len(o.inputs) == 3)
            graph.tensors[convolution.outputs[0]].name = b"a\x81\nb;c"

        model = benchmark.model(edited(networks.quantized("int8"), rename))
        finished = benchmark.run(model, *QUICK, SCALAR)
        assert "output a\\x81\\x0ab;c, reason" in finished.stdout
        outputs = [decision["output"] for decision in last_line(finished)["delegate"]["decisions"]]
        assert "a\ufffd\nb;c" in outputs

    def test_models_of_unknown_operators(self, benchmark: Benchmark) -> None:
        def rename(model: Any) -> None:
            code = model.operatorCodes[0]
            code.builtinCode, code.deprecatedBuiltinCode = 32, 32  # custom
            code.customCode = b"Unheard"

        model = benchmark.model(edited(networks.quantized("int8"), rename))
        assert "Unheard" in benchmark.error(BAD_INPUT, model)


class TestBadInput:
    def test_truncated_models(self, benchmark: Benchmark) -> None:
        whole = networks.quantized("int8")
        for size in (9, 100, len(whole) // 2, len(whole) - 50):
            error = benchmark.error(BAD_INPUT, benchmark.model(whole[:size]))
            assert "truncated or damaged" in error or "not take it for a valid model: " in error

    def test_files_that_are_no_models(self, benchmark: Benchmark, tmp_path: Path) -> None:
        assert "the file is empty" in benchmark.error(BAD_INPUT, benchmark.model(b""))
        text = benchmark.model(b"This is no model, but long enough for one.")
        assert "not a TFLite model" in benchmark.error(BAD_INPUT, text)
        assert "No such file" in benchmark.error(BAD_INPUT, tmp_path / "missing.tflite")
        assert "Is a directory" in benchmark.error(BAD_INPUT, tmp_path)

    def test_damage_never_crashes_the_program(self, benchmark: Benchmark) -> None:
        whole = networks.quantized("int8")
        rng = np.random.default_rng(0)
        codes = set()
        for _ in range(60):
            damaged = bytearray(whole)
            # Tables and shapes rather than weights: those are at the front and at the end.
            for place in rng.integers(8, 4000, 6) * rng.choice([1, -1], 6):
                damaged[place] = rng.integers(256)
            finished = benchmark.run(
                benchmark.model(bytes(damaged)), *QUICK, SCALAR, "--max_secs=1"
            )
            codes.add(finished.returncode)
            assert finished.returncode in (0, BAD_INPUT, RUN_FAILED), finished.stderr
        assert BAD_INPUT in codes

    def test_runtime_libraries_that_are_none(
        self, benchmark: Benchmark, network: Path, tmp_path: Path
    ) -> None:
        missing = tmp_path / "missing.so"
        error = benchmark.error(BAD_INPUT, network, runtime_library=missing)
        assert f"--runtime_library={missing}: No such file" in error
        error = benchmark.error(BAD_INPUT, network, runtime_library=network)
        assert "not a shared library (ELF)" in error
        error = benchmark.error(BAD_INPUT, network, runtime_library=benchmark.delegate)
        assert "does not export TfLiteVersion. A library with TFLite's C API is needed" in error

    def test_libraries_for_another_processor(
        self, benchmark: Benchmark, network: Path, tmp_path: Path
    ) -> None:
        header = bytearray(benchmark.delegate.read_bytes())
        header[18:20] = (40).to_bytes(2, "little")  # EM_ARM
        foreign = tmp_path / "foreign.so"
        foreign.write_bytes(header)
        error = benchmark.error(BAD_INPUT, network, runtime_library=foreign)
        assert re.search(r"built for 32-bit ARM, this program for (x86-64|arm64)", error)

    def test_truncated_libraries(self, benchmark: Benchmark, network: Path, tmp_path: Path) -> None:
        whole = benchmark.delegate.read_bytes()
        short = tmp_path / "short.so"
        for size in (63, 64, 100, 5000, len(whole) // 2):
            short.write_bytes(whole[:size])
            error = benchmark.error(BAD_INPUT, network, external_delegate_path=short)
            assert "truncated" in error or "not a shared library" in error

    def test_delegates_that_are_none(self, benchmark: Benchmark, network: Path) -> None:
        error = benchmark.error(BAD_INPUT, network, external_delegate_path="/missing.so")
        assert "--external_delegate_path=/missing.so: No such file" in error
        error = benchmark.error(BAD_INPUT, network, external_delegate_path=benchmark.tflite.path)
        assert "does not export tflite_plugin_create_delegate" in error

    def test_options_the_delegate_refuses(self, benchmark: Benchmark, network: Path) -> None:
        for options, message in {
            "speed:1": 'unknown option "speed"',
            "kernel:fast": '"fast" is none of auto',
            "isa:scalar;require_delegation:1": "none of",
        }.items():
            error = benchmark.error(BAD_INPUT, network, f"--external_delegate_options={options}")
            assert message in error

    def test_flags(self, benchmark: Benchmark, network: Path) -> None:
        assert "unknown flag --speed" in benchmark.error(USAGE, network, "--speed=1")
        error = benchmark.error(USAGE, network, "--external_delegate_options=verify")
        assert "not of the form key:value" in error
        error = benchmark.error(BAD_INPUT, network, "--input_layer_value_range=nothing,0,1")
        assert 'the model has no input "nothing"; it has' in error


class TestLayers:
    def test_times_and_verifies_every_kernel(self, program: Path) -> None:
        finished = execute(program, "--layers=8x16x16,6x8x24x1x1,9x4x16x3x2", "--verify", *QUICK)
        result = last_line(finished)
        assert result["mode"] == "layers"
        assert [layer["size"] for layer in result["layers"]] == [8, 6, 9]
        for layer in result["layers"]:
            for kernel in layer["kernels"]:
                assert kernel["verified"] == "equal"
                assert kernel["layer_ms"]["count"] == 2
                assert 0 < kernel["layer_ms"]["min"] <= kernel["layer_ms"]["median"]
                assert kernel["isa"] in result["cpu"]["isa"]

    def test_scalar_kernels_when_asked_for(self, program: Path) -> None:
        finished = execute(program, "--layers=6x8x8", "--isa=scalar", "--verify", *QUICK)
        (layer,) = last_line(finished)["layers"]
        kernels = [kernel["kernel"] for kernel in layer["kernels"]]
        expected = {"reference", "direct", "winograd_f43", "winograd_f23", "winograd_1d"}
        assert set(kernels) == expected
        assert kernels.count("winograd_1d") == 2, "both of its forms"

    def test_bad_shapes_and_names(self, program: Path) -> None:
        error = only_error(USAGE, execute(program, "--layers=56x64", *QUICK))
        assert '"56x64" does not begin with SIZExINPUTSxOUTPUTS' in error
        assert "there are reference" in only_error(
            USAGE, execute(program, "--layers", "--kernel=fast")
        )


def test_help_lists_every_flag(program: Path) -> None:
    finished = execute(program, "--help")
    assert finished.returncode == 0
    for flag in ("graph", "runtime_library", "external_delegate_path", "layers", "verify", "seed"):
        assert f"--{flag}=" in finished.stdout
    assert "Exit codes: 0 good" in finished.stdout
