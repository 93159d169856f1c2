"""``tflite-eq quantize``: a float model in, an int8 ``.tflite`` out."""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections.abc import Iterator
from typing import Any

from tflite_eq.alternatives.judges import FEWEST_SAMPLES
from tflite_eq.cli import guard
from tflite_eq.cli.check import written_as_others
from tflite_eq.cli.early import check_before_loading
from tflite_eq.cli.flags import (
    add_model_flags,
    add_preprocessing_flags,
    input_shapes_from,
    note_unused,
    preprocessing_from,
)
from tflite_eq.cli.functions import FunctionData
from tflite_eq.cli.judging import add_judging_flags, judge_from
from tflite_eq.cli.models import load_float_model
from tflite_eq.cli.result import add_json_flag, json_alone, tell
from tflite_eq.config import (
    COMPARED_OPTIONS,
    BiasCorrection,
    Bits,
    Config,
    Equalization,
    Forms,
    Heads,
    IoType,
    Method,
    Objective,
    OutlierSamples,
    Reconstruction,
)
from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.data.sources import ModelSamples, left_over, open_data, subset
from tflite_eq.deprecated import BACKEND_NOTE, BACKENDS, PAPER_PRESET_NOTE
from tflite_eq.errors import ConfigError, DatasetError
from tflite_eq.evaluation.labels import DEFAULT_LABEL_COLUMN
from tflite_eq.evaluation.layerwise import ComparisonSet
from tflite_eq.files import check_writable, exists, write_all_atomically
from tflite_eq.graph.inputs import model_inputs
from tflite_eq.graph.model import Graph
from tflite_eq.guard.accuracy_guard import Guarded, quantize_guarded
from tflite_eq.guard.validation import Validation
from tflite_eq.numerics.windows import ActivationMode
from tflite_eq.preparation import as_fed
from tflite_eq.presets import Preset, preset_config, preset_samples
from tflite_eq.progress import note, peak_memory_mib, track, without_notes_of_result
from tflite_eq.quantizer import (
    COMPARED_SAMPLES,
    QuantizationResult,
    check_can_quantize,
    quantize,
)
from tflite_eq.record.calibration import Calibration
from tflite_eq.report.build import fine_tuning_text
from tflite_eq.report.table import layer_table
from tflite_eq.report.write import check_directory
from tflite_eq.targets import Target
from tflite_eq.user_functions import names_function

# Options of ``Config`` that have a flag of the same name.
_OPTIONS = (
    *("bits", "target", "method", "objective", "activation_mode", "bias_correction"),
    *("reconstruction", "equalization", "per_tensor", "skip", "strict", "keep_int8", "seed"),
    *("keep_int8_share", "split_channels", "split_channels_share", "outlier_samples", "heads"),
    *("forms", "signature", "input_shape", "fix_input_shape"),
)
_SHARES = ("keep_int8_share", "split_channels_share")


def register(subparsers: Any, summary: str) -> None:
    """Add the sub-command to the parser, with the line that its list of commands has for it."""
    parser = subparsers.add_parser(
        "quantize",
        help=summary,
        description="Quantize a float model to an int8 .tflite with EasyQuant scales.",
    )
    _add_files(parser.add_argument_group("files"))
    add_judging_flags(parser, "each sample of --validation", is_bound=True)
    add_preprocessing_flags(parser)
    _add_options(parser.add_argument_group("quantization"))
    add_json_flag(parser)
    parser.set_defaults(run=run)


def _add_files(files: Any) -> None:
    """What is read and written."""
    files.add_argument(
        "--model", required=True, help="float .tflite, .keras or .h5 file, or SavedModel directory"
    )
    files.add_argument("--output", required=True, help="where the quantized .tflite goes")
    files.add_argument(
        "--calibration",
        action="append",
        metavar="[NAME=]PATH",
        help="folder of images, recordings or .npy files (searched recursively), .npy or .npz "
        "file, recording, or text list of files. For a model with several inputs: repeat the flag "
        "with the NAME of each, or name one .npz file with arrays called like the inputs, or one "
        "folder with a folder or file called like each. package.module:function names what yields "
        "samples in any form that TFLite takes",
    )
    files.add_argument(
        "--num_samples", type=int, help="calibration samples (those of the preset: 20, 50 or 200)"
    )
    files.add_argument("--save_calibration", metavar="FILE", help="also write the record as text")
    files.add_argument(
        "--load_calibration",
        metavar="FILE",
        help="apply a record written before instead of calibrating; its options hold",
    )
    files.add_argument(
        "--resume_dir",
        metavar="DIR",
        help="keep the state after every finished layer there; the same command with the same "
        "folder goes on where an interrupted run was",
    )
    files.add_argument(
        "--report_dir", help="folder for the report (HTML, CSV, JSON, Model Explorer node data)"
    )
    files.add_argument(
        "--validation",
        action="append",
        metavar="[NAME=]PATH",
        help="samples, as for --calibration, on which --max_drop holds and the report compares "
        f"the models; without it the report takes up to {COMPARED_SAMPLES} of --calibration that "
        "are left over, else some of those used",
    )
    files.add_argument(
        "--labels",
        metavar="CSV",
        help="classes of the images in --validation, as for evaluate: --max_drop is about top-1 "
        "then, and the report shows it; an .npz file may hold them itself",
    )
    files.add_argument(
        "--label_column",
        metavar="NAME",
        help="column of the CSV file, or array of the .npz file, with the classes "
        f"({DEFAULT_LABEL_COLUMN})",
    )


def _add_options(options: Any) -> None:
    """What is done."""
    options.add_argument(
        "--preset",
        choices=[p.value for p in Preset],
        help="how much time to spend: sets --reconstruction, --num_samples and the effort of the "
        "search, where they are not given; paper: deprecated, see --method easyquant-paper "
        "(default)",
    )
    _choice(
        options,
        "bits",
        Bits,
        "width of the codes that feed convolutions; 6 and 5 are for comparison with others, the "
        "file ends their codes with operators of its own",
    )
    _choice(options, "target", Target, "CPU the model is meant for")
    _choice(
        options,
        "method",
        Method,
        "how activation scales are found; easyquant-paper and trt are settings as published, with "
        "symmetric codes and without equalization and corrections (docs/paper.md)",
    )
    _choice(options, "objective", Objective, "what the EasyQuant search compares by")
    _choice(options, "activation_mode", ActivationMode, "where zero lies in the code range")
    _choice(options, "bias_correction", BiasCorrection, "correction of mean shifts")
    _choice(options, "reconstruction", Reconstruction, "how integer weights are found")
    _choice(
        options,
        "equalization",
        Equalization,
        "scaling of channels between layers first: for the weights (auto with --per_tensor) or for "
        "the activations (auto otherwise, with --method easyquant)",
    )
    _choice(
        options,
        "outlier_samples",
        OutlierSamples,
        "calibration samples whose activations reach several times as far as those of all others, "
        "one in ten at most: count them like the others, less, or not at all",
    )
    _choice(
        options,
        "heads",
        Heads,
        "tensors that join parts of different range in front of an output, such as boxes and "
        "scores: joined as codes (joint), in float with a scale for each part (float), not at all, "
        "so that every part is an output (split), or in float where a part would be left few codes "
        "and outputs are float32 (auto)",
    )
    options.add_argument(
        "--backend",
        choices=BACKENDS,
        help="deprecated and ignored",
    )
    options.add_argument(
        "--per_tensor",
        action="store_true",
        default=None,
        help="one weight scale per tensor, not per channel",
    )
    options.add_argument(
        "--io",
        choices=[t.value for t in IoType],
        help="element type of inputs and outputs (float32)",
    )
    options.add_argument(
        "--forms",
        choices=[form.value for form in Forms],
        help="what to write for operators that stock runtimes are slow at in int8, such as PRELU "
        "and RELU by themselves: others that they run fast and that give the same codes (fast), "
        "or the operators themselves, for delegates and NPUs that know them (plain)",
    )
    options.add_argument(
        "--skip", metavar="REGEX", help="keep operators with a matching output name in float"
    )
    options.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="refuse networks with operators that have no int8 form, instead of keeping these in "
        "float",
    )
    options.add_argument(
        "--keep_int8",
        metavar="REGEX",
        help="with --bits 7 or auto: layers with a matching output name keep 8-bit inputs",
    )
    options.add_argument(
        "--keep_int8_share",
        type=float,
        metavar="SHARE",
        help="with --bits 7 or auto: layers with up to this share of the multiplications (0 to 1) "
        "keep 8-bit inputs, those that lose most by 7, if that gains beyond chance",
    )
    options.add_argument(
        "--split_channels",
        metavar="REGEX",
        help="convolutions and dense layers with a matching output name write every channel twice, "
        "half a step apart, which halves the step for those that read them",
    )
    options.add_argument(
        "--split_channels_share",
        type=float,
        metavar="SHARE",
        help="write further channels several times, fractions of a step apart: those whose "
        "rounding adds most noise, for up to this share of the multiplications (0 to 1) more, if "
        "that gains beyond chance",
    )
    options.add_argument(
        "--max_drop",
        type=float,
        metavar="POINTS",
        help="keep as few layers as needed in INT8, then in float, to lose at most so much against "
        "the float model on --validation: percentage points of top-1, or of agreement where there "
        "are no labels; with --task or --metric in the unit of its figure; exit code 3 if that is "
        "not possible",
    )
    add_model_flags(options)
    options.add_argument(
        "--fix_input_shape",
        action="store_true",
        default=None,
        help="write a model for these sizes only, and a batch of 1; otherwise what the float model "
        "leaves open stays open",
    )
    options.add_argument("--seed", type=int, help="seed of all random choices (0)")


@json_alone
@without_notes_of_result()
def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        TfliteEqError: Anything the user can mend; nothing has been written then.
    """
    started = time.monotonic(), time.process_time()
    if args.backend:
        note(f"--{BACKEND_NOTE}")
    if args.preset == Preset.PAPER.value:
        note(f"--{PAPER_PRESET_NOTE}")
    config = config_from(args)
    _check_calibration_flags(args)
    for path in (args.output, args.save_calibration):
        if path:
            check_writable(path)
    if args.report_dir:
        check_directory(args.report_dir)
    check_before_loading(args)
    model = load_float_model(args.model)
    origin = os.path.basename(os.path.normpath(args.model))
    if not args.load_calibration:
        check_can_quantize(model, origin, config)
    data: Any = None
    judging: ModelSamples | None = None
    unseen: ModelSamples | None = None
    if args.load_calibration:
        data = Calibration.load(args.load_calibration)
        _check_options(_given_options(args), data)
        config = config if args.io else data.config
        preprocessing = preprocessing_from(args, data.preprocessing)
    else:
        preprocessing = preprocessing_from(args)
    fed = as_fed(model, origin, config if data is None else data.config)
    graph = Graph.from_bytes(fed, args.model)
    if data is None:
        data, judging, unseen = _samples(args, graph, preprocessing)
    validation = _validation(args, graph, preprocessing) if args.validation else None
    common = {
        "num_samples": _num_samples(args),
        "origin": origin,
        "held_back": None if judging is None else functools.partial(_readable, judging),
        "resume_dir": args.resume_dir,
        "report_dir": args.report_dir,
    }
    guarded = None
    if args.max_drop is not None:
        assert isinstance(validation, Validation)  # or the flags would have been refused
        bound = guard.guard_from(args, validation)
        guard.warn_of_seen_data(args, model_inputs(graph))
        guarded = quantize_guarded(model, data, bound, config, num_workers=None, **common)
        result = guarded.result
    else:
        comparison = None
        if args.report_dir:
            comparison = _comparison(validation, unseen, judging is not None, fed)
        result = quantize(model, data, config, comparison=comparison, **common)
    files = {args.output: result.model}
    if args.save_calibration:
        files[args.save_calibration] = result.calibration.to_text().encode()
    write_all_atomically(files)
    _print(result, args, started, guarded)
    return 0 if guarded is None or guarded.holds else guard.NOT_MET


def config_from(args: argparse.Namespace) -> Config:
    """The quantizer's options: those of the preset, unless a flag says otherwise."""
    preset, given = args.preset or Preset.DEFAULT, _given_flags(args)
    insisted = {name for name in COMPARED_OPTIONS if given.get(name, "auto") != "auto"}
    fixed = insisted.union(preset_config(preset).fixed)
    return preset_config(preset, **{**given, "fixed": tuple(fixed)})


def _given_flags(args: argparse.Namespace) -> dict[str, Any]:
    """The options that flags set, by the names ``Config`` has for them.

    A flag without a default is ``None`` unless it is given, be it with the default's value.
    """
    ends = {"input_type": args.io, "output_type": args.io}
    options = {**{name: getattr(args, name) for name in _OPTIONS}, **ends}
    options["input_shape"] = input_shapes_from(args)
    return {name: value for name, value in options.items() if value is not None}


def _given_options(args: argparse.Namespace) -> dict[str, Any]:
    """The same with what a preset that is given sets, but for shares: a record names layers."""
    if args.preset is None:
        return _given_flags(args)
    preset, default = preset_config(args.preset).as_dict(), Config().as_dict()
    names = set(_OPTIONS) - set(_SHARES)
    chosen = {name: preset[name] for name in names if preset[name] != default[name]}
    return {**chosen, **_given_flags(args)}


def _choice(group: Any, name: str, kind: type[Any], text: str) -> None:
    default = getattr(Config(), name).value
    group.add_argument(f"--{name}", choices=[m.value for m in kind], help=f"{text} ({default})")


def _check_calibration_flags(args: argparse.Namespace) -> None:
    if args.calibration and args.load_calibration:
        raise ConfigError(
            "--calibration and --load_calibration exclude each other: a loaded record needs no data"
        )
    if not args.calibration and not args.load_calibration:
        raise ConfigError(
            "no calibration data: give --calibration a folder of images or recordings, a "
            ".npy/.npz file or a text list of images (or --load_calibration a record)"
        )
    if args.resume_dir and args.load_calibration:
        raise ConfigError(
            "--resume_dir and --load_calibration exclude each other: a loaded record leaves "
            "nothing to interrupt"
        )
    if args.num_samples is not None and args.load_calibration:
        raise ConfigError(
            "--num_samples and --load_calibration exclude each other: a loaded record needs no data"
        )
    if args.max_drop is not None:
        guard.check_flags(args)
    else:
        guard.check_unguarded_flags(args)
    if args.validation and not args.report_dir and args.max_drop is None:
        raise ConfigError(
            "--validation is for the report and the guard: name the report's folder with "
            "--report_dir, or a bound with --max_drop"
        )
    if (args.labels or args.label_column) and not args.validation:
        raise ConfigError("--labels are those of --validation: name its folder")
    if args.save_calibration and _same_path(args.save_calibration, args.output):
        raise ConfigError("--output and --save_calibration name the same file; choose another one")
    both_exist = exists(args.model) and exists(args.output)
    if both_exist and os.path.samefile(args.model, args.output):
        raise ConfigError("--output names the model itself; choose another file")


def _same_path(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _check_options(given: dict[str, Any], calibration: Calibration) -> None:
    """Refuse options that a loaded record contradicts: they would have no effect."""
    recorded = calibration.config.as_dict()
    for name in _SHARES:
        if given.get(name):
            raise ConfigError(
                f"--{name} {given[name]}: what a share is spent on is found when calibrating, and "
                "the loaded calibration record names it; leave the option out, or calibrate again "
                "with it"
            )
    for name in _OPTIONS:
        if given.get(name, recorded[name]) != recorded[name]:
            raise ConfigError(
                f"--{name} {given[name]}: the loaded calibration record was made with "
                f"{recorded[name]}, which decides; leave the option out, or calibrate again with it"
            )


def _samples(
    args: argparse.Namespace, graph: Graph, preprocessing: Preprocessing
) -> tuple[Any, ModelSamples | None, ModelSamples | None]:
    """What to calibrate on, and of what is left over, what to compare on and what to report on.

    Figures on samples that something was chosen by would flatter it. Where there are too few for
    both, the report has them.
    """
    functions = [value for value in args.calibration if names_function(value)]
    if functions:
        if len(args.calibration) > 1:
            raise ConfigError(
                f"--calibration {functions[0]}: a function gives samples for all inputs; leave the "
                "other --calibration out"
            )
        note_unused(args, None)
        return FunctionData(functions[0]), None, None
    opened = open_data(args.calibration, model_inputs(graph), preprocessing)
    note_unused(args, opened.preprocessing)
    count, seed = _num_samples(args), config_from(args).seed
    data, left = subset(opened, count, seed), left_over(opened, count, seed, 2 * COMPARED_SAMPLES)
    if left is None or len(left) < 2 * FEWEST_SAMPLES:
        return data, None, left
    return data, left.select(range(1, len(left), 2)), left.select(range(0, len(left), 2))


def _readable(samples: ModelSamples) -> Iterator[Any]:
    """Samples but for those that cannot be read: calibration does without these."""
    for index in range(len(samples)):
        try:
            yield samples[index]
        except DatasetError as error:
            note(f"Left out of the comparison: {error}")


def _num_samples(args: argparse.Namespace) -> int:
    """Calibration samples: the preset's, unless the flag says otherwise."""
    if args.num_samples is not None:
        return int(args.num_samples)
    return preset_samples(args.preset or Preset.DEFAULT)


def _validation(
    args: argparse.Namespace, graph: Graph, preprocessing: Preprocessing
) -> Validation | ComparisonSet:
    """What ``--validation`` and ``--labels`` name; several inputs are for the report alone."""
    inputs = model_inputs(graph)
    if len(inputs) == 1 or args.max_drop is not None or args.labels or args.label_column:
        if len(inputs) > 1 and judge_from(args) is None:
            raise ConfigError(
                f"--max_drop and --labels are for models with one input, {args.model} has "
                f"{len(inputs)}; say what it is for with --task, or leave them out to have the "
                "report compare on --validation"
            )
        return guard.validation_from(args, graph, preprocessing)
    samples = open_data(args.validation, inputs, preprocessing, "--validation")
    return ComparisonSet(samples, f"{len(samples)} samples of {', '.join(args.validation)}")


def _comparison(
    validation: Validation | ComparisonSet | None,
    left: ModelSamples | None,
    has_judging: bool,
    model: bytes,
) -> ComparisonSet | None:
    """What the report runs the models on; ``None`` leaves that to the quantizer."""
    if validation is None:
        if left is None:
            return None
        # Those held back say what is kept, and so do better by what is.
        others = ", others than those held back" if has_judging else ""
        return ComparisonSet(left, f"{len(left)} samples that calibration did not use{others}")
    if isinstance(validation, ComparisonSet):
        comparison = validation
    else:
        comparison = validation.comparison(model)
    for _ in track(comparison.samples, "Reading the validation data"):
        pass  # a broken image is an error now, not when all else is done
    return comparison


def _print(
    result: QuantizationResult,
    args: argparse.Namespace,
    started: tuple[float, float],
    guarded: Guarded | None,
) -> None:
    print(layer_table(result.report))
    if guarded is not None:
        print(guard.text(guarded.record, guarded.config.target))
    for warning in result.report.warnings:
        print(f"warning: {warning}")
    summary = result.report.summary
    if summary["normalized"]:
        print(f"Normalised first: {'; '.join(summary['normalized'])}.")
    if summary["forms"]:
        print(written_as_others(summary["forms"]))
    for sentence in summary.get("allocations", ()):
        print(f"Precision: {sentence}.")
    if summary.get("comparison"):
        print(summary["comparison"]["text"])
    if summary.get("fine_tuning"):
        print(f"Fine-tuned biases: {fine_tuning_text(summary)}.")
    for sentence in summary["in_float"]:
        print(f"In float: {sentence}.")
    print(
        f"Runs on {', '.join(summary['runtimes'])}. {summary['float_bytes']:,} bytes in, "
        f"{summary['quantized_bytes']:,} bytes out: {args.output}"
    )
    line: dict[str, Any] = {
        "output": args.output,
        "bytes": summary["quantized_bytes"],
        "samples": summary["samples"],
        "layers": len(result.report.layers),
        "warnings": len(result.report.warnings),
        "seconds": round(time.monotonic() - started[0], 1),
        "cpu_seconds": round(time.process_time() - started[1], 1),
        "peak_memory_mib": peak_memory_mib(),
    }
    if guarded is not None:
        line["guard"] = guard.summary(guarded.record)
    tell(args, line)
