"""The tables of the EasyQuant paper in kind: docs/paper.md.

Classifiers (the paper's table 1) are measured on validation.csv with the evaluator of
``tflite-eq evaluate``, a face detector (table 2) and a network of face landmarks (table 3) against
their float versions, on photographs of the same list. All methods calibrate on the same images,
three times: on the first ones of the list, then on two random draws, whose number is the seed, too.
Needs the shared data and the zoo beside them: see tests/shared_data.py.

    python -m benchmarks.paper --output results.json [--model mobilenet_v1_0.25_224] [--bits 8]
    python -m benchmarks.paper --output results.json --models downloads/
    python -m benchmarks.paper --render results.json > docs/paper.md

With ``--models``, networks that packages ship, in a folder as ``benchmarks.packages`` describes
it, are measured instead: against their float versions as well, those with the task ``embedding`` on
the faces of table 3. Results are added to the output file draw by draw and model by model; a run
that is started again measures only what is missing.
"""

from __future__ import annotations

import argparse
import pathlib
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import tflite_eq
from benchmarks import face_boxes, paper_page, results_file
from benchmarks.cases import SAMPLES, open_case
from benchmarks.command_line import measure_or_render
from benchmarks.face_boxes import Boxes
from benchmarks.packages import Float, Photographs, draw, photographs
from benchmarks.zoo.__main__ import entries
from benchmarks.zoo.inputs import Pixel, make_inputs, photographs_of, pixel_values
from tests import shared_data
from tflite_eq import SearchSettings
from tflite_eq.cli.models import load_float_model
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation import intervals
from tflite_eq.evaluation.comparison import compare_outputs
from tflite_eq.evaluation.executable import Executable
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.model import Graph
from tflite_eq.graph.outputs import logits_view
from tflite_eq.runtimes import Kernels, preferred_runtime

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

# Faces that are calibrated on, of the 44 there are, so that draws differ.
_FACES = 30

# Photographs that the detector is measured on, and the margin of a face in shares of its size.
_PHOTOGRAPHS = 300
_MARGIN = 0.25

# Faces that the landmark network is shown are this certain.
_SURE = 0.9

# Outer corners of the eyes among the 468 landmarks.
_EYES = (33, 263)


# What is measured: a method, a number of bits and the number of a draw.
Wanted = Sequence[tuple[str, str, int]]


def quantized(
    model: bytes, samples: Iterable[Any], method: str, bits: str, number: int
) -> tuple[bytes, float]:
    """A model quantized one way, and the CPU seconds it took."""
    started = time.process_time()
    config = tflite_eq.Config(bits=bits, seed=number, **METHODS[method])
    made = tflite_eq.quantize(model, [[x] for x in samples], config).model
    return made, round(time.process_time() - started, 1)


def measure_classifier(name: str, folder: pathlib.Path, wanted: Wanted) -> list[dict[str, Any]]:
    """Top-1 and agreement with the float model."""
    case = open_case(name, folder)
    made = [quantized(case.model, case.draw(v[2], SAMPLES), *v) for v in wanted]
    named = [NamedModel(" ".join(map(str, v)), model) for v, (model, _) in zip(wanted, made)]
    compared = case.compare(named)
    return [
        {**_entry(name, variant, seconds), **figures}
        for variant, (_, seconds), figures in zip(wanted, made, compared)
    ]


def measure_detector(name: str, folder: pathlib.Path, wanted: Wanted) -> list[dict[str, Any]]:
    """Average precision against the boxes of the float model."""
    model = shared_data.zoo(name).read_bytes()
    pool = _squeezed(model, folder, "calibration", 300)
    images = _squeezed(model, folder, "validation", _PHOTOGRAPHS)
    truth = _boxes(model, images)
    faces = sum(int((boxes.scores >= face_boxes.TRUE_SCORE).sum()) for boxes in truth)
    found = []
    for variant in wanted:
        made, seconds = quantized(model, draw(pool, variant[2], SAMPLES), *variant)
        pairs = zip(truth, _boxes(made, images))
        precision = face_boxes.with_interval([face_boxes.matched(*pair) for pair in pairs])
        counts = {"images": len(images), "faces": faces}
        found.append({**_entry(name, variant, seconds), **counts, "ap": precision.to_dict()})
    return found


def measure_landmarks(name: str, folder: pathlib.Path, wanted: Wanted) -> list[dict[str, Any]]:
    """Mean distance from the landmarks of the float model, in shares of the eyes' distance."""
    model = shared_data.zoo(name).read_bytes()
    pool, faces = (_faces(folder, t, 192, 0.0, 255.0) for t in ("calibration", "validation"))
    exact = _landmarks(model, faces)
    eyes = np.linalg.norm(exact[:, _EYES[0], :2] - exact[:, _EYES[1], :2], axis=1)
    found = []
    for variant in wanted:
        made, seconds = quantized(model, draw(pool, variant[2], _FACES), *variant)
        distances = np.linalg.norm((_landmarks(made, faces) - exact)[..., :2], axis=2).mean(axis=1)
        error = intervals.mean(100 * distances / eyes)
        counts = {"calibrated": _FACES, "pool": len(pool), "images": len(faces)}
        found.append({**_entry(name, variant, seconds), **counts, "nme": error.to_dict()})
    return found


def measure_embedder(
    entry: dict[str, str], model: bytes, folder: pathlib.Path, wanted: Wanted
) -> list[dict[str, Any]]:
    """Angles between the embeddings of the float model and of quantized ones, and whose is next.

    Embeddings tell faces apart by their distances, so what counts of those without names is whether
    the nearest other face stays the same.
    """
    graph = Graph.from_bytes(model)
    size = graph.tensors[graph.inputs[0]].shape[1]
    scaling = [pixel_values(entry[key]) for key in ("mean", "std")]
    pool, faces = (_faces(folder, t, size, *scaling) for t in ("calibration", "validation"))
    exact = _embeddings(model, faces)
    found = []
    for variant in wanted:
        made, seconds = quantized(model, draw(pool, variant[2], _FACES), *variant)
        values = _embeddings(made, faces)
        lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(exact, axis=1)
        cosines = np.clip((values * exact).sum(axis=1) / lengths, -1, 1)
        angle = intervals.mean(np.degrees(np.arccos(cosines)))
        same = int((nearest(values) == nearest(exact)).sum())
        figures = {
            **{"calibrated": _FACES, "pool": len(pool), "images": len(faces)},
            **{"brings": entry["what it brings"], "angle": angle.to_dict()},
            "nearest": intervals.rate(same, len(faces)).to_dict(),
        }
        found.append({**_entry(entry["model"], variant, seconds), **figures})
    return found


def measure_package(
    entry: dict[str, str], model: bytes, folder: pathlib.Path, wanted: Wanted
) -> list[dict[str, Any]]:
    """SQNR of the values in front of a softmax, and agreement in the first class."""
    if entry.get("task") == "embedding":
        return measure_embedder(entry, model, folder, wanted)
    pool, judges = photographs(model, entry, folder)
    made = [quantized(model, draw(pool, variant[2], SAMPLES), *variant) for variant in wanted]
    views = [
        NamedModel(" ".join(map(str, variant)), logits_view(quantized_model))
        for variant, (quantized_model, _) in zip(wanted, made)
    ]
    reference = NamedModel("float", logits_view(model))
    compared = compare_outputs(views, reference, Photographs(judges))
    found = []
    for variant, (_, seconds), result in zip(wanted, made, compared.models):
        [output] = result.outputs
        figures = output.closeness.to_dict()
        kept = {key: figures[key] for key in ("n", "sqnr_db", "agreement")}
        row = {**_entry(entry["model"], variant, seconds), "brings": entry["what it brings"]}
        found.append({**row, "closeness": kept})
    return found


def _entry(model: str, variant: tuple[str, str, int], seconds: float) -> dict[str, Any]:
    method, bits, number = variant
    print(f"{model}: {method}, {bits} bits, draw {number}: {seconds} CPU seconds", flush=True)
    return {
        **{"model": model, "method": method, "bits": bits, "draw": number},
        **{"cpu_seconds": seconds, "runtime": preferred_runtime().description},
    }


def _squeezed(model: bytes, folder: pathlib.Path, table: str, count: int) -> Float:
    """Photographs squeezed to the input of the detector, [n, 1, H, W, 3]."""
    graph = Graph.from_bytes(model)
    paths = photographs_of(folder, table, count)
    [images] = make_inputs(graph, paths, 127.0, 128.0, seed=0).values()
    return images[:, np.newaxis]


def _runs(model: bytes, inputs: Iterable[Float]) -> Iterator[list[Float]]:
    """All outputs of a model for each input."""
    runner = Executable("model", model, preferred_runtime(), Kernels.DEFAULT)
    for values in inputs:
        yield [np.asarray(output, np.float32) for output in runner.run([values])]


def _boxes(model: bytes, images: Float) -> list[Boxes]:
    found = []
    for outputs in _runs(model, images):
        by_depth = {output.shape[-1]: output[0] for output in outputs}
        found.append(face_boxes.decoded(by_depth[2][:, 1], by_depth[4]))
    return found


def _landmarks(model: bytes, faces: Float) -> Float:
    """[n, 468, 3], in pixels of the network's input."""
    by_face = [max(outputs, key=lambda output: output.size) for outputs in _runs(model, faces)]
    return np.stack([landmarks.reshape(468, 3) for landmarks in by_face])


def _embeddings(model: bytes, faces: Float) -> Float:
    """What the network makes of each face, [n, values]."""
    return np.stack([output.ravel() for [output] in _runs(model, faces)])


def nearest(embeddings: Float) -> npt.NDArray[np.int64]:
    """Which other one lies nearest to each of n embeddings, [n]."""
    distances = np.square(embeddings[:, np.newaxis] - embeddings).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return distances.argmin(axis=1)


def _faces(folder: pathlib.Path, table: str, size: int, mean: Pixel, std: Pixel) -> Float:
    """Faces that the float detector is sure of, cut out of photographs, [n, 1, size, size, 3]."""
    detector = shared_data.zoo(DETECTOR).read_bytes()
    paths = photographs_of(folder, table, _PHOTOGRAPHS)
    squeezed = _squeezed(detector, folder, table, _PHOTOGRAPHS)
    found = []
    for path, boxes in zip(paths, _boxes(detector, squeezed)):
        with Image.open(path) as image:
            plain = image.convert("RGB")
        for box in boxes.corners[boxes.scores >= _SURE]:
            left, top, right, bottom = box * np.tile(plain.size, 2)
            side = (0.5 + _MARGIN) * max(right - left, bottom - top)
            x, y = (left + right) / 2, (top + bottom) / 2
            face = plain.crop((int(x - side), int(y - side), int(x + side), int(y + side)))
            pixels = np.asarray(face.resize((size, size)), np.float32)
            found.append(((pixels - mean) / std)[np.newaxis])
    return np.stack(found)


def run(args: argparse.Namespace, folder: pathlib.Path) -> None:
    """Measure what the output file does not hold yet, all models in a draw before the next."""
    path = pathlib.Path(args.output)
    results = results_file.load(path)
    done = {(r["model"], r["method"], r["bits"], r["draw"]) for r in results}
    packages = {entry["model"]: entry for entry in entries(args.models)} if args.models else {}
    for name in args.model or ():
        if name not in (packages or MODELS):
            raise ConfigError(f"--model {name}: none of {', '.join(packages or MODELS)}")
    measures = {DETECTOR: measure_detector, LANDMARKS: measure_landmarks}
    for number in range(args.draws):
        for name in args.model or packages or MODELS:
            widths = [*BITS, NARROWEST[name]] if name in NARROWEST else list(BITS)
            wanted = [
                (method, bits, number)
                for bits in widths
                if not args.bits or bits in args.bits
                for method in METHODS
                if (name, method, bits, number) not in done
            ]
            if not wanted:
                continue
            if name in packages:
                model = load_float_model(str(args.models / name))
                results += measure_package(packages[name], model, folder, wanted)
            else:
                results += measures.get(name, measure_classifier)(name, folder, wanted)
            results_file.save(path, results)


def main() -> None:
    """Measure, or render what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", help="only this model")
    parser.add_argument("--models", type=pathlib.Path, metavar="FOLDER", help="of packages")
    parser.add_argument("--bits", action="append", help="only this width")
    parser.add_argument("--draws", type=int, default=3, help="draws of calibration images (3)")
    measure_or_render(parser, run, paper_page.render)


if __name__ == "__main__":
    main()
