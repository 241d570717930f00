"""Files other than city models become tiles too: a building's model, and a single model of glTF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands.tiling import tile_files
from cimdesk.formats import registry
from cimdesk.formats.registry import ReadOptions
from cimdesk.model.city import CityModel
from cimdesk.services.tiling.pieces import piece_of_city

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", ["bim/bimwhale/SimpleWall.ifc", "3dtiles/cesium-native/DracoCompressed/CesiumMilkTruck.gltf"])
def test_models_are_tiled_whole_with_ids_and_attributes(real_data: Path, tmp_path, name):
    path = real_data / name
    (city,) = [s.data for s in registry.read(path, ReadOptions(max_error=0.0)).sources if isinstance(s.data, CityModel)]
    piece = piece_of_city(city)
    made = tile_files([path], tmp_path / "tiles", workers=1)
    assert (made.features, made.triangles) == (len(city.features), len(piece.triangles))
    read = registry.read(tmp_path / "tiles", ReadOptions(max_error=0.0)).sources[0].data.whole()
    assert sorted(read.features.ids) == sorted(city.features.ids)
    assert set(city.features.columns) <= set(read.features.columns)
    size = np.ptp(city.bounds, axis=0)
    assert np.ptp(read.bounds, axis=0) == pytest.approx(size, abs=0.05 + 0.01 * size.max())
