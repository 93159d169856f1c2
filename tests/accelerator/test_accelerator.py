"""What CompiledModel computes with the delegate: what reference kernels do, in every setting."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.accelerator import networks
from tests.accelerator.conftest import CLAIMED, Compiled
from tests.built_models import Array
from tflite_eq.delegate import accelerator_dir, load
from tflite_eq.delegate.accelerator import NAME, OPTIONS_FILE
from tflite_eq.errors import ConfigError
from tflite_eq.runtimes import Kernels, runtime_named

ALL = "claim:."  # whatever can be claimed, fast or not on this CPU


def reference(model: bytes, samples: list[Array]) -> list[Array]:
    """What the reference kernels of the same LiteRT compute."""
    interpreter = runtime_named("ai-edge-litert").interpreter(model, Kernels.REFERENCE)
    interpreter.allocate_tensors()
    [source], [made] = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for sample in samples:
        interpreter.set_tensor(source["index"], sample)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(made["index"]))
    return outputs


def assert_equal(found: list[Array], expected: list[Array]) -> None:
    assert len(found) == len(expected) > 0
    for left, right in zip(found, expected):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("bits", ["8", "7"])
def test_fully_claimed_network_gives_the_reference_kernels_outputs(
    bits: str, folder: str, compiled: Compiled
) -> None:
    model, samples = networks.convolutions(bits), networks.codes()
    done = compiled.run(model, folder=folder, samples=samples, options=ALL)
    assert done.errors == [None]
    [(claimed, nodes)] = done.claimed
    assert claimed == nodes == 7
    assert_equal(done.outputs[0], reference(model, samples))


def test_policy_claims_what_it_claims_as_an_external_delegate(
    folder: str, compiled: Compiled, capfd: pytest.CaptureFixture[str]
) -> None:
    model = networks.convolutions()
    runtime = runtime_named("ai-edge-litert")
    runtime.interpreter(model, delegates=[load(runtime)])
    expected = re.findall(CLAIMED, capfd.readouterr().err, re.MULTILINE)
    done = compiled.run(model, folder=folder, samples=networks.codes(1))
    assert expected
    assert re.findall(CLAIMED, done.log, re.MULTILINE) == expected


def test_runtime_has_the_operators_that_are_left(folder: str, compiled: Compiled) -> None:
    model, samples = networks.classifier(), networks.codes()
    done = compiled.run(model, folder=folder, samples=samples, options=ALL)
    [(claimed, nodes)] = done.claimed
    assert 0 < claimed < nodes
    # XNNPACK rounds otherwise, by a code or two.
    for found, expected in zip(done.outputs[0], reference(model, samples)):
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 2


def test_without_the_folder_nothing_is_claimed(compiled: Compiled, folder: str) -> None:
    done = compiled.run(networks.convolutions(), folder=None, samples=networks.codes(1))
    assert done.errors == [None]
    assert "tflite_eq" not in done.log


def test_several_models_of_one_environment(folder: str, compiled: Compiled) -> None:
    models, samples = [networks.convolutions(b) for b in "878"], networks.codes()
    done = compiled.run(*models, folder=folder, samples=samples, options=ALL)
    assert done.claimed == [(7, 7)] * 3
    for model, outputs in zip(models, done.outputs):
        assert_equal(outputs, reference(model, samples))


def test_several_threads(folder: str, compiled: Compiled) -> None:
    model, samples = networks.convolutions(), networks.codes()
    options = f"{ALL};num_threads:3"
    done = compiled.run(model, folder=folder, samples=samples, options=options, parallel=3)
    assert done.errors == [None]
    assert done.claimed == [(7, 7)] * 3
    assert_equal(done.outputs[0], reference(model, samples))


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["environment", "models", "buffers"]))
)
def test_objects_go_in_any_order(order: tuple[str, ...], folder: str, compiled: Compiled) -> None:
    model = networks.convolutions()
    done = compiled.run(
        *[model, model], folder=folder, samples=networks.codes(1), options=ALL, drops=[order]
    )
    assert done.errors == [None, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("num_threads:many", 'entry 1: option num_threads: "many" is not an integer from 0 to 256'),
        ("log_level:0;treads:2", 'entry 2: unknown option "treads"; there are num_threads'),
        ("num_threads", 'entry 1: "num_threads" is no option and value with a colon'),
        ("kernel:fastest", 'option kernel: "fastest" is none of auto, winograd_f43'),
        ("gpu_library:", 'option gpu_library: "" is none of auto, none, the path'),
    ],
)
def test_bad_options_are_told_and_refused(
    options: str, message: str, folder: str, compiled: Compiled
) -> None:
    done = compiled.run(
        networks.convolutions(), folder=folder, samples=networks.codes(1), options=options
    )
    assert done.errors != [None]
    [line] = [line for line in done.log.splitlines() if line.startswith("tflite_eq: ")]
    assert line.startswith("tflite_eq: TFLITE_EQ_ACCELERATOR_OPTIONS, ")
    assert message in line


def test_semicolon_of_a_name_is_no_separator(folder: str, compiled: Compiled) -> None:
    done = compiled.run(
        networks.convolutions(),
        folder=folder,
        samples=networks.codes(1),
        options=r"leave:no such layer\;not this one;claim:.",
    )
    assert done.errors == [None]
    assert r"leave" in done.log, "a pattern that matches nothing is told"
    assert done.claimed == [(7, 7)]


def test_options_of_a_folder(compiled: Compiled) -> None:
    model, samples = networks.convolutions(), networks.codes(1)
    made = accelerator_dir(kernel="reference")
    assert Path(made, OPTIONS_FILE).read_text() == "kernel: reference\n"
    assert accelerator_dir(kernel="reference") == made
    done = compiled.run(model, folder=made, samples=samples)
    assert done.claimed == [(5, 7)], "this kernel is for convolutions"
    assert_equal(done.outputs[0], reference(model, samples))
    done = compiled.run(model, folder=made, samples=samples, options="kernel:auto;claim:.")
    assert done.claimed == [(7, 7)], "the variable goes before the file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# ours\n\nnum_threads: -1\n", ', line 3: option num_threads: "-1" is not'),
        ("kernel = direct\n", ', line 1: "kernel = direct" is no option and value'),
        ("\0", ": is no text of at most"),
    ],
)
def test_bad_options_of_a_folder(
    text: str, message: str, folder: str, compiled: Compiled, tmp_path: Path
) -> None:
    shutil.copy(Path(folder, NAME), tmp_path)
    (tmp_path / OPTIONS_FILE).write_text(text)
    done = compiled.run(networks.convolutions(), folder=str(tmp_path), samples=networks.codes(1))
    assert done.errors != [None]
    assert f"{tmp_path / OPTIONS_FILE}{message}" in done.log


def test_option_that_the_library_refuses(folder: str) -> None:
    with pytest.raises(ConfigError, match="num_threads"):
        accelerator_dir(num_threads=-1)
    with pytest.raises(ConfigError, match="line break"):
        accelerator_dir(leave="a\nb")


def test_gpu_is_asked_where_a_model_is_for_it(folder: str, compiled: Compiled) -> None:
    """There is no GPU here, so that its accelerator says so as it does without the delegate."""
    model, samples = networks.convolutions(), networks.codes(1)
    alone = compiled.run(model, folder=None, samples=samples, hardware="GPU")
    both = compiled.run(model, folder=folder, samples=samples, hardware="GPU", options=ALL)
    if "does not tell accelerators whether" in both.log:
        assert both.errors == [None]
        assert_equal(both.outputs[0], reference(model, samples))
        return
    assert (both.errors == [None]) == (alone.errors == [None])
    assert "claimed" not in both.log
    without = compiled.run(
        model, folder=folder, samples=samples, hardware="GPU", options="gpu_library:none"
    )
    assert without.errors != [None], "nobody is left to answer for the GPU"


def test_library_that_is_no_gpus_accelerator_is_told(folder: str, compiled: Compiled) -> None:
    done = compiled.run(
        networks.convolutions(),
        folder=folder,
        samples=networks.codes(1),
        options=f"gpu_library:/nowhere/libGpu.so;{ALL}",
    )
    assert "/nowhere/libGpu.so cannot be loaded, and GPUs are not used" in done.log
    assert done.claimed == [(7, 7)]
