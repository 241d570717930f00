"""Real elevation files against facts found with independent tools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.raster import READER
from cimdesk.formats.registry import ReadOptions, read_head

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")]


def terrain_facts(facts: dict, parser: str) -> dict[str, dict]:
    return {name: fact for name, fact in facts.items() if name.startswith("terrain/") and fact.get("parser") == parser}


def test_every_raster_agrees_with_its_facts(real_data: Path, facts: dict):
    found = terrain_facts(facts, "rasterio")
    assert len(found) >= 12
    for name, fact in found.items():
        path = real_data / name
        assert READER.claim(path, read_head(path)) >= 0.6, name
        result = READER.read(path, ReadOptions())
        assert result.objects["bands"] == fact["bands"], name
        assert result.crs == (None if fact["crs"] == "None" else fact["crs"]), name
        np.testing.assert_allclose(result.extent[:, :2].ravel(), fact["bounds"], rtol=1e-12, err_msg=name)
        if "valid" in fact and np.isfinite(fact["min"]):
            z = result.sources[0].data.elevations
            assert np.isfinite(z).sum() == fact["valid"], name
            if "scale" not in name:
                assert (float(z.min() if np.isfinite(z).all() else np.nanmin(z))) == pytest.approx(fact["min"], rel=1e-6), name
                assert float(np.nanmax(z)) == pytest.approx(fact["max"], rel=1e-6), name
                assert float(np.nanmean(z, dtype=np.float64)) == pytest.approx(fact["mean"], abs=2e-4), name


def test_a_raster_with_scale_and_offset_gives_physical_values(real_data: Path, facts: dict):
    name = "terrain/cog/cog_scale_epsg4326.tif"
    z = READER.read(real_data / name, ReadOptions()).sources[0].data.elevations
    assert float(np.nanmin(z)) == pytest.approx(1000.0 - 620.0 * 1e-4, abs=1e-3)
    assert float(np.nanmax(z)) == pytest.approx(1000.0 + 13413.0 * 1e-4, abs=1e-3)


def test_a_corrupt_raster_is_read_in_part_and_says_so(real_data: Path):
    result = READER.read(real_data / "terrain/rasterio/corrupt.tif", ReadOptions())
    assert "damaged-blocks" in {problem.code for problem in result.problems}
    assert np.isnan(result.sources[0].data.elevations).sum() == 512 * 512


def test_every_quantized_mesh_tile_has_the_counts_of_its_facts(real_data: Path, facts: dict):
    found = {name: fact for name, fact in terrain_facts(facts, "struct").items() if name.endswith(".terrain")}
    assert len(found) == 11
    for name, fact in found.items():
        result = READER.read(real_data / name, ReadOptions())
        assert dict(result.objects) == {"vertices": fact["vertices"], "triangles": fact["triangles"]}, name
        assert result.problems[0].values == {"low": round(fact["min_h"], 2), "high": round(fact["max_h"], 2)}, name


def test_descriptions_of_terrain_tiles_are_refused_in_one_message(real_data: Path):
    for path in sorted((real_data / "terrain/quantized-mesh").rglob("*.json")):
        assert READER.claim(path, read_head(path)) > 0.5, path.name
        with pytest.raises(DataError, match="holds no elevations"):
            READER.read(path, ReadOptions())


def test_the_merewether_terrain_is_read_from_its_zip(real_data: Path):
    path = real_data / "flood/anuga/merewether/topography1.zip"
    assert READER.claim(path, read_head(path)) > 0.5
    result = READER.read(path, ReadOptions())
    terrain = result.sources[0].data
    assert terrain.shape == (416, 321)
    assert 16.0 < float(np.nanmin(terrain.elevations)) < float(np.nanmax(terrain.elevations)) < 52.0
