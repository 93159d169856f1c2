"""Models from the wild, quantized with default options, beside TensorFlow's own quantizer.

    python -m benchmarks.zoo --output zoo.json [--model facemesh_f32.tflite]
    python -m benchmarks.zoo --render zoo.json > docs/zoo.md
    python -m benchmarks.zoo --zoo downloads/ --output downloads.json

Needs the zoo and the images beside the shared data: see tests/shared_data.py for where they are
looked for. Another folder of models may have a ``zoo.csv`` as well; without one, pixels are fed as
0..1. Results are added to the output file model by model; a run that is started again measures only
what is missing. Models whose entry in the zoo says so are to be refused.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import pathlib
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results_file
from benchmarks.zoo import inputs, measure, page
from tests import shared_data
from tflite_eq.cli.models import load_float_model
from tflite_eq.errors import ModelError, TfliteEqError
from tflite_eq.evaluation import intervals
from tflite_eq.graph.model import Graph
from tflite_eq.runtimes import available_runtimes, preferred_runtime

CALIBRATION = 32
# A few loud samples decide a sum of squares: with 32 samples two of them could turn a gain of 6 dB
# into a loss of one. Large inputs, whose every run takes seconds, are measured on fewer.
_MOST_SAMPLES, _FEWEST_SAMPLES, _MOST_VALUES = 128, 32, 2**25
_SEED = 0

_SUFFIXES = (".tflite", ".keras", ".h5")


def entries(zoo: Path) -> list[dict[str, str]]:
    """The rows of the zoo's table, or one for each model in a folder without a table."""
    table = zoo / "zoo.csv"
    if table.is_file():
        with table.open(newline="") as stream:
            return list(csv.DictReader(stream))
    plain = {"mean": "0", "std": "255", "what it brings": ""}
    found = sorted(path.name for path in zoo.iterdir() if path.suffix in _SUFFIXES)
    return [{"model": name, **plain} for name in found]


def measured(source: Path, entry: dict[str, str], folder: Path) -> dict[str, Any]:
    """Quantize one model both ways and measure its outputs.

    Args:
        source: The model.
        entry: Its row of the zoo's table.
        folder: An empty one for what is made on the way.
    """
    row: dict[str, Any] = {
        "model": entry["model"],
        "brings": entry["what it brings"].removesuffix(_REFUSED),
        "is_to_be_refused": entry["what it brings"].endswith(_REFUSED),
        "calibration": CALIBRATION,
        "evaluation": 0,
        "runtime": preferred_runtime().description,
        "runtimes": [runtime.description for runtime in available_runtimes()],
        "outputs": [],
        "refusal": "",
        "refused_in": None,
    }
    try:
        model = load_float_model(str(source))
        graph = Graph.from_bytes(model, source.name)
    except ModelError as error:
        return {**row, "refusal": str(error)}
    converted = folder / "float.tflite"
    converted.write_bytes(model)
    mean, std = (
        plain if entry[key] == "-" else inputs.pixel_values(entry[key])
        for key, plain in _PLAIN.items()
    )
    data = shared_data.path("calibration.csv").parent
    row["evaluation"] = _evaluation_samples(graph)
    counts = {"calibration": CALIBRATION, "validation": row["evaluation"]}
    for seed, (table, count) in enumerate(counts.items()):
        photographs = inputs.photographs_of(data, table, count)
        made = inputs.make_inputs(graph, photographs, mean, std, seed)
        np.savez(folder / f"{table}.npz", **made)
    ours, usage, summary = _ours(source, folder)
    if ours is None:
        return {**row, **usage}
    stock, stock_usage = _stock(converted, folder)
    samples = measure.samples_of(folder / "validation.npz", model)
    found, *other = measure.errors(model, [ours, *([stock] if stock else [])], samples)
    for number, loss in enumerate(found):
        row["outputs"].append(_output(loss, other[0][number] if other else None))
    row.update(
        usage=usage,
        in_float=summary["in_float"],
        runs_on=_compared_runs(measure.runs_on(model, samples), measure.runs_on(ours, samples)),
        stock_usage=stock_usage if stock else None,
        stock_refusal="" if stock else stock_usage["refusal"],
    )
    return row


# What the zoo says of models that are to be refused, behind what they bring.
_REFUSED = ": refused rightly"

_PLAIN = {"mean": 0.0, "std": 1.0}


def _evaluation_samples(graph: Graph) -> int:
    values = sum(abs(math.prod(graph.tensors[index].shape)) for index in graph.inputs)
    return max(_FEWEST_SAMPLES, min(_MOST_SAMPLES, _MOST_VALUES // values))


def _ours(source: Path, folder: Path) -> tuple[bytes | None, dict[str, Any], dict[str, Any]]:
    """Our model, what it took, and what the console said."""
    output = folder / "ours.tflite"
    command = [sys.executable, "-m", "tflite_eq", "quantize", "--model", str(source)]
    command += ["--calibration", str(folder / "calibration.npz"), "--output", str(output)]
    before = _seconds_of_children()
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        seconds = _seconds_of_children() - before
        refusal = found.stderr.strip().splitlines()[-1].removeprefix("error: ")
        return None, {"refusal": refusal, "refused_in": seconds}, {}
    usage = json.loads(found.stdout.splitlines()[-1].removeprefix("RESULT "))
    told = [line for line in found.stdout.splitlines() if line.startswith("In float: ")]
    kept = " ".join(told).removeprefix("In float: ").split(". Their price: ")[0]
    return output.read_bytes(), usage, {"in_float": kept}


def _seconds_of_children() -> float:
    """CPU seconds of all processes that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _stock(source: Path, folder: Path) -> tuple[bytes | None, dict[str, Any]]:
    """TensorFlow's model and what it took."""
    output = folder / "stock.tflite"
    command = [sys.executable, "-m", "benchmarks.zoo.stock"]
    command += [str(source), str(folder / "calibration.npz"), str(output)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        return None, {"refusal": found.stderr.strip().splitlines()[-1]}
    return output.read_bytes(), json.loads(found.stdout.splitlines()[-1].removeprefix("RESULT "))


def _output(ours: measure.OutputError, stock: measure.OutputError | None) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": ours.name.split(";")[0], "ours": ours.sqnr_db, "stock": None}
    if stock is not None:
        difference = intervals.mean(ours.by_sample - stock.by_sample)
        interval = [difference.low, difference.high]
        pooled = measure.pooled_difference(ours, stock)
        plain.update(stock=stock.sqnr_db, mean=difference.value, interval=interval)
        plain.update(pooled=[pooled.low, pooled.high])
    return plain


def _compared_runs(wanted: list[str], found: list[str]) -> str:
    """Whether a model runs wherever the float one does."""
    missing = [where for where in wanted if where not in found]
    if missing:
        return f"not on {', '.join(missing)}"
    if found == measure.everywhere():
        return "everywhere"
    return f"where the float one does: {', '.join(wanted)}"


def main() -> int:
    """Measure or render, as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=pathlib.Path, metavar="JSON")
    parser.add_argument("--zoo", type=pathlib.Path, metavar="FOLDER", help="other models")
    parser.add_argument("--model", action="append", help="only this file of the zoo")
    parser.add_argument("--render", type=pathlib.Path, metavar="JSON")
    arguments = parser.parse_args()
    try:
        if arguments.render:
            print(page.render(results_file.load(arguments.render, must_exist=True)), end="")
            return 0
        if arguments.output is None:
            parser.error("give --output or --render")
        results = results_file.load(arguments.output)
        zoo = arguments.zoo or shared_data.zoo("zoo.csv").parent
        order = [entry["model"] for entry in entries(zoo)]
        for entry in entries(zoo):
            name = entry["model"]
            is_asked = not arguments.model or name in arguments.model
            if not is_asked or any(r["model"] == name for r in results):
                continue
            with tempfile.TemporaryDirectory() as folder:
                row = measured(zoo / name, entry, Path(folder))
            results = sorted([*results, row], key=lambda row: order.index(row["model"]))
            results_file.save(arguments.output, results)
            told = [f"{o['name']} {o['ours']:.1f} / {o['stock']}" for o in row["outputs"]]
            print(f"{name}: {'; '.join(told) or row['refusal']}", flush=True)
    except TfliteEqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
