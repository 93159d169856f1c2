"""Makes ``operators.txt``: seeded cases, and what the reference kernels of every installed TFLite
runtime agree on.

python -m tests.golden.make_operator_vectors
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.golden.operators import (
    ALL_CODES,
    PATH,
    Case,
    Codes,
    Operand,
    is_too_old,
    outputs_of,
    write,
)
from tflite_eq.delegate.process import call_apart
from tflite_eq.runtimes import available_runtimes

_ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def main() -> None:
    """Write the file."""
    cases = [*_unary(), *_pairs(), *_prelu(), *_pools(), *_means(), *_resizes(), *_precisions()]
    cases += [*_flat_means(), *_sigmoids(), *_extrema(), *_movements()]
    cases += [*_transposed(), *_reductions(), *_more_unary(), *_valued_pads()]
    runtimes = available_runtimes()
    if len(runtimes) < 2:
        raise SystemExit("one runtime agrees with itself: install requirements/development.txt")
    answers = [call_apart(r.name, outputs_of, r, cases) for r in runtimes]
    agreed, wrong = [], []
    for case, outputs in zip(cases, zip(*answers)):
        known = [(r, o) for r, o in zip(runtimes, outputs) if not is_too_old(o)]
        refusals = [o for _, o in known if isinstance(o, str)]
        if refusals or len(known) < 2:
            wrong.append(f"{case.name}: {refusals[0] if refusals else 'known to too few runtimes'}")
            continue
        codes: list[Codes] = [o for _, o in known if not isinstance(o, str)]
        for (runtime, _), other in zip(known[1:], codes[1:]):
            if not np.array_equal(codes[0], other):
                wrong.append(
                    f"{case.name}: {known[0][0].description} and {runtime.description} differ"
                    f" in {np.mean(codes[0] != other):.2%} of codes"
                )
        agreed.append(dataclasses.replace(case, output=_with(case.output, codes[0])))
    if wrong:
        raise SystemExit("\n".join(wrong))
    write(agreed)
    names = ", ".join(runtime.description for runtime in runtimes)
    print(f"{PATH.name}: {len(agreed)} cases on which {names} agree")


def _with(operand: Operand, codes: Codes) -> Operand:
    return dataclasses.replace(operand, codes=codes)


def _unary() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 1])
    shape = (1, 1, 1, 256)
    kinds = {"RELU": 9, "RELU6": 8, "RELU_N1_TO_1": 6, "LEAKY_RELU": 14, "HARD_SWISH": 16}
    kinds["QUANTIZE"] = 12
    for operator, count in kinds.items():
        for number in range(count):
            scale = _scale(rng, -7, -2)
            factor = [1.0, 1.0, 0.5, 2.0**-14, 2.0**12][number] if number < 5 else 0.0
            factor = factor or 2.0 ** rng.uniform(-2, 2)
            if operator == "HARD_SWISH":
                # Gates from a shift to the right to one far to the left.
                scale = _scale(rng, -18, 3) if number % 2 else _scale(rng, -6, -3)
                factor = 2.0 ** rng.uniform(-4, 1.5)
            yield Case(
                f"{operator.lower()}_{number}",
                operator,
                [Operand(ALL_CODES.reshape(shape), scale, _zero_point(rng))],
                Operand(
                    np.zeros(shape, np.int8),
                    float(np.float32(scale * factor)),
                    _zero_point(rng, 20),
                ),
                alpha=_alpha(rng, number) if operator == "LEAKY_RELU" else 0.0,
            )


def _alpha(rng: np.random.Generator, number: int) -> float:
    usual = [0.1, 0.01, 0.2, 0.3, -0.25, 1.0, 0.0, 1.5]
    return float(np.float32(usual[number] if number < len(usual) else rng.uniform(-1, 1)))


def _pairs() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 2])
    # The second input's scale and the output's, both relative to the first's.
    scales: list[tuple[float, float]] = [
        (1.0, 1.0),
        (1.0, 2.0),
        (0.5, 1.0),
        (2.56, 3.0),
        (0.39, 0.8),
        (7.7, 9.0),
        (1e-3, 1.1),
        (2.0**25, 2.0**25),
        (1.3, 2.0**-14),
        (0.8, 2.0**11),
    ]
    for operator, count in {"ADD": 10, "SUB": 10, "MUL": 9}.items():
        for number in range(count):
            first = _scale(rng, -6, -2)
            second = float(np.float32(first * scales[number][0]))
            output = first * scales[number][1]
            if operator == "MUL":
                output = (
                    first * second * [100.0, 128.0, 64.0, 37.7, 16.1, 1.0, 0.3, 4e4, 1e9][number]
                )
            shape = (1, 4, 8, 6)
            yield Case(
                f"{operator.lower()}_{number}",
                operator,
                [
                    Operand(_codes(rng, shape), first, _zero_point(rng)),
                    Operand(_codes(rng, shape), second, _zero_point(rng)),
                ],
                Operand(np.zeros(shape, np.int8), float(np.float32(output)), _zero_point(rng)),
                activation=_ACTIVATIONS[max(0, number % 7 - 3)],
            )


def _prelu() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 3])
    for number, factor in enumerate([1.0, 1.0, 0.93, 0.5, 0.31, 1.7, 2.0**-4.5, 300.0]):
        scale = _scale(rng, -6, -2)
        shape = (1, 5, 5, 11)
        slope_scale = _scale(rng, -11, -6)
        yield Case(
            f"prelu_{number}",
            "PRELU",
            [
                Operand(_codes(rng, shape), scale, _zero_point(rng)),
                Operand(
                    _codes(rng, (1, 1, 11)), slope_scale, 0 if number % 2 else _zero_point(rng)
                ),
            ],
            Operand(np.zeros(shape, np.int8), float(np.float32(scale * factor)), _zero_point(rng)),
        )


def _pools() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 4])
    shapes: list[tuple[tuple[int, ...], dict[str, Any]]] = [
        ((1, 6, 8, 3), {"filter": (2, 2), "stride": (2, 2), "padding": "valid"}),
        ((2, 7, 7, 5), {"filter": (3, 3), "stride": (2, 2)}),
        ((1, 7, 6, 4), {"filter": (3, 3)}),
        ((1, 9, 5, 4), {"filter": (3, 2), "stride": (1, 3), "padding": "valid"}),
        ((1, 7, 7, 6), {"filter": (7, 7), "padding": "valid"}),
        ((1, 6, 7, 3), {"filter": (5, 5), "activation": "RELU"}),
        ((1, 6, 8, 3), {"filter": (2, 2), "stride": (2, 2), "activation": "RELU6"}),
        ((1, 1, 9, 2), {"filter": (1, 4), "stride": (1, 2), "activation": "RELU_N1_TO_1"}),
    ]
    for operator in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        for number, (shape, options) in enumerate(shapes):
            size = [
                -(-n // s) if options.get("padding") != "valid" else (n - f) // s + 1
                for n, f, s in zip(shape[1:3], options["filter"], options.get("stride", (1, 1)))
            ]
            scale, zero_point = _scale(rng, -6, -4), _zero_point(rng)
            yield Case(
                f"{operator.lower()}_{number}",
                operator,
                [Operand(_codes(rng, shape), scale, zero_point)],
                Operand(np.zeros((shape[0], *size, shape[3]), np.int8), scale, zero_point),
                **options,
            )


def _slices(
    begins: tuple[int, ...],
    ends: tuple[int, ...],
    strides: tuple[int, ...],
    *masks: int,
) -> dict[str, Any]:
    return {"arguments": (begins, ends, strides), "masks": (*masks, 0, 0, 0)[:3]}


def _sizes(sizes: tuple[int, ...], piece: int, axis: int) -> dict[str, Any]:
    return {"arguments": (sizes, (axis,)), "pieces": len(sizes), "piece": piece}


# Height, width, and the output's scale relative to the input's.
_MEANS = [
    (7, 7, 1.0),
    (7, 7, 1.31),
    (1, 1, 1.3),
    (4, 4, 0.7),
    (5, 3, 1.1),
    (1, 6, 3.0),
    (8, 8, 1e-6),
]


def _means() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 5])
    for number, (height, width, factor) in enumerate(_MEANS):
        shape = (1, height, width, 9)
        scale, zero_point = _scale(rng, -6, -4), _zero_point(rng)
        same = factor == 1.0
        # Means that are spread over all codes.
        centre = rng.integers(-128, 128, (1, 1, 1, 9))
        codes = np.clip(centre + rng.integers(-60, 60, shape), -128, 127).astype(np.int8)
        yield Case(
            f"mean_{number}",
            "MEAN",
            [Operand(codes, scale, zero_point)],
            Operand(
                np.zeros((1, 1, 1, 9), np.int8),
                float(np.float32(scale * factor)),
                zero_point if same else _zero_point(rng),
            ),
        )


def _flat_means() -> Iterator[Case]:
    for case in _means():
        yield dataclasses.replace(
            case,
            name=f"{case.name}_flat",
            output=_with(case.output, case.output.codes.reshape(1, -1)),
            keep_dims=False,
        )


def _resizes() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 6])
    sizes = [
        ((4, 5), (8, 10)),
        ((4, 4), (7, 9)),
        ((6, 7), (3, 4)),
        ((1, 3), (4, 1)),
        ((5, 5), (5, 5)),
    ]
    flags = [(False, False), (False, True), (True, False)]
    for operator in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        for number, (size, to) in enumerate(sizes):
            for align, half in flags:
                scale, zero_point = _scale(rng, -6, -4), _zero_point(rng)
                suffix = "_aligned" if align else "_half_pixel" if half else ""
                yield Case(
                    f"{operator.lower()}_{number}{suffix}",
                    operator,
                    [Operand(_codes(rng, (1, *size, 3)), scale, zero_point)],
                    Operand(np.zeros((1, *to, 3), np.int8), scale, zero_point),
                    align_corners=align,
                    half_pixel_centers=half,
                )


def _precisions() -> Iterator[Case]:
    """Scales that are halves in single precision and lie beside them in double, or the reverse:
    every other code tells in which of them an operator's scale is formed."""
    rng = np.random.default_rng([2006, 7])
    unary, square = (1, 1, 1, 256), (1, 16, 16, 1)

    def case(name: str, inputs: list[Operand], output: float, **options: Any) -> Case:
        shape = inputs[0].codes.shape
        codes = np.zeros((1, 1, 1, shape[3]) if name == "MEAN" else shape, np.int8)
        return Case(
            f"{name.lower()}_precision", name, inputs, Operand(codes, output, -9), **options
        )

    # 24-bit integers whose quotient is 3/2 less half a unit of the last place at most.
    divisor = 2 * int(rng.integers(2**22, 5 * 2**20)) + 1
    dividend = (3 * divisor - 1) // 2
    scale, output = dividend * 2.0**-29, divisor * 2.0**-29
    for operator in ("RELU", "QUANTIZE", "LEAKY_RELU"):
        codes = ALL_CODES.reshape(unary)
        yield case(operator, [Operand(codes, scale, 3)], output, **_slope_of(operator))
    yield case("MEAN", [Operand(ALL_CODES.reshape(unary), scale, 3)], output)
    # Products that are rounded down in single precision.
    for operator in ("LEAKY_RELU", "MUL", "PRELU"):
        while True:
            first, second = _scale(rng, -4, -3), _scale(rng, -4, -3)
            product = float(np.float32(first) * np.float32(second))
            if product > first * second:
                break
        if operator == "LEAKY_RELU":
            inputs = [Operand(ALL_CODES.reshape(unary), first, 3)]
            product_case = case(operator, inputs, 2 * product, alpha=second)
            yield dataclasses.replace(product_case, name="leaky_relu_precision_of_products")
        else:
            other = square if operator == "MUL" else (1, 1, 1)
            inputs = [
                Operand(ALL_CODES.reshape(square), first, 3),
                Operand(np.full(other, 1, np.int8), second, 0),
            ]
            yield case(operator, inputs, 2 * product)


def _sigmoids() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 8])
    shape = (1, 1, 1, 256)
    for operator in ("LOGISTIC", "TANH"):
        for number in range(10):
            scale = _scale(rng, -9, 1) if number % 2 else _scale(rng, -6, -3)
            output = Operand(np.zeros(shape, np.int8), 1 / 256, -128)
            if operator == "TANH":
                output = Operand(np.zeros(shape, np.int8), 1 / 128, 0)
            if number >= 7:
                output = dataclasses.replace(output, zero_point=_zero_point(rng))
                if operator == "TANH":
                    output = dataclasses.replace(output, scale=_scale(rng, -8, -6))
            codes = Operand(ALL_CODES.reshape(shape), scale, _zero_point(rng))
            yield Case(f"{operator.lower()}_{number}", operator, [codes], output)


def _extrema() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 9])
    shape = (1, 5, 3, 7)
    for operator in ("MAXIMUM", "MINIMUM"):
        for number, other in enumerate([shape, shape, (1, 1, 1, 7), (1, 5, 3, 1), (7,), shape]):
            scale, zero_point = _scale(rng, -6, -4), _zero_point(rng)
            first, second = (Operand(_codes(rng, s), scale, zero_point) for s in (shape, other))
            output = Operand(np.zeros(shape, np.int8), scale, zero_point)
            yield Case(f"{operator.lower()}_{number}", operator, [first, second], output)


# Of an input of each shape: the output's shape and what makes it.
_MOVEMENTS: dict[str, list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]]] = {
    "TRANSPOSE": [
        ((2, 3, 4, 5), (2, 5, 3, 4), {"arguments": ((0, 3, 1, 2),)}),
        ((2, 3, 4, 5), (5, 4, 3, 2), {"arguments": ((3, 2, 1, 0),)}),
        ((1, 6, 7, 3), (1, 7, 6, 3), {"arguments": ((0, 2, 1, 3),)}),
        ((5, 9), (9, 5), {"arguments": ((1, 0),)}),
        ((2, 3, 2, 4, 5), (2, 3, 4, 2, 5), {"arguments": ((0, 1, 3, 2, 4),)}),
        ((2, 3, 4, 5), (3, 5, 2, 4), {"arguments": ((1, 3, 0, 2),)}),
    ],
    "SLICE": [
        ((2, 5, 6, 7), (1, 3, 2, 7), {"arguments": ((1, 0, 3, 0), (1, 3, 2, 7))}),
        ((2, 5, 6, 7), (2, 5, 4, 3), {"arguments": ((0, 0, 2, 4), (-1, 5, -1, 3))}),
        ((9, 8), (4, 8), {"arguments": ((5, 0), (-1, -1))}),
        ((13,), (6,), {"arguments": ((2,), (6,))}),
        ((2, 3, 4, 5), (2, 3, 4, 1), {"arguments": ((0, 0, 0, 4), (2, 3, 4, 1))}),
        ((2, 3, 4, 5), (2, 3, 4, 5), {"arguments": ((0, 0, 0, 0), (-1, -1, -1, -1))}),
    ],
    "STRIDED_SLICE": [
        ((2, 9, 8, 3), (2, 4, 4, 3), _slices((0, 1, 0, 0), (2, 9, 8, 3), (1, 2, 2, 1))),
        ((2, 9, 8, 3), (2, 7, 8, 3), _slices((0, 1, 0, 0), (0, -1, 0, 0), (1,) * 4, 13, 13)),
        ((2, 9, 8, 3), (9, 8, 2), _slices((-1, 0, 0, 1), (0, 9, 8, 9), (1,) * 4, 0, 0, 1)),
        ((2, 9, 8, 3), (2, 9, 8, 3), _slices((0, 8, 7, 2), (2, 0, 0, -9), (1, -1, -1, -1), 0, 6)),
        ((2, 9, 8, 3), (2, 9, 8), _slices((0, 0, 0, 2), (2, 9, 8, 3), (1,) * 4, 0, 0, 8)),
        ((9, 8), (3, 3), _slices((-4, 6), (-1, 0), (1, -2))),
        ((2, 9, 8, 3), (2, 3, 8, 3), _slices((0, 2), (2, 8), (1, 2))),
        ((4, 9, 8), (4, 8), _slices((0, 5, 0), (4, 6, 8), (1,) * 3, 2, 0, 2)),
    ],
    "SPLIT": [
        ((2, 3, 4, 6), (2, 3, 4, 2), {"arguments": ((3,),), "pieces": 3, "piece": 1}),
        ((2, 3, 4, 6), (2, 3, 4, 3), {"arguments": ((-1,),), "pieces": 2, "piece": 1}),
        ((2, 3, 4, 6), (2, 1, 4, 6), {"arguments": ((1,),), "pieces": 3, "piece": 2}),
        ((4, 6), (1, 6), {"arguments": ((0,),), "pieces": 4, "piece": 0}),
        ((2, 3, 4, 6), (1, 3, 4, 6), {"arguments": ((-4,),), "pieces": 2, "piece": 1}),
        ((2, 3, 4, 6), (2, 3, 4, 6), {"arguments": ((2,),), "pieces": 1, "piece": 0}),
    ],
    "SPLIT_V": [
        ((2, 3, 4, 7), (2, 3, 4, sizes[piece]), _sizes(sizes, piece, axis))
        for sizes, piece, axis in [
            ((3, 4), 0, 3),
            ((3, 4), 1, -1),
            ((1, 4, 2), 1, 3),
            ((1, 4, 2), 2, 3),
            ((2, 2, 3), 2, -1),
            ((7,), 0, 3),
        ]
    ],
    "UNPACK": [
        ((2, 3, 4, 5), (2, 3, 4), {"axis": 3, "pieces": 5, "piece": 3}),
        ((2, 3, 4, 5), (3, 4, 5), {"axis": 0, "pieces": 2, "piece": 1}),
        ((2, 3, 4, 5), (2, 3, 5), {"axis": -2, "pieces": 4, "piece": 0}),
        ((7, 5), (5,), {"axis": 0, "pieces": 7, "piece": 6}),
        ((7, 5), (7,), {"axis": -1, "pieces": 5, "piece": 2}),
        ((2, 3, 4, 5), (2, 4, 5), {"axis": 1, "pieces": 3, "piece": 2}),
    ],
    "EXPAND_DIMS": [
        ((2, 3, 4), (2, 3, 1, 4), {"arguments": ((2,),)}),
        ((2, 3, 4), (2, 3, 4, 1), {"arguments": ((-1,),)}),
        ((2, 3, 4), (1, 2, 3, 4), {"arguments": ((0,),)}),
        ((2, 3, 4), (2, 3, 4, 1), {"arguments": ((3,),)}),
        ((2, 3, 4), (2, 1, 3, 4), {"arguments": ((-3,),)}),
        ((5,), (1, 5), {"arguments": ((-2,),)}),
    ],
    "SPACE_TO_DEPTH": [
        ((1, 4, 6, 3), (1, 2, 3, 12), {"block": 2}),
        ((2, 6, 3, 2), (2, 2, 1, 18), {"block": 3}),
        ((2, 2, 2, 5), (2, 1, 1, 20), {"block": 2}),
        ((1, 4, 8, 1), (1, 1, 2, 16), {"block": 4}),
        ((1, 3, 2, 4), (1, 3, 2, 4), {"block": 1}),
        ((1, 8, 4, 7), (1, 4, 2, 28), {"block": 2}),
    ],
    "DEPTH_TO_SPACE": [
        ((1, 2, 3, 12), (1, 4, 6, 3), {"block": 2}),
        ((2, 2, 1, 18), (2, 6, 3, 2), {"block": 3}),
        ((2, 1, 1, 20), (2, 2, 2, 5), {"block": 2}),
        ((1, 1, 2, 16), (1, 4, 8, 1), {"block": 4}),
        ((1, 3, 2, 4), (1, 3, 2, 4), {"block": 1}),
        ((1, 4, 2, 28), (1, 8, 4, 7), {"block": 2}),
    ],
    "MIRROR_PAD": [
        ((1, 4, 5, 3), (1, 7, 6, 3), {"arguments": ((0, 0, 1, 2, 1, 0, 0, 0),)}),
        ((1, 4, 5, 3), (1, 7, 6, 5), {"arguments": ((0, 0, 2, 1, 0, 1, 1, 1),)}),
        ((2, 3, 2, 3), (4, 5, 4, 3), {"arguments": ((1, 1, 0, 2, 1, 1, 0, 0),)}),
        ((5, 4), (8, 8), {"arguments": ((2, 1, 1, 3),)}),
        ((1, 4, 5, 3), (1, 10, 5, 3), {"arguments": ((0, 0, 3, 3, 0, 0, 0, 0),)}),
        ((7,), (15,), {"arguments": ((5, 3),)}),
    ],
    "PACK": [
        ((2, 3, 4), (2, 2, 3, 4), {"axis": 0}),
        ((2, 3, 4), (2, 3, 2, 4), {"axis": 2}),
        ((2, 3, 4), (2, 3, 4, 2), {"axis": -1}),
        ((2, 3, 4), (2, 2, 3, 4), {"axis": -3}),
        ((6,), (2, 6), {"axis": 0}),
        ((6,), (6, 2), {"axis": 1}),
    ],
    "PAD": [
        ((1, 4, 5, 3), (1, 7, 6, 3), {"arguments": ((0, 0, 1, 2, 1, 0, 0, 0),)}),
        ((2, 3, 2, 3), (3, 3, 2, 5), {"arguments": ((1, 0, 0, 0, 0, 0, 1, 1),)}),
        ((5, 4), (8, 4), {"arguments": ((2, 1, 0, 0),)}),
        ((7,), (15,), {"arguments": ((5, 3),)}),
    ],
    "RESHAPE": [
        ((2, 3, 4), (4, 6), {"arguments": ((4, 6),)}),
        ((2, 3, 4), (4, 1, 6), {"arguments": ((4, 1, -1),)}),
        ((24,), (2, 3, 4), {"arguments": ((2, 3, 4),)}),
    ],
    "SQUEEZE": [
        ((1, 9, 1, 4), (1, 9, 4), {"arguments": ((2,),)}),
        ((1, 9, 1, 4), (9, 1, 4), {"arguments": ((-4,),)}),
        ((1, 9, 1, 4), (9, 4), {"arguments": ((),)}),
    ],
    "CONCATENATION": [
        ((2, 3, 4), (4, 3, 4), {"axis": 0}),
        ((2, 3, 4), (2, 6, 4), {"axis": 1}),
        ((2, 3, 4), (2, 3, 8), {"axis": -1}),
        ((6,), (12,), {"axis": 0}),
    ],
}


def _movements() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 10])
    for operator, described in _MOVEMENTS.items():
        for number, (shape, to, options) in enumerate(described):
            modes = ("REFLECT", "SYMMETRIC") if operator == "MIRROR_PAD" else ("REFLECT",)
            for mode in modes:
                scale, zero_point = _scale(rng, -6, -4), _zero_point(rng)
                inputs = [
                    Operand(_codes(rng, shape), scale, zero_point)
                    for _ in range(2 if operator in ("CONCATENATION", "PACK") else 1)
                ]
                yield Case(
                    f"{operator.lower()}_{number}" + ("_symmetric" if mode == "SYMMETRIC" else ""),
                    operator,
                    inputs,
                    Operand(np.zeros(to, np.int8), scale, zero_point),
                    mode=mode,
                    **options,
                )


# Input [n, h, w, c], output channels, filter, stride, the output's size where it is not the usual
# one, and what else is not as usual.
_TRANSPOSED: list[tuple[tuple[int, ...], int, tuple[int, int], tuple[int, int], dict[str, Any]]] = [
    ((1, 4, 5, 6), 4, (2, 2), (2, 2), {}),
    ((1, 4, 5, 6), 4, (2, 2), (2, 2), {"padding": "valid", "bias": True}),
    ((2, 3, 4, 5), 3, (3, 3), (2, 2), {"bias": True}),
    ((1, 4, 3, 17), 5, (3, 3), (2, 2), {"padding": "valid", "bias": True, "per_tensor": True}),
    ((1, 4, 4, 8), 4, (4, 4), (2, 2), {"bias": True, "activation": "RELU"}),
    ((1, 5, 4, 4), 6, (3, 3), (1, 1), {"bias": True, "activation": "RELU6"}),
    ((2, 5, 4, 4), 6, (3, 2), (1, 1), {"padding": "valid"}),
    ((1, 3, 4, 5), 3, (2, 5), (3, 2), {"bias": True}),
    ((1, 3, 3, 4), 2, (1, 1), (2, 3), {"bias": True}),
    ((1, 3, 3, 4), 3, (3, 3), (3, 3), {"size": (7, 8), "bias": True}),
    ((1, 3, 3, 4), 3, (5, 5), (4, 4), {"size": (9, 10)}),
    ((1, 2, 2, 70), 3, (2, 2), (2, 2), {"extremes": True, "activation": "RELU_N1_TO_1"}),
    ((1, 3, 3, 4), 3, (3, 3), (2, 2), {"output": 2.0**-14, "bias": True}),
]


def _transposed() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 11])
    for number, (shape, outputs, taps, stride, unusual) in enumerate(_TRANSPOSED):
        padding = unusual.get("padding", "same")
        usual = [
            s * n if padding == "same" else s * (n - 1) + f
            for n, s, f in zip(shape[1:3], stride, taps)
        ]
        weights = rng.integers(-127, 128, (outputs, *taps, shape[3]))
        codes = _codes(rng, shape)
        if "extremes" in unusual:
            weights = rng.choice([-127, 127], weights.shape)
            codes = rng.choice(np.array([-128, 127], np.int8), shape)
        scales = [_scale(rng, -9, -6) for _ in range(1 if "per_tensor" in unusual else outputs)]
        first = _scale(rng, -6, -3)
        spread = (
            first * scales[0] * 74 * 74 * np.sqrt(shape[3] * max(1, taps[0] * taps[1] // 4)) / 60
        )
        scale = float(np.float32(spread * unusual.get("output", 1.0)))
        size = tuple(unusual.get("size", usual))
        yield Case(
            f"transpose_conv_{number}",
            "TRANSPOSE_CONV",
            [Operand(codes, first, _zero_point(rng))],
            Operand(np.zeros((shape[0], *size, outputs), np.int8), scale, _zero_point(rng)),
            activation=unusual.get("activation", "NONE"),
            filter=taps,
            stride=stride,
            padding=padding,
            weights=tuple(weights.ravel().tolist()),
            weight_scales=tuple(scales),
            bias=tuple(rng.integers(-9999, 9999, outputs).tolist()) if "bias" in unusual else (),
        )


def _reductions() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 12])
    axes = [(1, 2), (3,), (-1, -2), (1,), (0, 1, 2, 3), (2, 1, 3), (2,), (0,)]
    for operator in ("MEAN", "REDUCE_MAX", "REDUCE_MIN"):
        for number, chosen in enumerate(axes):
            shape = (2, 4, 5, 21) if number else (2, 3, 3, 16)
            keep = number % 3 != 1
            reduced = {a % 4 for a in chosen}
            to = [1 if d in reduced else n for d, n in enumerate(shape) if keep or d not in reduced]
            scale, zero_point = _scale(rng, -6, -2), _zero_point(rng)
            output = Operand(np.zeros(to, np.int8), scale, zero_point)
            if operator == "MEAN" and number % 2:
                other = float(np.float32(scale * 2.0 ** rng.uniform(-1, 1)))
                output = dataclasses.replace(output, scale=other, zero_point=_zero_point(rng))
            yield Case(
                f"{operator.lower()}_over_{number}",
                operator,
                [Operand(_codes(rng, shape), scale, zero_point)],
                output,
                keep_dims=keep,
                arguments=(chosen,),
            )


def _more_unary() -> Iterator[Case]:
    rng = np.random.default_rng([2006, 13])
    codes = ALL_CODES.reshape(1, 1, 1, 256)
    for operator in ("ABS", "RELU_0_TO_1", "EXP", "GELU"):
        for number in range(8):
            scale = _scale(rng, -9, -2) if operator != "EXP" else _scale(rng, -9, -5)
            zero_point = _zero_point(rng)
            factor = 1.0 if number < 2 else 2.0 ** rng.uniform(-2, 2)
            output = scale * factor
            if operator == "EXP":  # its largest value is at the end of the range, or beyond it
                output = np.exp(scale * (127 - zero_point)) / (255 if number % 2 else 100)
            yield Case(
                f"{operator.lower()}_{number}",
                operator,
                [Operand(codes, scale, zero_point)],
                Operand(np.zeros_like(codes), float(np.float32(output)), _zero_point(rng, 20)),
                approximate=operator == "GELU" and number % 2 == 1,
            )


def _valued_pads() -> Iterator[Case]:
    """Those of PAD with a value of their own."""
    rng = np.random.default_rng([2006, 14])
    for number, (shape, to, options) in enumerate(_MOVEMENTS["PAD"]):
        scale, zero_point = _scale(rng, -6, -4), _zero_point(rng)
        inputs = [Operand(_codes(rng, s), scale, zero_point) for s in (shape, (1,))]
        output = Operand(np.zeros(to, np.int8), scale, zero_point)
        yield Case(f"padv2_{number}", "PADV2", inputs, output, **options)


def _slope_of(operator: str) -> dict[str, float]:
    return {"alpha": 0.125} if operator == "LEAKY_RELU" else {}


def _codes(rng: np.random.Generator, shape: tuple[int, ...]) -> Codes:
    return rng.integers(-128, 128, shape).astype(np.int8)


def _scale(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.float32(2.0 ** rng.uniform(low, high)))


def _zero_point(rng: np.random.Generator, most: int = 127) -> int:
    ends = [-128, most, 0]
    choice = int(rng.integers(0, 16))
    return ends[choice] if choice < len(ends) else int(rng.integers(-128, most // 2))


if __name__ == "__main__":
    main()
