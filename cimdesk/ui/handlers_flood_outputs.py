"""What the actions about the outputs of floods do: export, hydrographs."""

from __future__ import annotations

from cimdesk.base.i18n import tr
from cimdesk.commands.flood_fine_export import can_be_fine
from cimdesk.commands.flood_outputs import DEPTH, HYDROGRAPHS, ExportWish, export_job
from cimdesk.model.appearance import active_flood
from cimdesk.model.flood import FloodResult
from cimdesk.model.flood_maps import available, map_named
from cimdesk.ui.desk import Desk

CHOICES = (
    ("nc", ".nc", "NetCDF-CF"), ("zarr", ".zarr", "Zarr"), ("tif", ".tif", "GeoTIFF"), ("cog", ".tif", "Cloud-optimised GeoTIFF"),
    ("gpkg", ".gpkg", "GeoPackage"), ("csv", ".csv", "CSV"),
)  # fmt: skip


def export_flood(desk: Desk) -> None:
    """Ask for a format, a map and a file, and write the shown flood."""
    found = active_flood(desk.session.workspace)
    if found is None:
        return
    layer, result = found
    row = desk.ask.choice(tr("Export flood"), tr("Format"), [name for _, _, name in CHOICES])
    if row is None:
        return
    kind, suffix, _ = CHOICES[row]
    what: tuple[str, ...] = ()
    if kind in ("tif", "cog", "gpkg"):
        keys = available(result)
        names = [*(tr(map_named(key).title) for key in keys), tr("Depths at every time"), tr("All maps")]
        chosen = desk.ask.choice(tr("Export flood"), tr("Show"), names)
        if chosen is None:
            return
        what = keys if chosen == len(keys) + 1 else (DEPTH,) if chosen == len(keys) else (keys[chosen],)
    is_fine = False
    if kind in ("tif", "cog") and can_be_fine(result):
        row = desk.ask.choice(tr("Export flood"), tr("Cells"), _cells_of(result))
        if row is None:
            return
        is_fine = row == 0
    path = desk.ask.save_path(tr("Export flood"), suffix, result.name)
    if path is not None:
        desk.run(export_job(desk.session, layer.id, ExportWish(path, what, kind, is_fine=is_fine), desk.message.emit))


def _cells_of(result: FloodResult) -> list[str]:
    """Return the names of the cells that a run on coarse cells can be written on, the fine ones first."""
    fine = float(result.statistics["subgrid"]["fine_cell"])
    return [
        tr("fine ground, {cell:g} m").format(cell=fine),
        tr("cells that were computed on, {cell:g} m").format(cell=result.terrain.cell_x),
    ]


def export_hydrographs(desk: Desk, place: tuple[float, float] | None = None) -> None:
    """Ask for a file and write the hydrographs of the shown flood as CSV."""
    found = active_flood(desk.session.workspace)
    if found is None:
        return
    layer, result = found
    path = desk.ask.save_path(tr("Export hydrographs"), ".csv", result.name)
    if path is not None:
        points = () if place is None else ((tr("Here"), *place),)
        desk.run(export_job(desk.session, layer.id, ExportWish(path, (HYDROGRAPHS,), "csv", (), points), desk.message.emit))


def show_hydrographs(desk: Desk) -> None:
    """Show depths and levels at the gauges of the shown flood, and discharges across its lines."""
    desk.ask.form("hydrographs", desk)
