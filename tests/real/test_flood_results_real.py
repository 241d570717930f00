"""Results of HEC-RAS, TELEMAC, D-Flow FM, ANUGA, TUFLOW and xugrid: counts, times, water and maxima as other programs tell them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from cimdesk.commands.checking import check
from cimdesk.commands.session import Session
from cimdesk.commands.sources import import_files
from cimdesk.formats.flood_in.hecras import FOOT
from cimdesk.formats.hydrograph_files import read_hydrographs
from cimdesk.formats.registry import ReadOptions, read
from cimdesk.model.flood import FloodResult

pytestmark = pytest.mark.real


def flood_of(path: Path, **extra: object) -> FloodResult:
    data = read(path, ReadOptions(extra=extra)).sources[0].data
    assert isinstance(data, FloodResult)
    return data


def test_meshes_and_times_are_those_of_the_facts(real_data: Path, facts: dict) -> None:
    compared = 0
    for name, fact in facts.items():
        if not name.startswith("flood/"):
            continue
        report = check(real_data / name)
        objects, dims = report["objects"], fact.get("dims", {})
        for theirs, ours in (
            ("number_of_points", "nodes"), ("number_of_volumes", "faces"), ("number_of_timesteps", "times"),
            ("nmesh2d_face", "faces"),
            ("nmesh2d_node", "nodes"), ("mesh2d_nFaces", "faces"), ("mesh2d_nNodes", "nodes"), ("time", "times"),
        ):  # fmt: skip
            if theirs in dims:
                assert objects[ours] == dims[theirs], name
                compared += 1
        cards = fact.get("cards", {})
        if "ND" in cards:
            assert objects["nodes"] == cards["ND"], name
            assert objects["faces"] == cards.get("E4Q", 0) + cards.get("E3T", 0), name
            compared += 1
        if fact.get("2d_areas"):
            assert objects["areas"] == len(fact["2d_areas"])
            for key in ("cells", "facepoints"):
                assert objects[key] == sum(area[key] for area in fact["2d_areas"].values()), name
            compared += 1
    assert compared >= 14


def test_hecras_maxima_are_those_that_rashdf_tells(real_data: Path) -> None:
    """The summary of another reader, cell by cell: 4425 cells with their highest level [ft]."""
    with (real_data / "flood/hecras/BaldEagleDamBrk.summary-cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    depth = np.array([float(row["max_ws"]) - float(row["min_ws"]) for row in rows]) * FOOT
    result = read(real_data / "flood/hecras/BaldEagleDamBrk.p18.hdf")
    flood = result.sources[0].data
    assert isinstance(flood, FloodResult)
    assert f"{len(rows)} faces" in next(problem for problem in result.problems if problem.code == "gridded").message
    assert flood.max_depth.max() == pytest.approx(depth.max(), rel=0.02)
    assert result.crs == "EPSG:2271"
    assert flood.terrain.cell_x == 50.0


def test_hecras_series_find_their_mesh_beside_them(real_data: Path) -> None:
    flood = flood_of(real_data / "flood/hecras/BaldEagleDamBrk.p18.timeseries.hdf")
    assert len(flood.times) == 37
    assert flood.times[1] == 7200.0
    assert flood.start_time == 915192000.0  # 1 January 1999, 12:00
    assert np.nanmax(flood.max_speed) > 1.0
    assert flood.volume[-1] > flood.volume[0]


def test_cairns_is_as_anuga_tells_it(real_data: Path) -> None:
    """Volume of the mesh, linear in each triangle, beside that of the grid; the wave comes from the east."""
    from scipy.io import netcdf_file

    path = real_data / "flood/mdal/cairns.sww"
    with netcdf_file(path, mmap=False) as file:
        x, y, z, volumes, stage = (np.array(file.variables[name][:], dtype=float) for name in ("x", "y", "z", "volumes", "stage"))
    corners = volumes.astype(int)
    ax, bx, cx = x[corners].T
    ay, by, cy = y[corners].T
    area = 0.5 * np.abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))
    told = [(np.maximum(level - z, 0.0)[corners].mean(axis=1) * area).sum() for level in stage]
    for cell in (5.0, 17.0):
        np.testing.assert_allclose(flood_of(path, cell=cell).volume, told, rtol=2e-4, atol=5.0)


@pytest.mark.parametrize(
    ("name", "times", "last"), [("simplebox_hex7_map.nc", 13, 120.0), ("manzese_1d2d_small_map.nc", 6, 3000.0)]
)
def test_maps_of_dflow_have_all_their_water(name: str, times: int, last: float, real_data: Path) -> None:
    import shapely
    from scipy.io import netcdf_file

    path = real_data / "flood/mdal" / name
    flood = flood_of(path)
    assert len(flood.times) == times
    assert flood.times[-1] == last
    with netcdf_file(path, mmap=False) as file:
        depth = np.array(file.variables["mesh2d_waterdepth"][:], dtype=float)
        nodes = np.column_stack([file.variables[f"mesh2d_node_{axis}"][:].astype(float) for axis in "xy"])
        faces = np.array(file.variables["mesh2d_face_nodes"][:])
    area = np.array([shapely.Polygon(nodes[face[face > 0] - 1]).area for face in faces])
    np.testing.assert_allclose(flood.volume, (np.maximum(depth, 0.0) * area).sum(axis=1), rtol=2e-3)


def test_malpasset_of_telemac(real_data: Path) -> None:
    flood = flood_of(real_data / "flood/mdal/example_res_fr.slf")
    assert flood.times.tolist() == [0.0, 4000.0]
    assert flood.max_depth.max() == pytest.approx(55.0, abs=0.5)  # the reservoir behind the dam
    assert flood.volume[1] == pytest.approx(flood.volume[0], rel=2e-3)  # nothing has left the valley


def test_binary_values_leave_the_maxima_out_of_the_times(real_data: Path) -> None:
    flood = flood_of(real_data / "flood/mdal/regular_grid.2dm")
    assert len(flood.times) == 61
    assert flood.times[-1] == pytest.approx(5.0 * 3600.0)


def test_every_result_becomes_a_layer_in_metres(real_data: Path) -> None:
    for path in sorted((real_data / "flood/mdal").iterdir()) + sorted((real_data / "flood/hecras").glob("*.p18.hdf")):
        if path.suffix != ".dat" and "reflines" not in path.name:  # hydrographs alone, without the levels of cells
            session = Session()
            layers = import_files(session, [path])
            frame = session.workspace.frame
            assert len(layers) == 1, path
            assert frame is not None
            assert frame.crs is None or frame.crs.pyproj.axis_info[0].unit_conversion_factor == 1.0


def test_hydrographs_of_hecras_without_a_mesh_are_gauges(real_data: Path) -> None:
    import h5py

    path = real_data / "flood/hecras/BaldEagleDamBrk.reflines-refpts.p18.hdf"
    session = Session()
    (layer,) = import_files(session, [path])
    sensors = session.workspace.data(layer.id)
    assert len(sensors.features) == 2 * 4 + 2 * 3
    assert set(sensors.features.columns["quantity"]) == {"flow_rate", "water_level", "velocity"}
    names = sensors.features.columns["name"].tolist()
    quantities = sensors.features.columns["quantity"].tolist()
    row = next(k for k, both in enumerate(zip(names, quantities, strict=True)) if both == ("Reference Line 2", "flow_rate"))
    with h5py.File(path) as data:
        flow = data["Results/Unsteady/Output/Output Blocks/Base Output/Unsteady Time Series/Reference Lines/Flow"][:, 1]
    times, values = sensors.observations.series(row)
    assert len(times) == 37
    assert np.diff(times) == pytest.approx(2 * 3600.0)
    assert values == pytest.approx(flow * 0.3048**3, rel=1e-6)
    assert np.isfinite(sensors.positions[:, :2]).all()
    # The place is that of the flow areas whose mesh lies beside it.
    mesh = flood_of(real_data / "flood/hecras/BaldEagleDamBrk.p18.timeseries.hdf").terrain.bounds
    x, y = sensors.positions[row, :2]
    assert mesh[0, 0] < x < mesh[1, 0]
    assert mesh[0, 1] < y < mesh[1, 1]


def test_velocities_of_cells_are_those_of_hecras(real_data: Path) -> None:
    """HEC-RAS tells the speed in the cells of its reference points: it comes out of the faces the same, to the millimetre."""
    import h5py

    from cimdesk.formats.flood_in import hecras

    folder = real_data / "flood/hecras"
    path = folder / "BaldEagleDamBrk.p18.timeseries.hdf"
    with h5py.File(path) as data, h5py.File(folder / "BaldEagleDamBrk.reflines-refpts.p18.hdf") as points:
        areas, _ = hecras._beside(path, data, hecras.area_names(data))
        times, _, level = hecras._levels(data, areas)
        speed, velocity = hecras._motion(data, areas, len(times), level)
        told = points[f"{hecras.SERIES}/Reference Points"]
        numbers, cells = told["Velocity"].attrs["2D Areas"], told["Velocity"].attrs["Cells"]
        starts = np.concatenate([[0], np.cumsum([len(area.cells) for area in areas])])
        rows = [starts[a] + int(np.flatnonzero(areas[a].cells == cell)[0]) for a, cell in zip(numbers, cells, strict=True)]
        ours = np.array([speed(k)[rows] for k in range(len(times))])
        np.testing.assert_allclose(ours, told["Velocity"][:], atol=2e-3)
        # In the valley of the dam break the water goes down it, to the north-east.
        east, north = velocity(20)
        assert east[rows[1]] > 3.0
        assert north[rows[1]] > 3.0


@pytest.mark.parametrize(
    ("name", "fastest"),
    [("mdal/example_res_fr.slf", 7.43), ("mdal/manzese_1d2d_small_map.nc", 0.54), ("mdal/simplebox_hex7_map.nc", 1.94),
     ("hecras/BaldEagleDamBrk.p18.timeseries.hdf", 4.94)],
)  # fmt: skip
def test_results_with_velocities_bring_them(name: str, fastest: float, real_data: Path) -> None:
    flood = flood_of(real_data / "flood" / name)
    assert flood.flow is not None
    assert len(flood.flow) == len(flood.times)
    assert np.nanmax(flood.max_speed) == pytest.approx(fastest, rel=0.01)
    quickest = max(float(np.hypot(*flood.flow.frame(k)).max()) for k in range(len(flood.times)))
    assert 0.5 * fastest < quickest <= 1.05 * fastest


def test_reference_lines_of_hecras_can_drive_a_flood(real_data: Path) -> None:
    found = read_hydrographs(real_data / "flood/hecras/BaldEagleDamBrk.reflines-refpts.p18.hdf")
    flows = [one for one in found if one.quantity == "discharge"]
    assert len(flows) == 4
    assert len(found) == 4 + 4 + 3
    assert all(one.has_place and one.is_dated and len(one.times) == 37 for one in found)
    (line,) = [one for one in flows if one.name == "Reference Line 2"]
    assert line.values.max() == pytest.approx(2708.4, abs=0.1)  # 95,645 cubic feet per second
    mesh = flood_of(real_data / "flood/hecras/BaldEagleDamBrk.p18.timeseries.hdf").terrain
    layer = read(real_data / "flood/hecras/BaldEagleDamBrk.p18.timeseries.hdf").sources[0]
    x, y = line.place_in(layer.crs)
    assert mesh.bounds[0, 0] < x < mesh.bounds[1, 0]
    assert mesh.bounds[0, 1] < y < mesh.bounds[1, 1]
