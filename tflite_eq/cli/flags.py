"""Flags that several sub-commands share."""

from __future__ import annotations

import argparse

from tflite_eq.data.preprocessing import Preprocessing


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
