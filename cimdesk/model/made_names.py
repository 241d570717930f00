"""Columns that the program adds to those of a city's file, as people call them."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.model.flood_areas import CLASS, FROM, TO
from cimdesk.model.tile_point_columns import POINT_HEIGHT


def made_names() -> dict[str, tuple[str, str]]:
    """Return name and unit of every such column, in the current language."""
    return {
        "type": (tr("type"), ""),
        POINT_HEIGHT: (tr("height of points"), "m"),
        "measured_height": (tr("height (measured on the model)"), "m"),
        "ground_elevation": (tr("ground elevation (measured on the model)"), "m"),
        CLASS: (tr("depth class"), ""),
        FROM: (tr("depth from"), "m"),
        TO: (tr("depth to"), "m"),
    }
