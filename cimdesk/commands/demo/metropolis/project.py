"""The metropolis as files and a project over them: terrain, tileset, bookmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress, no_progress
from cimdesk.commands import bookmarks, projects, sources
from cimdesk.commands.demo.metropolis.region import BUILDINGS, CELL, CENTRE, CORNER, CRS, SIDE, Region, make_region, to_world
from cimdesk.commands.demo.metropolis.tiles import write_tiles
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.formats.raster_write import write_geotiff
from cimdesk.model.layers import LayerKind
from cimdesk.model.style import Style
from cimdesk.model.terrain import Terrain
from cimdesk.project.trail import BASELINE

SIZE = "metropolis"
TITLE = "Metropolis demo 大都市演示"
TERRAIN, TILESET = "terrain.tif", "city/tileset.json"
TOWN = (52_400.0, 35_400.0)
BOOKMARKS: tuple[tuple[str, tuple[float, float], float, float, float], ...] = (
    ("Region 全域", (SIDE / 2, SIDE / 2 - 4_000.0), 0.0, 48.0, 118_000.0),
    ("Centre 中心城区", CENTRE, 20.0, 24.0, 9_000.0),
    ("River 珠江", (CENTRE[0] + 3_000.0, CENTRE[1] - 6_000.0), 330.0, 18.0, 3_200.0),
    ("Street 街区", (CENTRE[0] + 260.0, CENTRE[1] - 180.0), 35.0, 14.0, 420.0),
)
"""Name, place, azimuth, elevation, distance."""


class _AtOnce:
    """Runs jobs where they are started; unlike on the command line, tilesets are opened to be streamed."""

    def start(self, job: JobSpec[Any]) -> None:
        found = job.work(no_progress, CancelToken())
        if job.done is not None:
            job.done(found)


def write_metropolis(
    folder: Path, project: str, seed: int, progress: Progress, cancel: CancelToken, buildings: int = BUILDINGS, workers: int = 0
) -> Session:
    """Write the files into ``folder`` / data and the project over them; return its open session.

    Parameters
    ----------
    project : str
        Name of the project file in the folder.
    buildings, workers : int
        How many buildings, and in how many processes; 0 for one for each processor.

    Raises
    ------
    Cancelled
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    progress(0.0, tr("Terrain"))
    region = make_region(seed, buildings)
    write_geotiff(data / TERRAIN, _terrain(region), Crs(CRS))
    write_tiles(
        data / Path(TILESET).parent, seed, buildings, lambda f, text="": progress(0.02 + 0.93 * (f or 0.0), text), cancel, workers
    )
    session = projects.create(folder / project, TITLE, _AtOnce())
    sources.import_files(session, [data / TERRAIN, data / TILESET], CRS)
    _dress(session)
    for name, place, azimuth, elevation, distance in BOOKMARKS:
        east, north = to_world(np.array(place)).tolist()
        height = float(region.ground(np.array([place]))[0])
        camera = {"target": [east, north, height], "azimuth": azimuth, "elevation": elevation, "distance": distance}
        bookmarks.add(session, name, camera, 0.0)
    made = {"size": SIZE, "seed": seed, "buildings": buildings, "links": 0, "sensors": 0}
    record = session.workspace.document.update("project", "settings", demo=made)
    session.do(Edit(tr("Demo city"), (record,), merge=BASELINE))
    session.history.restore([], [], "bottom")
    projects.save(session, tr("Demo city"))
    return session


def _terrain(region: Region) -> Terrain:
    corner = CORNER
    return Terrain(region.heights[::-1].copy(), corner[0] - CELL / 2, corner[1] + SIDE + CELL / 2, CELL, CELL)


def _dress(session: Session) -> None:
    document = session.workspace.document
    records = []
    for layer in session.workspace.layers():
        is_city = layer.kind is LayerKind.TILES
        changed = layer.but(name="Buildings 建筑" if is_city else "Terrain 地形", style=Style() if is_city else layer.style)
        records.append(document.put("layer", layer.id, changed.to_record()))
    session.do(Edit(tr("Arrange layers"), tuple(records)))
