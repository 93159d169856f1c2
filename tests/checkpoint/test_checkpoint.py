"""Interrupted calibrations: what they leave, what is made of it, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from tests import models, running
from tflite_eq import (
    Config,
    EasyQuantConverter,
    QuantizationResult,
    calibrate,
    quantize,
)
from tflite_eq.calibration import calibrate_once
from tflite_eq.checkpoint import run_identity
from tflite_eq.checkpoint.checkpoint import Checkpoint
from tflite_eq.errors import CheckpointError, TfliteEqError
from tflite_eq.execution.operator_runner import OperatorRunner
from tflite_eq.simulation.layer_runner import LayerRunner

ROOT = Path(__file__).resolve().parents[2]
LATTICE = Config(bits="auto", target="x86-vnni")
LAYERS = 5  # of concat_pool_net; the second and the third read the same tensor


class Interrupted:
    """A model with its data on disk, and processes that quantize it until they are killed."""

    def __init__(
        self, folder: Path, name: str = "concat_pool_net", config: Config = LATTICE
    ) -> None:
        self.name, self.config = name, config
        self.resume_dir = folder / "resume"
        self.model, self.data = folder / "model.tflite", folder / "data.npy"
        self.model.write_bytes(models.build(name))
        np.save(self.data, np.stack([x for [x] in models.data(name)]))

    def command(self, where: str) -> list[str]:
        options = json.dumps(self.config.as_dict())
        files = map(str, (self.model, self.data, self.resume_dir))
        return [sys.executable, "-m", "tests.interrupted", *files, options, where]

    def run(self, where: str) -> None:
        """Start a process that is killed there."""
        ended = subprocess.run(self.command(where), cwd=ROOT, capture_output=True, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()

    def go_on(self, **changes: Any) -> QuantizationResult:
        """Quantize in this process with the folder that the others have left."""
        arguments = {
            "model": models.build(self.name),
            "representative_dataset": models.data(self.name),
            "config": self.config,
            "resume_dir": self.resume_dir,
            **changes,
        }
        return quantize(**arguments)

    def assert_as_uninterrupted(self) -> None:
        result, expected = self.go_on(), running.quantized(self.name, self.config)
        assert result.model == expected.model
        assert result.calibration.to_text() == expected.calibration.to_text()
        assert report_json(result) == report_json(expected)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.resume_dir.iterdir())


def report_json(result: QuantizationResult) -> str:
    """The report without what a run measures about itself."""
    plain = result.report.as_dict()
    del plain["process"]
    return json.dumps(plain)


@pytest.fixture
def interrupted(tmp_path: Path) -> Interrupted:
    return Interrupted(tmp_path)


@pytest.fixture(scope="module")
def half_done(tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    """Killed behind the second of five layers; copy it before changing anything."""
    made = Interrupted(tmp_path_factory.mktemp("half"))
    made.run("layer=2")
    return made


@pytest.fixture
def half(half_done: Interrupted, tmp_path: Path) -> Interrupted:
    made = Interrupted(tmp_path)
    shutil.copytree(half_done.resume_dir, made.resume_dir)
    return made


@pytest.mark.parametrize(
    "where",
    [
        "half=run.json",
        "half=equalization",
        "rename=equalization",
        "sample=1",
        "sample=4",
        "half=layer_0001",
        "layer=1",
        "layer=4",
        "half=layer_0004",
        "rename=layer_0005",
        f"layer={LAYERS}",
    ],
)
def test_killed_run_goes_on_to_the_same_bytes(interrupted: Interrupted, where: str) -> None:
    interrupted.run(where)
    interrupted.assert_as_uninterrupted()


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("residual_net", Config(bits="7")),
        ("conv_net", Config(per_tensor=True, objective="cosine", bias_correction="none")),
        ("transpose_conv_net", Config(method="mse", skip="^Relu;")),
        ("shared_filter_net", Config(activation_mode="symmetric")),
        ("conv_net", Config(bits="7", reconstruction="refit")),
        ("depthwise_net", Config(reconstruction="rounding", per_tensor=True)),
        ("depthwise_net", Config(bits="7", bias_correction="finetune")),
        ("depthwise_net", Config(reconstruction="refit", split_channels="^Relu6;")),
    ],
)
def test_every_kind_of_network_goes_on_to_the_same_bytes(
    tmp_path: Path, name: str, config: Config
) -> None:
    interrupted = Interrupted(tmp_path, name, config)
    interrupted.run("layer=2")
    interrupted.assert_as_uninterrupted()


def test_run_that_is_killed_again_and_again(interrupted: Interrupted) -> None:
    for where in ("half=equalization", "sample=2", "sample=2", *["layer=1"] * LAYERS):
        interrupted.run(where)
    layers = [f"layer_{n:04d}" for n in range(1, LAYERS + 1)]
    assert interrupted.files() == ["equalization", *layers, "lock", "run.json"]
    interrupted.assert_as_uninterrupted()


def test_kill_from_outside_at_any_time(interrupted: Interrupted) -> None:
    for expected in ("equalization", "layer_0001", "layer_0004"):
        process = subprocess.Popen(
            interrupted.command("never"), cwd=ROOT, stderr=subprocess.DEVNULL
        )
        while not (interrupted.resume_dir / expected).exists() and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.wait()
    interrupted.assert_as_uninterrupted()


def test_finished_layers_are_not_searched_again(
    half: Interrupted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(opened(half).layers[-1].waiting_scales) == 1
    searched = []

    original = LayerRunner.run

    def counted(self: LayerRunner, layer: Any) -> Any:
        searched.append(layer.name)
        return original(self, layer)

    monkeypatch.setattr(LayerRunner, "run", counted)
    result = half.go_on()
    ran = [layer.name for layer in result.calibration.layers]
    assert searched == ran[2:]
    assert f"resumed at layer 3 of {LAYERS}" in capsys.readouterr().err


def test_full_report_of_a_resumed_run_is_the_same(half: Interrupted, tmp_path: Path) -> None:
    """Search curves, distributions and comparisons included."""
    plain = {}
    for name, changes in (("whole", {"resume_dir": None}), ("resumed", {})):
        half.go_on(report_dir=tmp_path / name, **changes)
        plain[name] = json.loads((tmp_path / name / "report.json").read_text())
        del plain[name]["process"]
    assert plain["resumed"] == plain["whole"]
    curves = [layer["detail"]["activation_search"] for layer in plain["whole"]["layers"]]
    assert all(curves[:3])
    assert all(layer["detail"]["weight_search"] for layer in plain["whole"]["layers"])


def test_converter_has_a_resume_folder_too(half: Interrupted) -> None:
    converter = EasyQuantConverter.from_tflite(models.build(half.name), half.config)
    converter.representative_dataset = models.data(half.name)
    converter.resume_dir = half.resume_dir
    assert converter.convert() == running.quantized(half.name, half.config).model
    assert f"layer_{LAYERS:04d}" in half.files()


# What is refused.


def opened(run: Interrupted, **changes: Any) -> Checkpoint:
    plain = json.loads((run.resume_dir / "run.json").read_text())
    made = Checkpoint(run.resume_dir, plain["model_sha256"], run.config, plain["runtime"])
    made.close()
    return made


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config": dataclasses.replace(LATTICE, seed=1)}, "seed is 0 there and 1 here"),
        ({"config": Config()}, "bits is auto there and 8 here; target is x86-vnni there"),
        ({"config": dataclasses.replace(LATTICE, input_type="int8")}, "input_type is float32"),
        ({"model": models.conv_net}, "model_sha256 is [0-9a-f]{64} there and"),
    ],
)
def test_other_settings_are_refused(
    half: Interrupted, changes: dict[str, Any], expected: str
) -> None:
    if "model" in changes:
        changes = {"model": changes["model"]()}
    with pytest.raises(CheckpointError, match=f"belongs to another run: .*{expected}"):
        half.go_on(
            **changes, representative_dataset=lambda: pytest.fail("looked at the data first")
        )
    half.assert_as_uninterrupted()


@pytest.mark.parametrize(
    ("target", "name", "expected"),
    [
        (run_identity, "__version__", "tflite_eq is .* there and 99.0 here"),
        (np, "__version__", "numpy is .* there and 99.0 here"),
    ],
)
def test_other_versions_are_refused(
    half: Interrupted, monkeypatch: pytest.MonkeyPatch, target: Any, name: str, expected: str
) -> None:
    monkeypatch.setattr(target, name, "99.0")
    with pytest.raises(CheckpointError, match=expected):
        half.go_on()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda data: [*data[:2], [data[2][0] + 1], *data[3:]],
            "begun with other calibration data",
        ),
        (lambda data: data[::-1], "begun with other calibration data"),
        (lambda data: data[:4], "begun with 6 calibration samples, now there are 4"),
        (lambda data: [*data, data[0]], "begun with 6 calibration samples, now there are 7"),
    ],
)
def test_other_data_are_refused(
    half: Interrupted, change: Callable[[Any], Any], expected: str
) -> None:
    with pytest.raises(CheckpointError, match=expected):
        half.go_on(representative_dataset=change(models.data(half.name)))
    half.assert_as_uninterrupted()


@pytest.mark.parametrize("equalization", ["activations", "none"])
def test_other_data_are_refused_before_a_layer_is_finished(
    tmp_path: Path, equalization: str
) -> None:
    interrupted = Interrupted(tmp_path, config=Config(equalization=equalization))
    interrupted.run("sample=4")
    data = models.data(interrupted.name)
    other = [*data[:2], [data[2][0] + 1], *data[3:]]
    with pytest.raises(CheckpointError, match="begun with other calibration data"):
        interrupted.go_on(representative_dataset=other)
    interrupted.assert_as_uninterrupted()


def test_what_is_scaled_is_not_looked_for_again(
    half: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = opened(half).equalization
    assert saved is not None
    assert saved.factors
    monkeypatch.setattr(
        calibrate_once, "equalizing_factors", lambda *_: pytest.fail("looked again")
    )
    assert half.go_on().calibration.equalization == saved.factors


@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", ["run.json", "equalization", "layer_0001", "layer_0002"])
def test_cut_file_is_refused(half: Interrupted, name: str, part: float) -> None:
    path = half.resume_dir / name
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(CheckpointError, match=f"{name} is missing, cut off.*delete the resume"):
        half.go_on()


@pytest.mark.parametrize("name", ["run.json", "equalization", "layer_0001"])
def test_missing_file_is_refused(half: Interrupted, name: str) -> None:
    (half.resume_dir / name).unlink()
    with pytest.raises(CheckpointError, match="is missing, cut off"):
        half.go_on()


@pytest.mark.parametrize("name", ["equalization", "layer_0002"])
def test_changed_file_is_refused(half: Interrupted, name: str) -> None:
    path = half.resume_dir / name
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} is missing, cut off, changed"):
        half.go_on()


def test_layer_of_another_run_is_refused(half: Interrupted, tmp_path: Path) -> None:
    other = tmp_path / "other"
    calibrate(models.build(half.name), models.data(half.name), Config(), resume_dir=other)
    shutil.copy(other / "layer_0002", half.resume_dir)
    with pytest.raises(CheckpointError, match=r"layer_0002 is missing.* or of another run"):
        half.go_on()


def test_machine_that_computes_otherwise_is_refused(
    half: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = OperatorRunner.hand_on

    def differently(self: Any, values: Any, takers: Any) -> None:
        def altered(take: Any) -> Any:
            return lambda v: take(v * np.float32(1 + 1e-6) if v.dtype == np.float32 else v)

        original(self, values, [altered(take) for take in takers])

    monkeypatch.setattr(OperatorRunner, "hand_on", differently)
    with pytest.raises(CheckpointError, match="does not come out as in the interrupted run"):
        half.go_on()


def test_folder_in_use_is_refused(half: Interrupted) -> None:
    plain = json.loads((half.resume_dir / "run.json").read_text())
    arguments = (half.resume_dir, plain["model_sha256"], half.config, plain["runtime"])
    first = Checkpoint(*arguments)
    with pytest.raises(CheckpointError, match="another run is using it"):
        half.go_on()
    first.close()
    half.assert_as_uninterrupted()


def test_folder_with_other_files_is_refused(interrupted: Interrupted) -> None:
    interrupted.resume_dir.mkdir()
    precious = interrupted.resume_dir / "thesis.tex"
    precious.write_text("...")
    with pytest.raises(CheckpointError, match=r"other files, such as 'thesis\.tex'"):
        interrupted.go_on()
    assert interrupted.files() == ["thesis.tex"]


def test_folder_that_cannot_be_used_is_refused(interrupted: Interrupted) -> None:
    with pytest.raises(CheckpointError, match="it is a file; name a folder"):
        interrupted.go_on(resume_dir=interrupted.model)
    with pytest.raises(TfliteEqError, match="cannot be written"):
        interrupted.go_on(resume_dir="/proc/resume")


def forged(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change a file of a resume folder and give it the hash of its new content."""
    path = folder / name
    header, _, content = path.read_bytes().partition(b"\n")
    plain = json.loads(content)
    change(plain)
    changed = json.dumps(plain).encode()
    start = header.rpartition(b" ")[0]
    path.write_bytes(start + b" " + hashlib.sha256(changed).hexdigest().encode() + b"\n" + changed)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("layer_0001", lambda plain: plain.pop("layer")),
        ("layer_0001", lambda plain: plain["layer"].update(input="x")),
        ("layer_0001", lambda plain: plain["layer"].update(metrics=3)),
        ("layer_0001", lambda plain: plain["layer"].update(scales=[float("nan")])),
        ("layer_0001", lambda plain: plain["tensors"][0].update(zero_point=-129)),
        ("layer_0001", lambda plain: plain["tensors"][0].update(scale=1e300)),
        ("layer_0001", lambda plain: plain.update(waiting_scales=[1])),
        ("layer_0001", lambda plain: plain.update(waiting_scales={"x": [1.0]})),
        ("layer_0001", lambda plain: plain.update(searches={"activations": 0.5})),
        ("layer_0001", lambda plain: plain.update(searches={"activations": {"1": [[1]]}})),
        ("layer_0001", lambda plain: plain.update(searches={"activations": {"": []}})),
        ("equalization", lambda plain: plain.update(samples="six")),
        ("equalization", lambda plain: plain.pop("digest")),
        ("equalization", lambda plain: plain["factors"][0]["producers"][0].update(operator=99)),
        ("equalization", lambda plain: plain["factors"][0]["factors"].pop()),
        ("layer_0001", lambda plain: plain["layer"]["scales"].pop()),
        ("layer_0001", lambda plain: plain["layer"].update(index=77)),
        ("layer_0001", lambda plain: plain["layer"].update(name="another")),
        ("layer_0001", lambda plain: plain["tensors"][0].update(index=1000)),
        ("layer_0001", lambda plain: plain.update(waiting_scales={"1000": [1.0]})),
    ],
)
def test_file_that_a_run_cannot_have_written_is_refused(
    half: Interrupted, name: str, change: Callable[[Any], None]
) -> None:
    """Its hash says that it is whole, not that this program wrote it."""
    forged(half.resume_dir, name, change)
    with pytest.raises(CheckpointError, match=f"{name} is missing, cut off, changed"):
        half.go_on()


def test_folder_of_an_earlier_version_is_named_as_such(half: Interrupted) -> None:
    run = half.resume_dir / "run.json"
    run.write_text(run.read_text().replace("checkpoint 3", "checkpoint 2"))
    (half.resume_dir / "statistics").write_bytes(b"ranges")
    with pytest.raises(
        CheckpointError, match="another run: format is tflite_eq checkpoint 2 there"
    ):
        half.go_on()
