"""Networks that no setting was chosen on: docs/held_back.md.

Takes a folder of float models as ``python -m benchmarks.zoo --zoo`` does, with a ``zoo.csv`` that
says how they are fed (see ``benchmarks.packages``; without the file pixels are 0..1), and measures
each as ``benchmarks.accuracy`` does the shared ones: on three draws of calibration photographs,
beside TensorFlow's own quantizer at the same ones. Nothing is labelled: the float model is the
truth. For reporting only; whoever chooses a setting by these figures has to look for other
networks. Needs the shared photographs: see tests/shared_data.py for where they are looked for.

    python -m benchmarks.held_back --models downloads/ --output results.json [--draws 1]
    python -m benchmarks.held_back --render results.json > docs/held_back.md

Results are added to the output file draw by draw; a run that is started again measures only what
is missing.
"""

from __future__ import annotations

import argparse
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import tflite_eq
from benchmarks import accuracy, held_back_page, results_file
from benchmarks.cases import SAMPLES
from benchmarks.command_line import add_choices, measure_or_render
from benchmarks.packages import Float, Photographs, draw, photographs
from benchmarks.paper import BITS, METHODS
from benchmarks.zoo.__main__ import entries
from tflite_eq.cli.models import load_float_model
from tflite_eq.errors import ConfigError
from tflite_eq.evaluation.comparison import compare_outputs
from tflite_eq.evaluation.task import NamedModel
from tflite_eq.graph.outputs import logits_view
from tflite_eq.presets import preset_config, preset_samples

MAIN = ("default", "int8", "int7")

# The paper's tables in kind, beside what is measured of the shared models.
VARIANTS: dict[str, dict[str, Any]] = {
    **accuracy.VARIANTS,
    **{f"{m} {b}": {"bits": b, **options} for m, options in METHODS.items() for b in BITS},
}


def quantized(model: bytes, pool: Float, variant: str, number: int) -> tuple[bytes, float]:
    """One model quantized one way, and the CPU seconds it took."""
    started = time.process_time()
    if variant == "default":
        from benchmarks.zoo import stock

        made = stock.quantized(model, [[x] for x in draw(pool, number, SAMPLES)])
    else:
        options = {"preset": "default", **VARIANTS[variant]}
        samples = draw(pool, number, preset_samples(options["preset"]))
        config = preset_config(seed=number, **options)
        made = tflite_eq.quantize(model, [[x] for x in samples], config).model
    return made, round(time.process_time() - started, 1)


def measure(
    entry: dict[str, str],
    model: bytes,
    data: tuple[Float, Float],
    number: int,
    wanted: Sequence[str],
) -> list[dict[str, Any]]:
    """One draw of one model, quantized in several ways and compared with the float one."""
    pool, judges = data
    made = [quantized(model, pool, variant, number) for variant in wanted]
    views = [NamedModel(v, logits_view(m)) for v, (m, _) in zip(wanted, made)]
    reference = NamedModel("float", logits_view(model))
    compared = compare_outputs(views, reference, Photographs(judges))
    rows = []
    for variant, (_, seconds), found in zip(wanted, made, compared.models):
        [output] = found.outputs
        figures = output.closeness.to_dict()
        kept = {key: figures[key] for key in ("n", "sqnr_db", "agreement")}
        print(f"{entry['model']} {variant} {number}: {seconds} CPU seconds", kept, flush=True)
        rows.append(
            {
                **{"model": entry["model"], "brings": entry["what it brings"]},
                **{"task": entry.get("task", "")},
                **{"variant": variant, "draw": number, "cpu_seconds": seconds},
                **{"runtime": compared.runtime, "quantized": kept},
                "lost": [int(n) for n in np.flatnonzero(~output.scores["agrees"])],
            }
        )
    return rows


def run(args: argparse.Namespace, folder: pathlib.Path) -> None:
    """Measure what the output file does not hold yet, all models in a draw before the next."""
    if args.models is None:
        raise ConfigError("--models FOLDER is required: the float models, with a zoo.csv")
    if not args.models.is_dir():
        raise ConfigError(f"{args.models}: no such folder; name one of float models with a zoo.csv")
    path = pathlib.Path(args.output)
    results = results_file.load(path)
    for number in range(args.draws):
        for entry in entries(args.models):
            done = {(r["model"], r["variant"], r["draw"]) for r in results}
            wanted = [
                variant
                for variant in args.variant or MAIN
                if (entry["model"], variant, number) not in done
            ]
            if not wanted or (args.model and entry["model"] not in args.model):
                continue
            model = load_float_model(str(args.models / entry["model"]))
            data = photographs(model, entry, folder)
            results += measure(entry, model, data, number, wanted)
            results_file.save(path, results)


def main() -> None:
    """Measure, or render what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=pathlib.Path, metavar="FOLDER", help="the float models")
    parser.add_argument("--model", action="append", help="only this file of the folder")
    add_choices(parser, VARIANTS)
    measure_or_render(parser, run, held_back_page.render)


if __name__ == "__main__":
    main()
