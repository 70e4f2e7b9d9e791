# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG: panels side by side, curves with their names at their ends. Values to text, nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
WIDTH, HEIGHT = 520, 400
LEFT, RIGHT, TOP, BOTTOM = 62, 216, 46, 52
LINE = 14
"""Pixels between the names of two curves."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56789a", "#b8860b", "#7b3fa0", "#333333", "#3aa6b9", "#a03333")
DASHES = ("", "6 3", "2 3")
STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#222}"
    ".title{font-size:14px;font-weight:600}.axis{fill:#555}.grid{stroke:#e3e3e3;stroke-width:1}"
    ".frame{stroke:#999;stroke-width:1}"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand between two pixels: by their logarithm, or evenly from 0."""

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """The pixel of a value."""
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)

    def ticks(self) -> list[float]:
        """Round values within the scale."""
        if self.logarithmic:
            tens = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            few = math.log10(self.high / self.low) < 2.5
            found = [digit * 10.0**ten for ten in tens for digit in ((1, 2, 5) if few else (1,))]
        else:
            step = _round_step((self.high - self.low) / 5)
            found = [self.low + step * n for n in range(math.floor((self.high - self.low) / step) + 1)]
        return [one for one in found if self.low * 0.999 <= one <= self.high * 1.001]


def scale(values: Sequence[float], first: float, last: float, *, logarithmic: bool) -> Scale:
    """A scale on which all values stand, between round ends."""
    if not logarithmic:
        step = _round_step(max(*values, 1e-9) / 5)
        return Scale(0.0, step * math.ceil(max(values) / step), first, last, False)
    low, high = _below(min(values)), _above(max(values))
    return Scale(low, high if high > low else low * 10, first, last, True)


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. `curves`: name → points, by x."""

    title: str
    across: str
    up: str
    curves: Mapping[str, Sequence[Point]]
    log_across: bool = False
    log_up: bool = True
    unit_across: str = ""


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The SVG of panels side by side."""
    whole = WIDTH * len(panels)
    body = "".join(f'<g transform="translate({WIDTH * at},0)">{_panel(panel)}</g>' for at, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {HEIGHT}" width="{whole}" height="{HEIGHT}"'
        f' role="img" aria-label="{escape(title)}"><style>{STYLE}</style>'
        f'<rect width="{whole}" height="{HEIGHT}" rx="8" fill="#fff"/>{body}</svg>\n'
    )


def _panel(panel: Panel) -> str:
    points = [point for curve in panel.curves.values() for point in curve]
    xs, ys = sorted({x for x, _ in points}), [y for _, y in points]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    if panel.log_across:
        across = Scale(xs[0], xs[-1] if xs[-1] > xs[0] else xs[0] * 10, LEFT + 14, right - 10, True)
    else:
        across = scale(xs, LEFT, right, logarithmic=False)
    up = scale(ys, bottom, TOP, logarithmic=panel.log_up)
    parts = [f'<text class="title" x="{LEFT}" y="24">{escape(panel.title)}</text>']
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(f'<text class="axis" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    for tick in xs:
        x, words = across.at(tick), f"{short(tick)}{panel.unit_across}"
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{words}</text>')
    parts.append(f'<path class="frame" d="M{LEFT} {TOP}V{bottom}H{right}" fill="none"/>')
    middle = (TOP + bottom) / 2
    parts.append(f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(panel.across)}</text>')
    parts.append(f'<text transform="translate(16,{middle}) rotate(-90)" text-anchor="middle">{escape(panel.up)}</text>')
    return "".join(parts + _curves(panel, across, up, right))


def _curves(panel: Panel, across: Scale, up: Scale, right: float) -> list[str]:
    parts, ends = [], {}
    for number, (name, points) in enumerate(panel.curves.items()):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        places = [(across.at(x), up.at(y)) for x, y in sorted(points)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in places]
        ends[name] = (places[-1], colour)
    wanted = {name: y for name, ((_, y), _) in ends.items()}
    for name, y in apart(wanted, TOP, HEIGHT - BOTTOM).items():
        (x_end, y_end), colour = ends[name]
        parts.append(
            f'<path d="M{x_end + 4:.1f} {y_end:.1f}L{right + 12} {y:.1f}" stroke="{colour}" opacity=".45" fill="none"/>'
        )
        parts.append(f'<text x="{right + 15}" y="{y + 4:.1f}" style="fill:{colour}">{escape(name)}</text>')
    return parts


def apart(wanted: Mapping[str, float], low: float, high: float) -> dict[str, float]:
    """Places as near as possible to the wanted ones, in their order, and a line apart where there is room."""
    gap = min(LINE, (high - low) / max(1, len(wanted) - 1))
    places: dict[str, float] = {}
    before = low - gap
    for name in sorted(wanted, key=lambda one: wanted[one]):
        before = max(wanted[name], before + gap)
        places[name] = before
    after = high + gap
    for name in reversed(places):
        after = min(places[name], after - gap)
        places[name] = after
    return places


def short(value: float) -> str:
    """A tick's words: 20k, 0.5, 3M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _round_step(least: float) -> float:
    ten = 10.0 ** math.floor(math.log10(least))
    return next(digit * ten for digit in (1, 2, 5, 10) if digit * ten >= least * 0.999)


def _below(value: float) -> float:
    ten = 10.0 ** math.floor(math.log10(value))
    return max(digit * ten for digit in (1, 2, 5) if digit * ten <= value * 1.001)


def _above(value: float) -> float:
    ten = 10.0 ** math.floor(math.log10(value))
    return min(digit * ten for digit in (1, 2, 5, 10) if digit * ten >= value * 0.999)
