"""The demo city as a project: every file read through the public commands, named, ordered, styled and given its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import JobSpec, Progress
from cimdesk.base.units import parse_time
from cimdesk.commands import bookmarks, flood, lifecycle, projects, sources
from cimdesk.commands.demo import places, scenario, storm
from cimdesk.commands.demo.plan import Plan
from cimdesk.commands.demo.works import WORKS
from cimdesk.commands.flood_apart import ApartRun
from cimdesk.commands.flood_scenario import load_scenario
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import FloodResult, FloodScenario
from cimdesk.model.layers import Layer
from cimdesk.model.lifecycle import Stage
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.selection import AssetRef
from cimdesk.model.style import Style, StyleMode
from cimdesk.project.trail import BASELINE
from cimdesk.services.swmm import has_swmm

TITLE = "Liede Riverside demo 猎德滨江演示"
PROJECT_NAME = "demo.gpkg"
DATA = "data"
SCENARIO, WITH_DRAINS = "storm-50", "storm-50-drains"
FILES = (
    "city.city.json", "bridges.city.json", "trees.city.json", "terrain.tif", "drainage.inp", "water.inp", "gas.gpkg", "power.gpkg",
    "telecom.gpkg", "observations.csv", "works.gpkg", "roads.gpkg", "landuse.gpkg",
)  # fmt: skip
# File and part of a layer: its name, whether it is shown, its colour (None keeps the usual one) and what labels it.
LOOKS: Mapping[tuple[str, str], tuple[str, bool, str | None, str]] = {
    ("city.city.json", ""): ("Buildings 建筑", True, None, ""),
    ("bridges.city.json", ""): ("Bridges 桥梁", True, "#e9e4d8", ""),
    ("trees.city.json", ""): ("Trees 树木", True, "#8fb573", ""),
    ("terrain.tif", ""): ("Terrain 地形", True, None, ""),
    ("drainage.inp", ""): ("Drainage 排水", True, None, ""),
    ("water.inp", ""): ("Water 给水", True, None, ""),
    ("gas.gpkg", ""): ("Gas 燃气", True, None, ""),
    ("power.gpkg", ""): ("Power 电力", True, None, ""),
    ("telecom.gpkg", ""): ("Telecom 通信", True, None, ""),
    ("observations.csv", ""): ("Gauges 监测站", True, None, ""),
    ("works.gpkg", ""): ("Works 工程", True, None, "name"),
    ("roads.gpkg", "road_centreline"): ("Street axes 道路中线", False, "#8a8f96", "name"),
    ("roads.gpkg", "road_surface"): ("Streets 道路", True, "#d3d4d2", ""),
    ("landuse.gpkg", "parks"): ("Parks and hills 公园与山体", True, "#b5cfa0", ""),
    ("landuse.gpkg", "water"): ("River and creeks 河流与河涌", True, "#9cc3dd", ""),
    ("landuse.gpkg", "plots"): ("Plots 地块", False, None, ""),
}
BOOKMARKS: tuple[tuple[str, tuple[float, float, float], float, float, float, bool], ...] = (
    ("Overview 全景", (760.0, 330.0, 20.0), 340.0, 25.0, 1500.0, False),
    ("Underpass 下穿隧道", (930.0, 650.0, 2.0), 347.0, 27.0, 230.0, False),
    ("New centre 新城中心", (640.0, 270.0, 80.0), 318.0, 14.0, 820.0, False),
    ("Urban village 城中村", (1180.0, 190.0, 5.0), 35.0, 32.0, 340.0, False),
    ("Underground 地下管线", (930.0, 340.0, 0.0), 340.0, 38.0, 420.0, True),
)
"""Name, plan u, v and height of the target, azimuth, elevation, distance, X-ray."""


def write_project(folder: Path, plan: Plan, progress: Progress) -> Session:
    """Make the project over the files in ``folder`` / data and return its open session."""
    path = folder / PROJECT_NAME
    session = projects.create(path, TITLE)
    files = [folder / DATA / name for name in FILES]
    sources.import_files(session, files, places.CRS, lambda fraction, text="": progress(0.55 + 0.25 * (fraction or 0.0), text))
    _dress_layers(session)
    _add_scenario(session)
    progress(0.85, tr("Stages and works"))
    _add_stages(session)
    _add_bookmarks(session, plan)
    session.clock.set_time(storm.CLOCK_TIME)
    buildings, links, sensors = counts(session)
    made = {"size": plan.size, "seed": plan.seed, "buildings": buildings, "links": links, "sensors": sensors}
    record = session.workspace.document.update("project", "settings", demo=made)
    # Nobody made the steps up to here, so nobody can take them back.
    session.do(Edit(tr("Demo city"), (record,), merge=BASELINE))
    session.history.restore([], [], "bottom")
    projects.save(session, tr("Demo city"))
    return session


def _dress_layers(session: Session) -> None:
    """Name, order, show and colour the layers in one step; keep the clock's moment with the settings."""
    document = session.workspace.document
    records = [document.update("project", "settings", time=storm.CLOCK_TIME)]
    ranks = list(LOOKS)
    for layer in session.workspace.layers():
        key = _look_of(layer)
        if key is None:
            continue
        name, is_shown, color, labels = LOOKS[key]
        style = layer.style if color is None else Style(color=color)
        if labels:
            style = Style(**{**style.__dict__, "labels": labels})
        if key[0] == "works.gpkg":
            style = Style(mode=StyleMode.STAGE, labels="name")
        changed = layer.but(name=name, visible=is_shown, order=float(ranks.index(key)), style=style)
        records.append(document.put("layer", layer.id, changed.to_record()))
    session.do(Edit(tr("Arrange layers"), tuple(records)))


def _look_of(layer: Layer) -> tuple[str, str] | None:
    file = Path(layer.source).name
    found = [key for key in LOOKS if key[0] == file]
    return next((key for key in found if key[1] and key[1] in layer.part), found[0] if len(found) == 1 else None)


def layer_of(session: Session, file: str) -> Layer | None:
    """Return the layer read from a file of the demo; None when it gave none."""
    return next((layer for layer in session.workspace.layers() if Path(layer.source).name == file), None)


def _add_scenario(session: Session) -> None:
    what = "Design storm of 171 mm in three hours on high water; buildings closed, "
    told = ((SCENARIO, scenario.NAME, "sewers as a loss."), (WITH_DRAINS, scenario.NAME_WITH_DRAINS, "sewers simulated."))
    records = tuple(
        session.workspace.document.put("scenario", stem, {"name": name, "description": what + how, "source": f"{DATA}/{stem}.toml"})
        for stem, name, how in told
    )
    session.do(Edit(tr("Add scenario {name}").format(name=scenario.NAME), records))


def _add_stages(session: Session) -> None:
    """Give networks their years of operation, works their milestones, and the pipes of the works both."""
    for file, prefix in (("drainage.inp", "YS"), ("water.inp", "JS")):
        layer = layer_of(session, file)
        data = None if layer is None else session.workspace.data(layer.id)
        if layer is not None and isinstance(data, UtilityNetwork):
            _add_operation(session, layer.id, data, prefix)
    works = layer_of(session, "works.gpkg")
    data = None if works is None else session.workspace.data(works.id)
    if works is not None and isinstance(data, VectorLayer):
        by_id = {
            str(key): str(feature)
            for key, feature in zip(data.features.columns.get("id", data.features.ids), data.features.ids, strict=True)
        }
        for work in WORKS:
            for stage, date in work.stages:
                ref = AssetRef(works.id, by_id.get(work.key, work.key))
                lifecycle.mark(session, [ref], stage, parse_time(date), work.owner, work.en)
    _mark_renewals(session)


def _add_operation(session: Session, layer: str, network: UtilityNetwork, prefix: str) -> None:
    """Mark when trunk pipes went into operation, a year at a time; small pipes too where there are few."""
    rng = np.random.default_rng([len(network.links), 12])
    ids = [str(key) for key in network.links.ids]
    years = rng.choice(
        [1986, 1994, 1998, 2003, 2009, 2014, 2018, 2021], size=len(ids), p=[0.08, 0.12, 0.2, 0.2, 0.17, 0.12, 0.07, 0.04]
    )
    is_wanted = np.array([key.startswith(prefix) for key in ids]) & ((network.diameters >= 1.0) | (len(ids) < 2000))
    for year in np.unique(years[is_wanted]):
        refs = [AssetRef(layer, ids[k]) for k in np.flatnonzero(is_wanted & (years == year))]
        lifecycle.mark(session, refs, Stage.OPERATION, parse_time(f"{year}-06-30"), "Asset register", "As-built record")


def _mark_renewals(session: Session) -> None:
    """Put the pipes of running works into the stages of those works."""
    for file, street, steps in (
        (
            "water.inp",
            "Huacheng",
            (("maintenance", "2025-02-01", "Two bursts in a year, doc 25-041"), ("construction", "2026-03-16", "Main renewal W01")),
        ),
        (
            "drainage.inp",
            "Xiancun",
            (("maintenance", "2025-10-10", "CCTV grade 3, lining W06"), ("operation", "2026-03-14", "Lining accepted, doc 26-118")),
        ),
    ):
        layer = layer_of(session, file)
        data = None if layer is None else session.workspace.data(layer.id)
        if layer is None or not isinstance(data, UtilityNetwork):
            continue
        refs = [AssetRef(layer.id, key) for key in _links_on(data, street)]
        for code, date, why in steps:
            if refs:
                lifecycle.mark(session, refs, Stage.from_code(code), parse_time(date), "Maintenance department", why)


def _links_on(network: UtilityNetwork, street: str) -> list[str]:
    for name in ("tag", "tags"):
        if name in network.links.columns:
            tags = network.links.columns[name]
            return [str(key) for key, tag in zip(network.links.ids, tags, strict=True) if tag and street in str(tag)]
    return []


def _add_bookmarks(session: Session, plan: Plan) -> None:
    for name, (u, v, height), azimuth, elevation, distance, is_xray in BOOKMARKS:
        east, north = plan.warps[1].forward(np.array(u), np.array(v)).tolist()
        camera = {"target": [east, north, height], "azimuth": azimuth, "elevation": elevation, "distance": distance}
        view: dict[str, Any] = {"xray": True} if is_xray else {}
        bookmarks.add(session, name, camera, storm.CLOCK_TIME, **view)


def storm_job(session: Session, run: ApartRun | None = None) -> JobSpec[FloodResult]:
    """Return the job that simulates the demo's storm, with its sewers where SWMM is installed, and attaches the result."""
    path = session.base_dir / DATA / f"{WITH_DRAINS if has_swmm() else SCENARIO}.toml"
    if not path.exists():
        path = session.base_dir / DATA / f"{SCENARIO}.toml"

    def prepared() -> FloodScenario:
        return load_scenario(path)

    return flood.run_job(session, prepared, run=run, name=tr("Storm"))


def run_demo_storm(session: Session) -> None:
    """Simulate the demo's storm with the session's runner: at once on the command line, in the background under a window."""
    session.run(storm_job(session))


def counts(session: Session) -> tuple[int, int, int]:
    """Return how many buildings, network links and gauges the project holds."""
    from cimdesk.model.sensors import Sensors

    layers: Sequence[Layer] = session.workspace.layers()
    loaded = [session.workspace.data(layer.id) for layer in layers]
    city = layer_of(session, "city.city.json")
    table = None if city is None else session.workspace.features(city.id)
    links = sum(len(data.links) for data in loaded if isinstance(data, UtilityNetwork))
    sensors = sum(len(data.features) for data in loaded if isinstance(data, Sensors))
    return 0 if table is None else len(table), links, sensors
