"""Options and data sets as programs and command lines may give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.networks import Random
from tflite_eq import Config

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 7, 8, 10**30, 0.0, 0.5, -1.0, 1e300),
    *(float("nan"), float("inf"), "", "8", "7", "auto", "x", "(", "[", "CONV", "conv_2d_4", "\x00"),
    *([], {}, (), [1], b"x", object, "a" * 2000),
)


def _odd(rng: Random) -> Any:
    return _ODD[int(rng.integers(len(_ODD)))]


def some_options(rng: Random) -> tuple[Any, dict[str, Any]]:
    """A configuration as plain values, and further arguments of ``quantize``."""
    plain = Config().as_dict()
    plain["search"] = {"steps": 2, "coarse": 1, "rows": 8, "work": 1, "max_rounds": 1}
    for _ in range(int(rng.integers(1, 3))):
        node = (
            plain["search"] if rng.random() < 0.3 and isinstance(plain["search"], dict) else plain
        )
        key = str(rng.choice(sorted(node))) if rng.random() < 0.9 else "unknown"
        node[key] = _odd(rng)
    # Efforts that are allowed and take for ever are not what is tried here.
    search = plain.get("search")
    if isinstance(search, dict):
        for key, value in search.items():
            if isinstance(value, int) and value > 1000 and key in ("steps", "max_rounds"):
                search[key] = 100
    others: dict[str, Any] = {}
    if rng.random() < 0.3:
        name = str(rng.choice(["num_samples", "backend", "origin", "resume_dir", "report_dir"]))
        value = _odd(rng)
        if name not in ("resume_dir", "report_dir") or not isinstance(value, str):
            others[name] = value
    return plain, others


def some_flags(rng: Random, folder: Path) -> list[object]:
    """A command line of ``quantize`` with odd values."""
    flags: dict[str, object] = {
        "model": folder / "model.tflite",
        "calibration": folder / "data.npy",
        "output": folder / "out.tflite",
        "preset": "fast",
    }
    names = (
        *("bits", "target", "method", "objective", "activation_mode", "bias_correction"),
        *("reconstruction", "equalization", "io", "skip", "keep_int8", "max_drop", "num_samples"),
        *(
            "keep_int8_share",
            "seed",
            "image_mean",
            "image_std",
            "model",
            "calibration",
            "output",
            "validation",
        ),
        *("labels", "label_column", "load_calibration", "save_calibration", "preset", "backend"),
        *("image_resize", "image_order", "image_exif", "audio_rate", "split_channels"),
        *("split_channels_share",),
    )
    values = (
        "",
        "8",
        "7",
        "-1",
        "0",
        "1",
        "nan",
        "inf",
        "1e400",
        "x",
        "(",
        ".",
        "/",
        "1,2",
        "1,2,3",
    )
    more = (
        *("letterbox", "bgr", "ignore", "x=y", "=", "none", "int8", "uint8", "generic"),
        *("x86-vnni", "finetune", "a" * 300, str(folder)),
    )
    for _ in range(int(rng.integers(1, 3))):
        choices = (*values, *more)
        value = choices[int(rng.integers(len(choices)))]
        flags[str(rng.choice(names))] = value
    return ["quantize", *(f"--{name}={value}" for name, value in flags.items())]


def some_dataset(rng: Random, shape: tuple[int, ...]) -> Any:
    """Samples in one of the forms there are, or in none."""
    good = np.ones(shape, np.float32)
    elements: tuple[Any, ...] = (
        *(
            good,
            good[0],
            [good],
            (good,),
            {"image_0": good},
            ("serving_default", {"image_0": good}),
        ),
        *(
            ("x", {"image_0": good}),
            {"wrong": good},
            {},
            [],
            [good, good],
            None,
            3,
            "text",
            b"bytes",
        ),
        *(good.astype(np.float64), good.astype(np.int32), good.astype(object), good.tolist()),
        *(np.zeros((0, *shape[1:]), np.float32), np.zeros((2, *shape[1:]), np.float32)),
        *(np.full(shape, np.nan, np.float32), np.full(shape, 1e30, np.float32), np.float32(1)),
        *(
            np.full(shape, 3e38, np.float32),
            np.zeros(shape, np.float32),
            good[..., :1],
            [[1], [1, 2]],
        ),
        *(np.full(shape, 1e-40, np.float32), np.ma.masked_array(good), [[good]], {0: good}),
        *(good.astype("U3"), good.astype(np.complex64), {"image_0": None}, range(3), object()),
    )
    chosen = [elements[int(rng.integers(len(elements)))] for _ in range(int(rng.integers(0, 4)))]
    forms: tuple[Any, ...] = (
        chosen,
        tuple(chosen),
        iter(chosen),
        lambda: iter(chosen),
        lambda: chosen,
        lambda: None,
        {"a": chosen},
        chosen[0] if chosen else None,
        good,
        (x for x in chosen),
    )
    return forms[int(rng.integers(len(forms)))]
