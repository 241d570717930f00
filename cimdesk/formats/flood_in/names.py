"""Which quantity a variable is, by its standard name, its own name and its long one, in the languages that models write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

DEPTH, LEVEL, BED, SPEED, U, V = "depth", "level", "bed", "speed", "u", "v"

_PATTERNS: tuple[tuple[str, str], ...] = (
    (BED, r"^(bottom|fond|bathymetry|topography|ground|terrain|dem|surface_altitude|bed(_?level|_?elevation)?|elevation|z|zb|"
          r"z_?bed|.*flowelem_bl|.*_bl|altitude|cote_du_fond|sohle|gelaende.*|bodenhoehe)$"),
    (DEPTH, r"^(water_?depth|depth|dep|h|hmax|h_?max|max_?depth|depth_?max|hauteur_d_?eau|wassertiefe|tiefe|inundation_?depth|"
            r"flood_?depth|flood_water_thickness|.*_?waterdepth|water_?depth_.*|depth_.*|dep_dat_format|sea_floor_depth_below_sea_surface)$"),
    (LEVEL, r"^(stage|wse|water_?level|water_?surface(_?elevation)?|surface_?elevation|free_?surface|surface_?libre|wasserspiegel|"
            r"wsp|eta|zeta|zs|.*_s1|head|level|h_el|sea_surface_.*height.*|sea_surface_elevation|water_surface_.*height.*)$"),
    (SPEED, r"^(speed|velocity(_?magnitude)?|vel(_?mag)?|vmax|v_?max|.*_ucmag|scalar_velocity|vitesse(_scalaire)?|magnitude)$"),
    (U, r"^(velocity_?u|vitesse_?u|u|ux|vx|x_?velocity|velocity_?x|.*_ucx|.*eastward.*velocity|sea_water_x_velocity|"
        r"geschw_?x|vel_?x)$"),
    (V, r"^(velocity_?v|vitesse_?v|v|uy|vy|y_?velocity|velocity_?y|.*_ucy|.*northward.*velocity|sea_water_y_velocity|"
        r"geschw_?y|vel_?y)$"),
)  # fmt: skip
_UNIT = re.compile(r"_(m|ft)(_?p?_?s)?$")
"""Units that SRH-2D and others write behind a name."""


def quantity_of(*names: str) -> str:
    """Return one of the quantities above for the first of a variable's names that tells; empty for none."""
    for name in names:
        plain = plain_name(name)
        for said in dict.fromkeys((plain, _UNIT.sub("", plain))):
            for quantity, pattern in _PATTERNS:
                if said and re.match(pattern, said):
                    return quantity
    return ""


def plain_name(name: str) -> str:
    """Return a name in small letters without accents, with single underscores for all that is no letter or digit."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")


def first_of(quantity: str, named: Iterable[tuple[str, tuple[str, ...]]]) -> str | None:
    """Return the key of the first entry whose names tell this quantity."""
    return next((key for key, names in named if quantity_of(*names) == quantity), None)
