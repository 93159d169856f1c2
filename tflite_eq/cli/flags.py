"""Flags that several sub-commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Protocol

from tflite_eq.data.preprocessing import Preprocessing
from tflite_eq.delegate.library import MOST_THREADS, Option
from tflite_eq.errors import BackendError, ConfigError
from tflite_eq.runtimes import (
    Runtime,
    available_runtimes,
    check_runtime_name,
    runtime_named,
)

_POLICY_OPTIONS = ("leave", "claim", "min_saving")
_DELEGATE_OPTIONS = ("kernel", "isa", "num_threads", *_POLICY_OPTIONS)


def add_preprocessing_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--image_mean`` and ``--image_std``."""
    group = parser.add_argument_group(
        "preprocessing",
        "A model input is (pixel - mean) / std, with pixels from 0 to 255. Images are scaled so "
        "that the short side is 256/224 of the input size, and the middle is taken. Arrays of "
        "floats are used as they are.",
    )
    group.add_argument(
        "--image_mean",
        metavar="MEAN",
        default="0",
        help="one number, or three separated by commas for red, green and blue (0); write "
        "--image_mean=-1 for a negative one",
    )
    group.add_argument(
        "--image_std",
        metavar="STD",
        default="1",
        help="one number, or three separated by commas (1)",
    )


def preprocessing_from(args: argparse.Namespace) -> Preprocessing:
    """The preprocessing that the flags describe.

    Raises:
        ConfigError: A value is not one or three numbers, or not allowed.
    """
    return Preprocessing.parse(args.image_mean, args.image_std)


def add_delegate_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--kernel``, ``--isa`` and ``--num_threads``; the library checks their values."""
    group = parser.add_argument_group("delegate")
    group.add_argument(
        "--kernel",
        help="use this kernel for every layer it computes exactly, fast or not: winograd_f43, "
        "winograd_f23, winograd_1d, direct_int7, direct or reference (auto: by layer and CPU)",
    )
    group.add_argument(
        "--isa",
        help="use at most this instruction set: scalar, avx2, avx512_vnni, neon, neon_dotprod or "
        "neon_i8mm (auto: the best)",
    )
    group.add_argument("--num_threads", type=int, metavar="N", help="threads to compute with (1)")
    add_policy_flags(group)


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
