"""The tables of the EasyQuant paper in kind: docs/paper.md.

Classifiers (the paper's table 1) are measured on validation.csv with the evaluator of
``tflite-eq evaluate``, a face detector (table 2) and a network of face landmarks (table 3) against
their float versions, on photographs of the same list. All methods calibrate on the same images.
Needs the shared data and the zoo beside them: see tests/shared_data.py.

    python -m benchmarks.paper --output results.json [--model mobilenet_v1_0.25_224] [--bits 8]
    python -m benchmarks.paper --render results.json > docs/paper.md

Results are added to the output file model by model; a run that is started again measures only what
is missing.
"""

from __future__ import annotations

import argparse
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import tflite_eq
from benchmarks import face_boxes, paper_page, results_file
from benchmarks.cases import SAMPLES, open_case
from benchmarks.command_line import measure_or_render
from benchmarks.face_boxes import Boxes
from benchmarks.zoo.inputs import make_inputs, photographs_of
from tests import shared_data
from tflite_eq import SearchSettings
from tflite_eq.evaluation import intervals
from tflite_eq.evaluation.executable import Executable
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import Kernels, preferred_runtime

Float = npt.NDArray[np.float32]

CLASSIFIERS = ("mobilenet_v1_0.25_224", "squeezenet1_1_gluon", "mobilenet_v1_0.75_224")
DETECTOR, LANDMARKS = "rfb320_face.tflite", "facemesh_f32.tflite"
MODELS = (*CLASSIFIERS, DETECTOR, LANDMARKS)

# Algorithm 1 tries every candidate on all rows; a quarter of the rows takes a quarter of the time.
EFFORT = SearchSettings(rows=1000, work=100_000_000, max_rounds=1)

METHODS: dict[str, dict[str, Any]] = {
    "trt": {"method": "trt"},
    "easyquant-paper": {"method": "easyquant-paper", "search": EFFORT},
    "ours": {},
}
BITS = ("8", "7", "6")

# The paper's figure 3 goes further.
NARROWEST = {"mobilenet_v1_0.25_224": "5"}

# Photographs that the detector is measured on, and the margin of a face in shares of its size.
_PHOTOGRAPHS = 300
_MARGIN = 0.25

# Faces that the landmark network is shown are this certain.
_SURE = 0.9

# Outer corners of the eyes among the 468 landmarks.
_EYES = (33, 263)


def quantized(model: bytes, samples: Sequence[Any], method: str, bits: str) -> tuple[bytes, float]:
    """A model quantized one way, and the CPU seconds it took."""
    started = time.process_time()
    config = tflite_eq.Config(bits=bits, **METHODS[method])
    made = tflite_eq.quantize(model, [[x] for x in samples], config).model
    return made, round(time.process_time() - started, 1)


def measure_classifier(
    name: str, folder: pathlib.Path, wanted: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Top-1 and agreement with the float model."""
    case = open_case(name, folder)
    made = [quantized(case.model, case.calibration[:SAMPLES], *variant) for variant in wanted]
    named = [NamedModel(" ".join(v), model) for v, (model, _) in zip(wanted, made)]
    compared = case.compare(named)
    return [
        {**_entry(name, variant, seconds), **figures}
        for variant, (_, seconds), figures in zip(wanted, made, compared)
    ]


def measure_detector(
    name: str, folder: pathlib.Path, wanted: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Average precision against the boxes of the float model."""
    model = shared_data.zoo(name).read_bytes()
    samples = _photographs(model, folder, "calibration", SAMPLES)
    images = _photographs(model, folder, "validation", _PHOTOGRAPHS)
    truth = _boxes(model, images)
    faces = sum(int((boxes.scores >= face_boxes.TRUE_SCORE).sum()) for boxes in truth)
    found = []
    for variant in wanted:
        made, seconds = quantized(model, samples, *variant)
        pairs = zip(truth, _boxes(made, images))
        precision = face_boxes.with_interval([face_boxes.matched(*pair) for pair in pairs])
        counts = {"images": len(images), "faces": faces}
        found.append({**_entry(name, variant, seconds), **counts, "ap": precision.to_dict()})
    return found


def measure_landmarks(
    name: str, folder: pathlib.Path, wanted: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Mean distance from the landmarks of the float model, in shares of the eyes' distance."""
    model = shared_data.zoo(name).read_bytes()
    samples = _faces(folder, "calibration", 300)[:SAMPLES]
    faces = _faces(folder, "validation", _PHOTOGRAPHS)
    exact = _landmarks(model, faces)
    eyes = np.linalg.norm(exact[:, _EYES[0], :2] - exact[:, _EYES[1], :2], axis=1)
    found = []
    for variant in wanted:
        made, seconds = quantized(model, samples, *variant)
        distances = np.linalg.norm((_landmarks(made, faces) - exact)[..., :2], axis=2).mean(axis=1)
        error = intervals.mean(100 * distances / eyes)
        counts = {"calibrated": len(samples), "images": len(faces)}
        found.append({**_entry(name, variant, seconds), **counts, "nme": error.to_dict()})
    return found


def _entry(model: str, variant: tuple[str, str], seconds: float) -> dict[str, Any]:
    method, bits = variant
    print(f"{model}: {method}, {bits} bits: {seconds} CPU seconds", flush=True)
    return {
        **{"model": model, "method": method, "bits": bits, "cpu_seconds": seconds},
        "runtime": preferred_runtime().description,
    }


def _photographs(model: bytes, folder: pathlib.Path, table: str, count: int) -> list[Float]:
    """Photographs squeezed to the input of the detector."""
    graph = Graph.from_bytes(model)
    paths = photographs_of(folder, table, count)
    [images] = make_inputs(graph, paths, 127.0, 128.0, seed=0).values()
    return list(images[:, np.newaxis])


def _runs(model: bytes, inputs: Sequence[Float]) -> Iterator[list[Float]]:
    """All outputs of a model for each input."""
    runner = Executable("model", model, preferred_runtime(), Kernels.DEFAULT)
    for values in inputs:
        yield [np.asarray(output, np.float32) for output in runner.run([values])]


def _boxes(model: bytes, images: Sequence[Float]) -> list[Boxes]:
    found = []
    for outputs in _runs(model, images):
        by_depth = {output.shape[-1]: output[0] for output in outputs}
        found.append(face_boxes.decoded(by_depth[2][:, 1], by_depth[4]))
    return found


def _landmarks(model: bytes, faces: Sequence[Float]) -> Float:
    """[n, 468, 3], in pixels of the network's input."""
    by_face = [max(outputs, key=lambda output: output.size) for outputs in _runs(model, faces)]
    return np.stack([landmarks.reshape(468, 3) for landmarks in by_face])


def _faces(folder: pathlib.Path, table: str, count: int) -> list[Float]:
    """Faces that the float detector is sure of, cut out of photographs, [1, 192, 192, 3] each."""
    detector = shared_data.zoo(DETECTOR).read_bytes()
    paths = photographs_of(folder, table, count)
    found = []
    for path, boxes in zip(paths, _boxes(detector, _photographs(detector, folder, table, count))):
        with Image.open(path) as image:
            plain = image.convert("RGB")
        for box in boxes.corners[boxes.scores >= _SURE]:
            left, top, right, bottom = box * np.tile(plain.size, 2)
            side = (0.5 + _MARGIN) * max(right - left, bottom - top)
            x, y = (left + right) / 2, (top + bottom) / 2
            face = plain.crop((int(x - side), int(y - side), int(x + side), int(y + side)))
            pixels = np.asarray(face.resize((192, 192)), np.float32) / 255
            found.append(pixels[np.newaxis])
    return found


def run(args: argparse.Namespace, folder: pathlib.Path) -> None:
    """Measure what the output file does not hold yet."""
    path = pathlib.Path(args.output)
    results = results_file.load(path)
    done = {(r["model"], r["method"], r["bits"]) for r in results}
    measures = {DETECTOR: measure_detector, LANDMARKS: measure_landmarks}
    for name in args.model or MODELS:
        widths = [*BITS, NARROWEST[name]] if name in NARROWEST else list(BITS)
        wanted = [
            (method, bits)
            for bits in widths
            if not args.bits or bits in args.bits
            for method in METHODS
            if (name, method, bits) not in done
        ]
        if wanted:
            results += measures.get(name, measure_classifier)(name, folder, wanted)
            results_file.save(path, results)


def main() -> None:
    """Measure, or render what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", choices=MODELS, help="only this model")
    parser.add_argument("--bits", action="append", help="only this width")
    measure_or_render(parser, run, paper_page.render)


if __name__ == "__main__":
    main()
