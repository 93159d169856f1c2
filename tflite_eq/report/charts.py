"""Charts as inline SVG: no library, no script, colours from the page's style sheet.

Every function returns markup that is safe to put into the page: numbers are formatted here and
texts are escaped. Sizes are in user units; the page scales a chart to its column.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from tflite_eq.search.easyquant import Trial
from tflite_eq.statistics.histogram import Histogram

Point = tuple[float, float]

_WIDTH, _HEIGHT = 300.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 22.0, 34.0


@dataclasses.dataclass(frozen=True)
class Axis:
    """A linear map from values to user units.

    Attributes:
        low: Value at ``start``.
        high: Value at ``end``.
        start: User unit of ``low``.
        end: User unit of ``high``.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Position of a value."""
        span = self.high - self.low
        part = (value - self.low) / span if span else 0.5
        return self.start + part * (self.end - self.start)


def histogram(
    counts: Histogram,
    clip: tuple[float, float],
    codes: tuple[int, int],
    unit: str,
    description: str,
) -> Markup:
    """A distribution with the range that the codes hold.

    Args:
        counts: The distribution; values that are exactly 0 are not drawn.
        clip: Smallest and largest value that a code stands for.
        codes: These codes.
        unit: What the horizontal axis shows.
        description: For people who cannot see the chart.
    """
    end = counts.low + counts.width * len(counts.counts)
    x = _horizontal(min(counts.low, clip[0]), max(end, clip[1]))
    most = max((*counts.counts, 1))
    y = Axis(0.0, math.log10(most) * 1.05 + 0.1, _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(), _decades(y, most), _outside(x, clip)]
    parts.append(f'<path class="area" d="{_steps(counts, x, y)}"/>')
    for value, code, anchor in zip(clip, codes, ("start", "end")):
        parts.append(_line(x(value), _TOP, x(value), _HEIGHT - _BOTTOM, "mark"))
        parts.append(_text(_kept_inside(x(value), anchor), _TOP - 7, f"code {code}", anchor))
    parts.append(_value_ticks(x))
    parts.append(_axis_names(unit, "values (log)"))
    return _svg(parts, description)


def search_curve(
    trials: Sequence[Trial],
    chosen: tuple[float, float] | float,
    objective: str,
    description: str,
) -> Markup:
    """The objective over the multiples of the initial scale that were tried.

    Args:
        trials: At least one.
        chosen: The multiple that was taken, or the smallest and largest where there are several.
        objective: Name of the objective.
        description: For people who cannot see the chart.
    """
    losses = [max(trial.loss, 1e-12) for trial in trials]
    factors = [trial.factor for trial in trials]
    picked = chosen if isinstance(chosen, tuple) else (chosen, chosen)
    x = _horizontal(min(*factors, *picked, 0.5), max(*factors, *picked, 2.0))
    low, high = math.log10(min(losses)), math.log10(max(losses))
    pad = max((high - low) * 0.08, 0.02)
    y = Axis(low - pad, high + pad, _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(), _log_ticks(y)]
    if picked[0] < picked[1]:
        width = x(picked[1]) - x(picked[0])
        parts.append(
            f'<rect class="band" x="{x(picked[0]):.1f}" y="{_TOP:.0f}" width="{width:.1f}" '
            f'height="{_HEIGHT - _BOTTOM - _TOP:.0f}"/>'
        )
    parts.append(_line(x(1.0), _TOP, x(1.0), _HEIGHT - _BOTTOM, "start"))
    rounds = sorted({trial.round for trial in trials})
    for number in rounds:
        points = sorted(
            (trial.factor, math.log10(max(trial.loss, 1e-12)))
            for trial in trials
            if trial.round == number
        )
        path = _polyline([(x(factor), y(loss)) for factor, loss in points])
        parts.append(f'<path class="curve{" later" if number else ""}" d="{path}"/>')
    if not isinstance(chosen, tuple):
        best = min((t for t in trials if t.factor == chosen), key=lambda t: t.loss, default=None)
        parts.append(_line(x(chosen), _TOP, x(chosen), _HEIGHT - _BOTTOM, "mark"))
        if best is not None:
            parts.append(_dot(x(chosen), y(math.log10(max(best.loss, 1e-12))), "final"))
    for tick in (0.5, 1.0, 1.5, 2.0):
        if x.low <= tick <= x.high:
            parts.append(_text(x(tick), _HEIGHT - _BOTTOM + 13, f"×{tick:g}", "middle"))
    parts.append(_axis_names("scale / initial scale", objective))
    return _svg(parts, description)


@dataclasses.dataclass(frozen=True)
class Along:
    """One layer of the chart along the network.

    Attributes:
        name: For the tooltip.
        anchor: Where a click leads.
        before: First series, dB; ``nan`` is left out.
        after: Second series, dB.
    """

    name: str
    anchor: str
    before: float
    after: float


def along_network(layers: Sequence[Along], description: str) -> Markup:
    """SQNR of all layers in execution order, two series.

    Args:
        layers: At least one.
        description: For people who cannot see the chart.
    """
    width, height = 1120.0, 300.0
    finite = [v for layer in layers for v in (layer.before, layer.after) if math.isfinite(v)]
    low = math.floor((min((*finite, 60.0)) - 3.0) / 5.0) * 5.0
    high = max((*finite, low + 10.0))
    x = Axis(0.5, len(layers) + 0.5, 48.0, width - 12)
    y = Axis(low, high + (high - low) * 0.06, height - 40, 14.0)
    parts = []
    for tick in _nice_ticks(low, high, 6):
        parts.append(_line(x.start, y(tick), x.end, y(tick), "grid"))
        parts.append(_text(x.start - 8, y(tick) + 4, f"{tick:g}", "end"))
    every = max(1, -(-len(layers) // 28))
    for position in range(1, len(layers) + 1):
        if position == 1 or position % every == 0:
            parts.append(_text(x(position), height - 22, str(position), "middle"))
    for layer, position in zip(layers, range(1, len(layers) + 1)):
        if math.isfinite(layer.before) and math.isfinite(layer.after):
            at = x(position)
            worse = " worse" if layer.after < layer.before else ""
            parts.append(_line(at, y(layer.before), at, y(layer.after), "link" + worse))
    for name, values in (
        ("default", [layer.before for layer in layers]),
        ("final", [layer.after for layer in layers]),
    ):
        points = [
            (x(position), y(value))
            for position, value in enumerate(values, start=1)
            if math.isfinite(value)
        ]
        parts.append(f'<path class="line {name}" d="{_polyline(points)}"/>')
    for layer, position in zip(layers, range(1, len(layers) + 1)):
        tip = f"{position} {layer.name}: {_decibels(layer.before)} to {_decibels(layer.after)}"
        parts.append(f'<a href="#{escape(layer.anchor)}"><title>{escape(tip)}</title>')
        parts.append(
            f'<rect class="hit" x="{x(position - 0.5):.1f}" y="{y.end:.0f}" '
            f'width="{x(1) - x(0):.1f}" height="{y.start - y.end:.0f}"/>'
        )
        for name, value in (("default", layer.before), ("final", layer.after)):
            if math.isfinite(value):
                parts.append(_dot(x(position), y(value), name))
        parts.append("</a>")
    parts.append(_text((x.start + x.end) / 2, height - 4, "layer, in execution order", "middle"))
    parts.append(
        f'<text class="name" transform="translate(12 {(y.start + y.end) / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">SQNR of the output, dB</text>'
    )
    return _svg(parts, description, (width, height), is_image=False)


def _horizontal(low: float, high: float) -> Axis:
    return Axis(low, high, _LEFT, _WIDTH - _RIGHT)


def _frame() -> str:
    return _line(_LEFT, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, "axis")


def _outside(x: Axis, clip: tuple[float, float]) -> str:
    """Shades on both sides of the range that codes hold."""
    found = ""
    for start, end in ((x.low, clip[0]), (clip[1], x.high)):
        if end > start:
            found += (
                f'<rect class="outside" x="{x(start):.1f}" y="{_TOP:.0f}" '
                f'width="{x(end) - x(start):.1f}" height="{_HEIGHT - _BOTTOM - _TOP:.0f}"/>'
            )
    return found


def _steps(counts: Histogram, x: Axis, y: Axis) -> str:
    """An outline of all bars; relative to the logarithm, with empty bins on the axis."""
    path = f"M{x(counts.low):.1f} {y.start:.0f}"
    for position, count in enumerate(counts.counts):
        level = y(math.log10(count) + 0.1) if count else y.start
        right = x(counts.low + (position + 1) * counts.width)
        path += f"V{level:.1f}H{right:.1f}"
    return path + f"V{y.start:.0f}Z"


def _decades(y: Axis, most: int) -> str:
    found = ""
    step = max(1, math.ceil(math.log10(max(most, 10)) / 4))
    for exponent in range(0, int(math.log10(most)) + 1, step):
        at = y(exponent + 0.1)
        found += _line(_LEFT, at, _WIDTH - _RIGHT, at, "grid")
        found += _text(_LEFT - 6, at + 4, _short_count(10**exponent), "end")
    return found


def _log_ticks(y: Axis) -> str:
    """Lines at 1, 2 and 5 times powers of ten, as many as fit; evenly spaced if hardly any do."""
    found = []
    for exponent in range(math.floor(y.low), math.ceil(y.high) + 1):
        for digit in (1, 2, 5):
            value = math.log10(digit) + exponent
            if y.low <= value <= y.high:
                found.append((value, digit, exponent))
    if len(found) > 5:
        found = [entry for entry in found if entry[1] == 1] or found[:: len(found) // 4]
    if len(found) > 5:
        found = found[:: -(-len(found) // 5)]
    labelled = [(value, _power(digit, exponent)) for value, digit, exponent in found]
    if len(labelled) < 2:
        ticks = _nice_ticks(10**y.low, 10**y.high, 4)
        labelled = [(math.log10(tick), f"{tick:.3g}") for tick in ticks if tick > 0]
    return "".join(
        _line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid")
        + _text(_LEFT - 6, y(value) + 4, label, "end")
        for value, label in labelled
    )


def _power(digit: int, exponent: int) -> str:
    if -3 <= exponent <= 1:
        return f"{digit * 10.0**exponent:.{max(0, -exponent)}f}"
    return f"{digit}e{exponent}"


def _value_ticks(x: Axis) -> str:
    return "".join(
        _text(x(tick), _HEIGHT - _BOTTOM + 13, f"{tick:g}", "middle")
        for tick in _nice_ticks(x.low, x.high, 4)
    )


def _nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten inside the interval, at most ``most + 1``."""
    span = high - low
    if not span > 0:
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= most:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _axis_names(horizontal: str, vertical: str) -> str:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return _text(middle, _HEIGHT - 4, horizontal, "middle", "name") + (
        f'<text class="name" transform="translate(9 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) '
        f'rotate(-90)" text-anchor="middle">{escape(vertical)}</text>'
    )


def _kept_inside(at: float, anchor: str) -> float:
    """Position of a label of some 50 units that must not leave the chart."""
    if anchor == "start":
        return min(at, _WIDTH - 90)
    return max(at, _LEFT + 50)


def _polyline(points: Iterable[Point]) -> str:
    return "".join(
        f"{'M' if position == 0 else 'L'}{x:.1f} {y:.1f}" for position, (x, y) in enumerate(points)
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _dot(x: float, y: float, kind: str) -> str:
    return f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _svg(
    parts: Iterable[str],
    description: str,
    size: tuple[float, float] = (_WIDTH, _HEIGHT),
    is_image: bool = True,
) -> Markup:
    role = "img" if is_image else "group"  # a group may hold links
    return Markup(
        f'<svg viewBox="0 0 {size[0]:.0f} {size[1]:.0f}" role="{role}" '
        f'aria-label="{escape(description)}">{"".join(parts)}</svg>'
    )


def _short_count(value: int) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value // size}{letter}"
    return str(value)


def _decibels(value: float) -> str:
    return f"{value:.1f} dB" if math.isfinite(value) else "no error"
