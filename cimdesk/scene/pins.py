"""Pictures of sensor pins: a shape for what is measured, a colour and a mark for the status, and counts for clusters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cimdesk.model.sensors import Status
from cimdesk.scene.lettering import font

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

SHAPES = {
    "water_level": "drop", "water_depth": "drop", "rainfall": "drop", "rain_intensity": "cloud", "flow_rate": "diamond",
    "velocity": "diamond", "pressure": "hexagon", "gas_concentration": "triangle", "ch4": "triangle", "h2s": "triangle",
    "manhole_open": "square", "manhole_tilt": "square",
    "voltage": "bolt", "current": "bolt", "active_power": "bolt", "load_rate": "bolt",
}  # fmt: skip
MARKS = {
    Status.NORMAL: "", Status.ATTENTION: "i", Status.WARNING: "!", Status.ALARM: "!!", Status.STALE: "?", Status.FAULT: "×",
    Status.MAINTENANCE: "=",
}  # fmt: skip
OVERSAMPLE = 4
POLYGONS = {
    "diamond": (4, 0.0, 1.12), "hexagon": (6, 0.0, 1.05), "triangle": (3, 0.0, 1.22), "square": (4, 45.0, 1.25),
    "bolt": (5, 0.0, 1.08),
}  # fmt: skip
"""Corners, turn [degrees] and growth of the polygonal heads."""


def shape_of(quantity: str) -> str:
    """Return the name of the shape of a measured quantity."""
    return SHAPES.get(quantity, "circle")


def pin_size(status: int, size: float) -> int:
    """Return the diameter of a pin's head [px]: alarms are larger."""
    return max(9, round(size * (1.75 if status == Status.ALARM else 1.4)))


def pin_picture(shape: str, status: int, color: str, size: float, halo: str) -> Image.Image:
    """Return a pin whose foot is at the middle of the picture's lower edge; stale ones are hollow."""
    from PIL import Image, ImageDraw

    head = pin_size(status, size)
    k = OVERSAMPLE
    width, height = head + 6, round(head * 1.9) + 6
    picture = Image.new("RGBA", (width * k, height * k), (*_rgb(halo), 0))
    draw = ImageDraw.Draw(picture)
    centre = (width * k / 2, (head / 2 + 3) * k)
    foot = (width * k / 2, (height - 2) * k)
    draw.line([centre, foot], fill=(*_rgb(halo), 255), width=round(4.2 * k))
    draw.ellipse([foot[0] - 3.4 * k, foot[1] - 1.6 * k, foot[0] + 3.4 * k, foot[1] + 1.6 * k], fill=(20, 24, 30, 120))
    draw.line([centre, foot], fill=(38, 44, 52, 255), width=round(1.9 * k))
    hollow = status == Status.STALE
    _head(draw, shape, centre, (head / 2 + 2.0) * k, halo)
    _head(draw, shape, centre, head / 2 * k, color)
    if hollow:
        _head(draw, shape, centre, (head / 2 - max(2.0, head * 0.16)) * k, halo)
    mark = MARKS.get(Status(status), "")
    if mark:
        ink = color if hollow else "#ffffff"
        below = 0.10 * head * k if shape in ("drop", "triangle") else 0.0
        draw.text((centre[0], centre[1] + below), mark, font=font(round(head * 0.66 * k), True), fill=ink, anchor="mm")
    elif head >= 12:
        spot = head * 0.13 * k
        draw.ellipse([centre[0] - spot, centre[1] - spot, centre[0] + spot, centre[1] + spot], fill="#ffffff")
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def cluster_picture(count: str, color: str, size: float, halo: str) -> Image.Image:
    """Return a disc with a count."""
    from PIL import Image, ImageDraw

    k, diameter = OVERSAMPLE, round(size * 2.2 + 3 * len(count))
    picture = Image.new("RGBA", ((diameter + 4) * k,) * 2, (*_rgb(halo), 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse([0, 0, (diameter + 4) * k - 1, (diameter + 4) * k - 1], fill=halo)
    draw.ellipse([2 * k, 2 * k, (diameter + 2) * k, (diameter + 2) * k], fill=color)
    middle = (diameter + 4) * k / 2
    draw.text((middle, middle), count, font=font(round(size * 0.95 * k), True), fill="#ffffff", anchor="mm")
    return picture.resize((diameter + 4, diameter + 4), Image.Resampling.LANCZOS)


def _head(draw: ImageDraw.ImageDraw, shape: str, centre: tuple[float, float], radius: float, color: str) -> None:
    x, y = centre
    if shape in ("circle", "drop", "cloud"):
        low = 0.12 * radius if shape == "drop" else 0.0
        r = radius * (0.88 if shape == "drop" else 1.0)
        if shape == "cloud":
            draw.rounded_rectangle([x - radius, y - 0.75 * radius, x + radius, y + 0.75 * radius], radius=0.7 * radius, fill=color)
            return
        draw.ellipse([x - r, y - r + low, x + r, y + r + low], fill=color)
        if shape == "drop":
            draw.polygon([(x, y - 1.12 * radius), (x - 0.74 * r, y - 0.4 * r), (x + 0.74 * r, y - 0.4 * r)], fill=color)
        return
    sides, turn, grow = POLYGONS[shape]
    points = []
    for corner in range(sides):
        angle = math.radians(turn + 360.0 * corner / sides)
        points.append((x + grow * radius * math.sin(angle), y - grow * radius * math.cos(angle)))
    draw.polygon(points, fill=color)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
