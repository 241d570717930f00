"""Charts as SVG: rain and flood over time, bars of counts. Plain shapes and text, so they print crisply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from cimdesk.base.arrays import Float
from cimdesk.base.units import format_count, format_number

FONT = "Noto Sans CJK SC, Noto Sans, DejaVu Sans, sans-serif"
TEXT, DIM, LINE = "#1d2733", "#66727f", "#dfe3e8"
WIDTH, LEFT, RIGHT = 760.0, 70.0, 16.0


@dataclass(frozen=True)
class Lane:
    """One quantity over time.

    Attributes
    ----------
    label : str
        Name and unit.
    times, values : (N,) float64
        Hours from the start, and the quantity.
    color : str
    bars : bool
        Bars for rates held over an interval, a line otherwise.
    """

    label: str
    times: Float
    values: Float
    color: str
    bars: bool = False


def time_lanes(lanes: Sequence[Lane], time_label: str, lane_height: float = 110.0) -> str:
    """Return lanes above one another over the same time axis as SVG."""
    end = max(float(lane.times[-1]) for lane in lanes)
    start = min(float(lane.times[0]) for lane in lanes)
    height = lane_height * len(lanes) + 36
    parts = []
    for k, lane in enumerate(lanes):
        parts.append(_lane(lane, start, end, k * lane_height + 12, lane_height - 30))
    base = lane_height * len(lanes) - 8
    for tick in np.linspace(start, end, 7):
        x = _x(tick, start, end)
        parts.append(_text(x, base + 14, format_number(float(tick), 2), "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, base + 32, time_label, "middle"))
    return _svg(height, parts)


def bars(rows: Sequence[tuple[str, float, str]], unit: str = "") -> str:
    """Return horizontal bars of (label, count, colour) as SVG."""
    top = max((value for _, value, _ in rows), default=0.0) or 1.0
    label_width = 190.0
    parts = []
    for k, (label, value, color) in enumerate(rows):
        y = 8 + 26 * k
        length = (WIDTH - label_width - 110) * value / top
        parts.append(_text(label_width - 10, y + 13, label, "end", TEXT))
        parts.append(f'<rect x="{label_width}" y="{y}" width="{length:.1f}" height="17" rx="3" fill="{color}"/>')
        parts.append(_text(label_width + length + 8, y + 13, f"{format_count(value)} {unit}".strip(), "start"))
    return _svg(16 + 26 * len(rows), parts)


def _lane(lane: Lane, start: float, end: float, top: float, height: float) -> str:
    highest = float(np.nanmax(lane.values)) if np.isfinite(lane.values).any() else 1.0
    highest = highest or 1.0
    bottom = top + height
    parts = [
        f'<line x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}" stroke="{LINE}"/>',
        _text(LEFT - 8, top + 8, format_number(highest), "end"),
        _text(LEFT - 8, bottom, "0", "end"),
        _text(LEFT + 4, top + 2, lane.label, "start", TEXT),
    ]
    x = [_x(float(t), start, end) for t in lane.times]
    y = [bottom - height * 0.82 * float(v) / highest for v in np.nan_to_num(lane.values)]
    if lane.bars:
        ends = [*x[1:], WIDTH - RIGHT]
        for left, right, level in zip(x, ends, y, strict=True):
            width = max(right - left - 0.8, 0.4)
            parts.append(
                f'<rect x="{left:.1f}" y="{level:.1f}" width="{width:.1f}" height="{bottom - level:.1f}" fill="{lane.color}"/>'
            )
    else:
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{lane.color}" stroke-width="2"/>')
    return "".join(parts)


def _x(time: float, start: float, end: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (time - start) / ((end - start) or 1.0)


def _text(x: float, y: float, text: str, anchor: str, color: str = DIM) -> str:
    look = f'font-family="{FONT}" font-size="12" fill="{color}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'


def _svg(height: float, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {WIDTH:.0f} {height:.0f}" width="{WIDTH:.0f}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def scatter(seen: Float, ours: Float, seen_label: str, ours_label: str, side: float = 320.0) -> str:
    """Return points of pairs as SVG, with the line on which both are the same.

    Parameters
    ----------
    seen, ours : (N,) float64
        To the right and upwards, at least one pair of finite numbers.
    """
    values = np.concatenate([seen, ours])
    room = max(float(np.ptp(values)) * 0.1, 0.05)
    low, high = float(values.min()) - room, float(values.max()) + room
    left, top = LEFT + 160.0, 10.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (x - low) / (high - low) * side, top + side - (y - low) / (high - low) * side

    parts = [f'<rect x="{left:.1f}" y="{top:.1f}" width="{side:.1f}" height="{side:.1f}" fill="none" stroke="{LINE}"/>']
    parts.append(
        f'<line x1="{left:.1f}" y1="{top + side:.1f}" x2="{left + side:.1f}" y2="{top:.1f}" stroke="{DIM}" stroke-dasharray="5 4"/>'
    )
    for x, y in zip(seen.tolist(), ours.tolist(), strict=True):
        px, py = at(x, y)
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4.5" fill="#1f6feb" stroke="#ffffff"/>')
    for tick in np.linspace(low, high, 5)[1:-1]:
        px, py = at(float(tick), float(tick))
        parts.append(_text(px, top + side + 15, format_number(float(tick), 3), "middle"))
        parts.append(_text(left - 6, py + 4, format_number(float(tick), 3), "end"))
    parts.append(_text(left + side / 2, top + side + 34, seen_label, "middle"))
    parts.append(_text(left - 60, top + side / 2, ours_label, "end"))
    return _svg(side + 54, parts)
