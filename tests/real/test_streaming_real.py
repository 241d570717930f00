"""Every real tileset streamed bit by bit gives what reading it whole gives."""

from __future__ import annotations

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER, place_of, shown_rows
from cimdesk.formats.tiles3d_stream import TileStream
from cimdesk.model.tileset import TiledCity

pytestmark = pytest.mark.real


def expanded(stream):
    """Read the whole tree."""
    for _ in range(10_000):
        if not stream.tileset.stubs:
            return stream
        stream.expand(min(stream.tileset.stubs))
    raise AssertionError("endless")


def test_streamed_trees_and_tiles_are_those_read_whole(real_data, facts):
    compared = with_tiles = 0
    for name, fact in facts.items():
        if not name.startswith("3dtiles/") or "tiles_explicit" not in fact:
            continue
        place, file, _ = place_of(real_data / name)
        try:
            whole = READER.read(real_data / name, ReadOptions(max_error=0.0))
        except DataError:
            continue
        stream = expanded(TileStream(place, file))
        tileset = stream.tileset
        contents = sorted(reference for references in tileset.contents for reference in references)
        assert len(contents) == whole.objects.get("contents", 0), name
        compared += 1
        known = next((source.data for source in whole.sources if isinstance(source.data, TiledCity)), None)
        if known is None:
            continue
        assert contents == sorted(r for references in known.tileset.contents for r in references), name
        if known.tileset.missing or not stream.is_placed or len(contents) > 300:
            continue
        # What is drawn twice at the same place counts once.
        rows = {(tileset.contents[row], tileset.transforms[row].tobytes()): row for row in shown_rows(tileset, 0.0).tolist()}
        blocks = [block for row in rows.values() if tileset.contents[row] and (block := stream.decode(row).block) is not None]
        # Not what the file counts: pictures and features told by a texture are cut out of its triangles.
        assert sum(len(block.triangles) for block in blocks) == len(known.city.finest.triangles), name
        bounds = [block.points.astype(float) + block.origin for block in blocks]
        known_bounds = known.city.bounds
        assert np.min([b.min(axis=0) for b in bounds], axis=0) == pytest.approx(known_bounds[0], abs=0.05), name
        assert np.max([b.max(axis=0) for b in bounds], axis=0) == pytest.approx(known_bounds[1], abs=0.05), name
        with_tiles += 1
    assert compared > 100
    assert with_tiles > 20
