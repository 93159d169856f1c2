"""Flags that several sub-commands share."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tflite_eq import metadata
from tflite_eq.config import Config
from tflite_eq.data.preprocessing import (
    ChannelOrder,
    Exif,
    Preprocessing,
    Resize,
    parse_numbers,
)
from tflite_eq.delegate.library import MOST_THREADS, Option
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.graph.model import Graph
from tflite_eq.progress import note
from tflite_eq.runtimes import (
    Runtime,
    available_runtimes,
    check_runtime_name,
    runtime_named,
)

_POLICY_OPTIONS = ("leave", "claim", "min_saving")
_DELEGATE_OPTIONS = ("kernel", "isa", "num_threads", *_POLICY_OPTIONS)


def add_preprocessing_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--image_mean`` and all else that ``Preprocessing`` holds."""
    group = parser.add_argument_group(
        "preprocessing",
        "Of images a model gets (pixel - mean) / std, with pixels from 0 to 255; of recordings "
        "windows of its input's length, from -1 to 1. Arrays of uint8 are pixels of the right size "
        "and order already; arrays of floats are used as they are.",
    )
    group.add_argument(
        "--image_mean",
        metavar="MEAN",
        help="one number, or one per channel separated by commas, in the order that the model "
        "takes them (0); write --image_mean=-1 for a negative one",
    )
    group.add_argument(
        "--image_std",
        metavar="STD",
        help="one number, or one per channel separated by commas (1)",
    )
    group.add_argument(
        "--image_resize",
        choices=[resize.value for resize in Resize],
        help="crop: the short side is scaled to 256/224 of the input size and the middle taken, as "
        "classifiers want it; stretch: the whole image in the input's proportions; letterbox: the "
        "whole image in its own, between black bars (crop)",
    )
    group.add_argument(
        "--image_order",
        choices=[order.value for order in ChannelOrder],
        help="order of the colours that the model takes (rgb)",
    )
    group.add_argument(
        "--image_exif",
        choices=[exif.value for exif in Exif],
        help="apply: images are turned as the camera notes, which is how viewers show them; "
        "ignore: they are taken as they are stored (apply)",
    )
    group.add_argument(
        "--audio_rate",
        type=int,
        metavar="HZ",
        help="samples per second that the model takes; recordings with another rate are refused "
        "(the rate of the recordings, if all have the same)",
    )


def preprocessing_from(
    args: argparse.Namespace, recorded: Preprocessing | None = None
) -> Preprocessing:
    """The preprocessing that the flags describe.

    Args:
        args: The command line.
        recorded: What holds where no flag is given, and must not be contradicted: that of a loaded
            calibration record.

    Raises:
        ConfigError: A value is not allowed, or contradicts the record.
    """
    given = {
        name: read(value)
        for name, read in _PREPROCESSING.items()
        if (value := getattr(args, _flag(name))) is not None
    }
    if recorded is None:
        return Preprocessing(**given)
    wanted = dataclasses.replace(recorded, **given)
    differences = wanted.differences(recorded)
    if differences:
        raise ConfigError(
            f"{differences[0]}: the latter is what the loaded calibration record was made with; "
            "leave the option out, or calibrate again with it"
        )
    return recorded


def note_unused(args: argparse.Namespace, preprocessing: Preprocessing | None) -> None:
    """Say so if flags were given for samples that are taken as they are."""
    flags = [f"--{_flag(n)}" for n in _PREPROCESSING if getattr(args, _flag(n)) is not None]
    if flags and preprocessing is None:
        note(
            f"warning: {', '.join(flags)} {'has' if len(flags) == 1 else 'have'} no effect: the "
            "samples are taken as they are, only images, recordings and uint8 arrays are not"
        )


def warn_of_other_reading(name: str, model: bytes, used: Preprocessing | None) -> None:
    """Say so if samples for a model are read from files otherwise than those of its calibration.

    Args:
        name: The model's, for the message.
        model: The ``.tflite``, which may hold what it was calibrated with.
        used: What the samples' files go through; ``None`` if they are taken as they are.
    """
    record = metadata.read(Graph.from_bytes(model, name).model)
    if record is None or record.preprocessing is None or used is None:
        return
    differences = used.differences(record.preprocessing)
    if differences:
        flags = " ".join(record.preprocessing.flags()) or "the defaults"
        note(
            f"warning: {name} was calibrated on files that were read otherwise: here with "
            f"{', '.join(differences)}; for the same reading give {flags}"
        )


# How each field of ``Preprocessing`` is read from its flag.
_PREPROCESSING: dict[str, Callable[[Any], Any]] = {
    "mean": lambda text: parse_numbers("image_mean", text),
    "std": lambda text: parse_numbers("image_std", text),
    "resize": Resize,
    "order": ChannelOrder,
    "exif": Exif,
    "audio_rate": int,
}


def _flag(field: str) -> str:
    return field if field.startswith("audio_") else f"image_{field}"


def add_delegate_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--kernel``, ``--isa`` and ``--num_threads``; the library checks their values."""
    group = parser.add_argument_group("delegate")
    group.add_argument(
        "--kernel",
        help="use this kernel for every layer it computes exactly, fast or not: winograd_f43, "
        "winograd_f23, winograd_1d, direct_int7, direct, depthwise or reference "
        "(auto: by layer and CPU)",
    )
    group.add_argument(
        "--isa",
        help="use at most this instruction set: scalar, avx2, avx512_vnni, neon, neon_dotprod or "
        "neon_i8mm (auto: the best)",
    )
    group.add_argument("--num_threads", type=int, metavar="N", help="threads to compute with (1)")
    add_policy_flags(group)


def add_model_path(parser: argparse.ArgumentParser, kinds: str) -> None:
    """Add the model to look at: as it is, or behind ``--model`` as of commands that need it."""
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("path", metavar="MODEL", nargs="?", help=kinds)
    either.add_argument("--model", metavar="MODEL", help="the same, as of other commands")


def model_path_from(args: argparse.Namespace) -> str:
    """The path that ``add_model_path`` took."""
    return str(args.path or args.model)


def add_model_flags(group: TakesArguments) -> None:
    """Add ``--signature`` and ``--input_shape``: which network of a file it is about."""
    group.add_argument(
        "--signature", metavar="NAME", help="which signature, where the model has several"
    )
    group.add_argument(
        "--input_shape",
        action="append",
        metavar="[NAME:]SIZES",
        help="sizes of an input that leaves them open, such as 1,224,224,3; once for each input, "
        "by its name",
    )


def input_shapes_from(args: argparse.Namespace) -> list[Any] | None:
    """What ``--input_shape`` sets, as ``Config.as_dict`` has it; ``None`` without it.

    Raises:
        ConfigError: One is not a list of whole numbers above 0.
    """
    if args.input_shape is None:
        return None
    found = []
    for given in args.input_shape:
        name, _, sizes = given.rpartition(":")
        try:
            found.append((name, tuple(int(size) for size in sizes.split(","))))
        except ValueError:
            raise ConfigError(
                f"--input_shape {given}: expected sizes separated by commas, such as "
                "1,224,224,3 or image:1,224,224,3"
            ) from None
    shapes: list[Any] = Config(input_shape=found).as_dict()["input_shape"]
    return shapes


class TakesArguments(Protocol):
    """A parser, or a group of its options."""

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        """Add one option."""


def add_policy_flags(group: TakesArguments) -> None:
    """Add ``--leave``, ``--claim`` and ``--min_saving``; the library checks their values."""
    group.add_argument(
        "--leave",
        metavar="REGEX",
        help="never claim layers whose output tensor's name this matches; before --claim",
    )
    group.add_argument(
        "--claim",
        metavar="REGEX",
        help="claim layers whose output tensor's name this matches wherever a kernel is exact",
    )
    group.add_argument(
        "--min_saving",
        metavar="N",
        help="thousands of multiplications that layers between two switches of delegates must save "
        "(auto: what a switch costs on the CPU)",
    )


def policy_options_from(args: argparse.Namespace) -> dict[str, Option]:
    """The options of ``add_policy_flags`` that are set."""
    return _given(args, _POLICY_OPTIONS)


def delegate_options_from(args: argparse.Namespace) -> dict[str, Option]:
    """The delegate options that the flags set."""
    return _given(args, _DELEGATE_OPTIONS)


def _given(args: argparse.Namespace, names: Sequence[str]) -> dict[str, Option]:
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def check_threads(threads: int | None, least: int = 1) -> None:
    """Refuse a value of ``--num_threads``; ``None`` is none.

    Raises:
        ConfigError: It is out of range.
    """
    if threads is not None and not least <= threads <= MOST_THREADS:
        raise ConfigError(f"--num_threads {threads}: must be from {least} to {MOST_THREADS}")


def check_runtime_names(args: argparse.Namespace) -> None:
    """Refuse values of ``--runtime`` before any is imported.

    Raises:
        BackendError: One is not installed.
    """
    for name in args.runtime or ():
        check_runtime_name(name)


def add_runtime_flag(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add ``--runtime``, which may be repeated."""
    parser.add_argument(
        "--runtime",
        action="append",
        metavar="NAME",
        help=f"ai-edge-litert, tensorflow or tflite-runtime: {meaning}",
    )


def runtimes_from(args: argparse.Namespace) -> list[Runtime]:
    """The runtimes that ``--runtime`` names, all installed ones without it.

    Raises:
        BackendError: One is not installed, or none at all is.
    """
    if args.runtime:
        return [runtime_named(name) for name in dict.fromkeys(args.runtime)]
    installed = available_runtimes()
    if not installed:
        raise BackendError("no TFLite runtime is installed: pip install ai-edge-litert")
    return list(installed)
