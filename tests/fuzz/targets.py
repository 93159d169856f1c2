"""What is given damaged input, one function each: a seed decides everything in it."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from tests.fuzz import data_damage, options_damage
from tests.fuzz.contract import (
    RESULT,
    BrokenContractError,
    Ending,
    check_quantized,
    command,
    held,
)
from tests.fuzz.damage import damaged
from tests.fuzz.networks import (
    LEAST_EFFORT,
    Random,
    any_network,
    float_network,
    quantized_network,
    samples_for,
    with_dynamic_batch,
)
from tests.fuzz.text_damage import damaged_text
from tflite_eq import Calibration, Config, calibrate, quantize
from tflite_eq.checkpoint import checkpoint
from tflite_eq.errors import TfliteEqError
from tflite_eq.graph import schema
from tflite_eq.graph.model import Graph

Array = npt.NDArray[Any]

_MOST_VALUES = 1 << 16


def model_to_quantize(rng: Random, folder: Path) -> Ending:
    """``quantize`` on a float model that is damaged, or for once is not."""
    whole = float_network(rng)
    if rng.random() < 0.1:
        whole = with_dynamic_batch(whole)
    is_whole = rng.random() < 0.04
    model = whole if is_whole else damaged(rng, whole)
    samples = _fitting_samples(rng, model, whole)
    config = _config(rng)
    ending = held(lambda: quantize(model, samples, config))
    if ending[0] == RESULT:
        result = ending[1]
        check_quantized(model, result, samples, config.skip)
        if rng.random() < 0.1:
            again = quantize(model, samples, config).model
            if again != result.model:
                raise BrokenContractError("a second run gives other bytes")
        return RESULT, hashlib.sha256(result.model).hexdigest()[:16]
    if is_whole:
        raise BrokenContractError(f"a whole model is refused: {ending[1]}")
    return ending


def quantize_command(rng: Random, folder: Path) -> Ending:
    """The same from the command line."""
    whole = float_network(rng)
    model = folder / "model.tflite"
    model.write_bytes(damaged(rng, whole))
    samples = _fitting_samples(rng, model.read_bytes(), whole)
    np.save(folder / "data.npy", np.concatenate([x for [x, *_] in samples]))
    arguments = ["--model", model, "--calibration", folder / "data.npy", "--preset", "fast"]
    output = ["--output", folder / "out.tflite"]
    if rng.random() < 0.2:
        output += ["--save_calibration", folder / "out.json"]
    return command(folder, "quantize", *arguments, *output, written=["out.tflite"])


def inspect_command(rng: Random, folder: Path) -> Ending:
    """``inspect`` on a float or an int8 model."""
    model = _model_file(rng, folder)
    return command(folder, "inspect", model, *_json_or_not(rng))


def explain_command(rng: Random, folder: Path) -> Ending:
    """``explain`` on the same."""
    model = _model_file(rng, folder)
    target = str(rng.choice(["host", "x86-avx2", "x86-vnni", "armv8.0", "armv8.2-dotprod"]))
    return command(folder, "explain", "--model", model, "--target", target, *_json_or_not(rng))


def model_to_validate(rng: Random, folder: Path) -> Ending:
    """``validate`` without the process of its own, which would hide a crash."""
    from tflite_eq.delegate.validate import _validate
    from tflite_eq.runtimes import preferred_runtime

    model = damaged(rng, quantized_network(rng) if rng.random() < 0.9 else any_network(rng))
    ending = held(lambda: _validate(model, preferred_runtime(), 2, 0, {}, "model", False, None))
    if ending[0] == RESULT and ending[1].first_wrong is not None:
        raise BrokenContractError(f"the delegate differs: {ending[1].first_wrong}")
    return ending[0], str(ending[1])[:200]


def model_to_benchmark(rng: Random, folder: Path) -> Ending:
    """What ``benchmark`` does in its processes, in this one."""
    from tflite_eq.delegate import benchmark
    from tflite_eq.runtimes import preferred_runtime

    model = damaged(rng, quantized_network(rng))
    pipe = _Pipe(["run", "profile", None])
    options = {"num_threads": 1} if rng.random() < 0.7 else None
    benchmark._guard(benchmark.serve_model, (model, None, preferred_runtime(), 1, options), pipe)
    failed = next((a for a in pipe.answers if isinstance(a, TfliteEqError)), None)
    return held(lambda: _raise(failed) if failed else len(pipe.answers))


def evaluate_command(rng: Random, folder: Path) -> Ending:
    """``evaluate`` on a damaged model, by labels or by what the whole one gives."""
    whole = any_network(rng)
    model = folder / "model.tflite"
    model.write_bytes(damaged(rng, whole))
    shape = Graph.from_bytes(whole).tensors[Graph.from_bytes(whole).inputs[0]].shape
    images = rng.standard_normal((3, *shape[1:])).astype(np.float32)
    labels = {"label": np.array([0, 1, 0])} if rng.random() < 0.5 else {}
    np.savez(folder / "data.npz", images=images, **labels)
    arguments = ["--model", model, "--dataset", folder / "data.npz", "--num_workers", 1]
    if not labels or rng.random() < 0.5:
        (folder / "whole.tflite").write_bytes(whole)
        arguments += ["--reference", folder / "whole.tflite"]
    if rng.random() < 0.3:
        arguments += ["--json", folder / "out.json"]
    return command(folder, "evaluate", *arguments)


def calibration_record(rng: Random, folder: Path) -> Ending:
    """``quantize`` with a damaged record instead of data."""
    model, text = _calibrated(int(rng.integers(4)))
    content = damaged_text(rng, text)
    path = folder / "record.json"
    path.write_bytes(content)
    if rng.random() < 0.3:
        (folder / "model.tflite").write_bytes(model)
        arguments = ["--model", folder / "model.tflite", "--load_calibration", path]
        output = ["--output", folder / "out.tflite"]
        return command(folder, "quantize", *arguments, *output, written=["out.tflite"])
    ending = held(lambda: quantize(model, Calibration.load(path)))
    if ending[0] == RESULT:
        return RESULT, hashlib.sha256(ending[1].model).hexdigest()[:16]
    return ending


def record_in_model(rng: Random, folder: Path) -> Ending:
    """Windows and lattice that a model claims, to whoever reads them."""
    model = schema.parse(quantized_network(rng))
    entry = next(m for m in model.metadata if m.name in (b"tflite_eq", "tflite_eq"))
    text = np.asarray(model.buffers[entry.buffer].data, np.uint8).tobytes().decode()
    content = damaged_text(rng, text)
    model.buffers[entry.buffer].data = np.frombuffer(content, np.uint8)
    path = folder / "model.tflite"
    path.write_bytes(schema.serialize(model))
    if rng.random() < 0.7:
        return command(folder, "inspect", path, *_json_or_not(rng))
    from tflite_eq.delegate.validate import _validate
    from tflite_eq.runtimes import preferred_runtime

    ending = held(
        lambda: _validate(path.read_bytes(), preferred_runtime(), 2, 0, {}, "model", False, None)
    )
    if ending[0] == RESULT and ending[1].first_wrong is not None:
        raise BrokenContractError(f"the delegate differs: {ending[1].first_wrong}")
    return ending[0], str(ending[1])[:200]


def calibration_data(rng: Random, folder: Path) -> Ending:
    """Files and folders given to ``quantize`` as ``--calibration``."""
    (folder / "model.tflite").write_bytes(_image_network())
    choice = rng.random()
    if choice < 0.5:
        name, content = data_damage.array_file(rng)
        (folder / name).write_bytes(content)
        data = folder / name
    else:
        data = folder / "images"
        names = data_damage.image_folder(rng, data)
        if choice < 0.7:
            data = folder / "list.txt"
            data.write_bytes(data_damage.image_list(rng, names, "images"))
    arguments = ["--model", folder / "model.tflite", "--calibration", data, "--preset", "fast"]
    output = ["--output", folder / "out.tflite"]
    return command(folder, "quantize", *arguments, *output, written=["out.tflite"])


def labelled_data(rng: Random, folder: Path) -> Ending:
    """Files and folders given to ``evaluate`` as ``--dataset`` and ``--labels``."""
    (folder / "model.tflite").write_bytes(_image_network())
    if rng.random() < 0.4:
        name, content = data_damage.array_file(rng, labels=True)
        (folder / name).write_bytes(content)
        data = ["--dataset", folder / name]
    else:
        names = data_damage.image_folder(rng, folder / "images")
        (folder / "labels.csv").write_bytes(data_damage.label_table(rng, names))
        data = ["--dataset", folder / "images", "--labels", folder / "labels.csv"]
    return command(
        folder, "evaluate", "--model", folder / "model.tflite", *data, "--num_workers", 1
    )


def resume_folder(rng: Random, folder: Path) -> Ending:
    """A run that goes on from a folder whose files are damaged."""
    model, samples, files = _interrupted()
    state = folder / "state"
    state.mkdir()
    chosen = str(rng.choice(sorted(files)))
    for name, content in files.items():
        if name == chosen:
            content = _damaged_state(rng, name, content, files["run.json"])
        if name != chosen or rng.random() < 0.9:
            (state / name).write_bytes(content)
    config = Config(search=LEAST_EFFORT)
    ending = held(lambda: quantize(model, samples, config, resume_dir=state))
    if ending[0] == RESULT:
        return RESULT, hashlib.sha256(ending[1].model).hexdigest()[:16]
    return ending


def options(rng: Random, folder: Path) -> Ending:
    """Values of ``Config``, of the arguments beside it, and of flags."""
    model = _image_network()
    samples = [[np.ones((1, *data_damage.SHAPE), np.float32)]]
    if rng.random() < 0.6:
        plain, others = options_damage.some_options(rng)
        ending = held(lambda: quantize(model, samples, Config.from_dict(plain), **others))
        return (RESULT, "") if ending[0] == RESULT else ending
    (folder / "model.tflite").write_bytes(model)
    np.save(folder / "data.npy", samples[0][0])
    flags = options_damage.some_flags(rng, folder)
    return command(folder, *flags)


def representative_dataset(rng: Random, folder: Path) -> Ending:
    """What Python programs may give for samples."""
    dataset = options_damage.some_dataset(rng, (1, *data_damage.SHAPE))
    config = Config(search=LEAST_EFFORT)
    ending = held(lambda: quantize(_image_network(), dataset, config))
    return (RESULT, "") if ending[0] == RESULT else ending


# Which share of the cases goes to what.
TARGETS: dict[str, tuple[Callable[[Random, Path], Ending], int]] = {
    "quantize": (model_to_quantize, 30),
    "quantize_command": (quantize_command, 5),
    "inspect": (inspect_command, 12),
    "explain": (explain_command, 8),
    "validate": (model_to_validate, 10),
    "benchmark": (model_to_benchmark, 3),
    "evaluate": (evaluate_command, 8),
    "record": (calibration_record, 10),
    "metadata": (record_in_model, 4),
    "data": (calibration_data, 4),
    "labels": (labelled_data, 3),
    "resume": (resume_folder, 3),
    "options": (options, 3),
    "dataset": (representative_dataset, 3),
}


def generator(target: str, seed: int) -> Random:
    """Random numbers of one case."""
    return np.random.default_rng([zlib.crc32(target.encode()), seed])


def run_case(target: str, seed: int, folder: Path) -> Ending:
    """Run one case in an empty folder, which is the working directory meanwhile.

    Options that are paths hold anything, relative ones above all: what is written goes there.

    Raises:
        Exception: The contract is broken.
    """
    before = os.getcwd()
    os.chdir(folder)
    try:
        return TARGETS[target][0](generator(target, seed), folder)
    finally:
        os.chdir(before)


def prepare() -> None:
    """Make what cases share; afterwards processes may fork."""
    for number in range(4):
        _calibrated(number)
    _interrupted()
    for seed in range(40):
        quantized_network(np.random.default_rng(seed))


class _Pipe:
    """Stands in for the pipe between ``benchmark`` and its process."""

    def __init__(self, questions: list[Any]) -> None:
        self._questions = questions
        self.answers: list[Any] = []

    def recv(self) -> Any:
        if not self._questions:
            raise EOFError
        return self._questions.pop(0)

    def send(self, answer: Any) -> None:
        self.answers.append(answer)


def _raise(error: Exception) -> None:
    raise error


def _config(rng: Random) -> Config:
    bits = str(rng.choice(["8", "7", "auto"]))
    return Config(
        bits=bits,
        target=str(rng.choice(["generic", "x86-vnni"])),
        method=str(rng.choice(["easyquant", "easyquant", "minmax", "percentile", "mse", "kl"])),
        per_tensor=bool(rng.random() < 0.2),
        reconstruction=str(rng.choice(["none", "none", "none", "rounding", "refit"])),
        search=LEAST_EFFORT,
    )


def _fitting_samples(rng: Random, model: bytes, whole: bytes) -> list[list[Array]]:
    """Samples as the damaged model wants them, if it is such that anyone could make them."""
    try:
        graph = Graph.from_bytes(model)
        shapes = [graph.tensors[index].shape for index in graph.inputs]
        types = [graph.tensors[index].type_name.lower() for index in graph.inputs]
        count = sum(abs(int(np.prod(shape, dtype=object))) for shape in shapes)
        if 0 < count < _MOST_VALUES and min(min(shape, default=1) for shape in shapes) > 0:
            return [
                [rng.standard_normal(s).astype(t) for s, t in zip(shapes, types)] for _ in range(3)
            ]
    except (TfliteEqError, TypeError, IndexError):
        pass
    return samples_for(whole, rng)


def _model_file(rng: Random, folder: Path) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(damaged(rng, any_network(rng)))
    return path


def _json_or_not(rng: Random) -> list[str]:
    return ["--json"] if rng.random() < 0.3 else []


@functools.cache
def _image_network() -> bytes:
    """A network that takes images of a few pixels."""
    from tests.built_models import NetworkBuilder

    net = NetworkBuilder(1, *data_damage.SHAPE)
    return net.finished(net.dense(net.spatial("MEAN", net.conv(net.input, 4)), 5))


@functools.cache
def _calibrated(number: int) -> tuple[bytes, str]:
    """A network and the record of its calibration."""
    rng = np.random.default_rng([11, number])
    model = float_network(rng)
    samples = samples_for(model, rng)
    config = Config(
        bits=("8", "7", "7", "8")[number],
        target="x86-vnni",
        per_tensor=number == 3,
        reconstruction=("none", "none", "refit", "none")[number],
        search=LEAST_EFFORT,
    )
    return model, calibrate(model, samples, config).to_text()


@functools.cache
def _interrupted() -> tuple[bytes, list[list[Array]], dict[str, bytes]]:
    """A network, its samples, and the files of a run that was interrupted after all layers."""
    rng = np.random.default_rng(13)
    model = float_network(rng)
    samples = samples_for(model, rng)
    with tempfile.TemporaryDirectory() as folder:
        calibrate(model, samples, Config(search=LEAST_EFFORT), resume_dir=folder)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return model, samples, files


def _damaged_state(rng: Random, name: str, content: bytes, run: bytes) -> bytes:
    """A file of a resume folder with damage, which its hash shows or which it was made for."""
    if name == "run.json":
        return damaged_text(rng, content.decode())
    header, _, body = content.partition(b"\n")
    if name in ("lock",) or rng.random() < 0.3:
        return data_damage.broken_bytes(rng, content)
    changed = damaged_text(rng, body.decode())
    if rng.random() < 0.2:
        return header + b"\n" + changed
    own = hashlib.sha256(run).hexdigest()[:16]
    digest = hashlib.sha256(changed).hexdigest()
    return f"{checkpoint.FORMAT} {own} {digest}\n".encode() + changed
