"""Tags of OpenStreetMap's areas as columns: GDAL gives a few by name and the rest as one text of key=>value pairs.

Lines and points keep that text: what routes and signs are tagged with must not be taken for what pipes are described by.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from cimdesk.base.arrays import AnyArray

OTHER = "other_tags"
MOST_TAGS = 60
_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def with_tags(columns: Mapping[str, AnyArray], wanted: Sequence[str] | None = None) -> dict[str, AnyArray]:
    """Return the columns of areas with tags as columns of their own, and an ``id`` that says what they are.

    Parameters
    ----------
    columns : mapping of str to (N,) array
    wanted : sequence of str or None
        Tags that become columns; None for the most frequent ones.
    """
    made = dict(columns)
    if "osm_way_id" not in made or "osm_id" not in made:
        return made
    if "id" not in made:
        made = {"id": _area_ids(made["osm_id"], made["osm_way_id"]), **made}
    texts = made.get(OTHER)
    if texts is None or texts.dtype != object:
        return made
    rows = [dict(_pairs(text)) if isinstance(text, str) else {} for text in texts.tolist()]
    tags = frequent_tags(texts) if wanted is None else wanted
    names = [key for key in tags if key not in made]
    for name in names:
        values = np.empty(len(rows), dtype=object)
        values[:] = [row.pop(name, None) for row in rows]
        made[name] = values
    del made[OTHER]
    if any(rows):
        left = np.empty(len(rows), dtype=object)
        left[:] = ["; ".join(f"{key}={value}" for key, value in row.items()) or None for row in rows]
        made[OTHER] = left
    return made


def frequent_tags(texts: AnyArray) -> list[str]:
    """Return the most frequent tags of (N,) texts of tags."""
    counts = Counter(key for text in texts.tolist() if isinstance(text, str) for key in dict(_pairs(text)))
    return [key for key, _ in counts.most_common(MOST_TAGS)]


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(_ESCAPED.sub(r"\1", key), _ESCAPED.sub(r"\1", value)) for key, value in _PAIR.findall(text)]


def _area_ids(relations: AnyArray, ways: AnyArray) -> AnyArray:
    out = np.empty(len(ways), dtype=object)
    pairs = enumerate(zip(relations.tolist(), ways.tolist(), strict=True))
    out[:] = [f"way/{way}" if way else f"relation/{relation}" if relation else f"area/{row}" for row, (relation, way) in pairs]
    return out
