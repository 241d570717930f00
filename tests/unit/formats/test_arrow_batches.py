"""Batches of GDAL without a library for Arrow: every type that is read, gaps and texts of any language."""

from __future__ import annotations

import json

import numpy as np
from pyogrio.raw import open_arrow

from cimdesk.formats.arrow_batches import batches


def test_batches_hold_what_the_file_does(tmp_path):
    rows = [{"n": 1, "x": 1.5, "t": "高"}, {"n": None, "x": 2.5, "t": None}, {"n": 3, "x": None, "t": ""}]
    features = [
        {"type": "Feature", "properties": row, "geometry": {"type": "Point", "coordinates": [k, 0]}} for k, row in enumerate(rows)
    ]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with open_arrow(path, batch_size=2, return_fids=True) as (_, source):
        found = list(batches(source))
    assert [len(batch["t"]) for batch in found] == [2, 1]
    assert [value for batch in found for value in batch["t"].tolist()] == ["高", None, ""]
    np.testing.assert_array_equal(np.concatenate([batch["n"] for batch in found]), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(np.concatenate([batch["x"] for batch in found]), [1.5, 2.5, np.nan])
    np.testing.assert_array_equal(np.concatenate([batch["OGC_FID"] for batch in found]), [0, 1, 2])
    assert all(isinstance(value, bytes) for batch in found for value in batch["wkb_geometry"])
