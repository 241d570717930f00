"""Tables of the project file: a GeoPackage 1.3 whose tables any GIS can read, with its version and identifying marks."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from cimdesk import __version__
from cimdesk.project.rows import MORE, Column, TableSpec

APPLICATION_ID = 0x47504B47
"""``GPKG``: GeoPackage 1.2 and later."""
GEOPACKAGE_VERSION = 10300
SCHEMA_MAJOR = 2
"""A file with a greater number cannot be used by this program; one with a smaller number is migrated in a copy."""
SCHEMA_MINOR = 0
"""Greater in a file is fine: it has more columns or tables, which are left as they are."""
UNDEFINED_SRS = -1
"""GeoPackage's code for Cartesian coordinates of no stated system."""


def _columns(*specs: str) -> tuple[Column, ...]:
    """Columns written ``name KIND`` or ``name KIND field``."""
    parts = (spec.split() for spec in specs)
    return tuple(Column(part[0], part[1], part[2] if len(part) > 2 else part[0]) for part in parts)


SPECS: tuple[TableSpec, ...] = (
    TableSpec("project", "project", "Project settings", _columns("title TEXT", "crs TEXT", "language TEXT", "origin JSON")),
    TableSpec(
        "layer",
        "layer",
        "Layers and their sources",
        _columns(
            "name TEXT", "kind TEXT", "source TEXT", "part TEXT", "crs TEXT", "visible BOOLEAN", "opacity DOUBLE",
            "ord DOUBLE order", "style JSON", "options JSON",
        ),
    ),
    TableSpec("bookmark", "bookmark", "Bookmarks", _columns("name TEXT", "time DATETIME", "camera JSON", "layers JSON")),
    TableSpec("scenario", "scenario", "Scenarios", _columns("name TEXT", "description TEXT")),
    TableSpec(
        "result", "result", "Results of runs",
        _columns("name TEXT", "scenario TEXT", "layer TEXT", "source TEXT", "created DATETIME", "statistics JSON"),
    ),
    TableSpec(
        "stage_event", "asset_stage_history", "Lifecycle stages of assets",
        _columns("layer TEXT", "feature TEXT", "stage TEXT", "date DATETIME", "who TEXT", "why TEXT", "recorded DATETIME"),
        place=True,
    ),
    TableSpec(
        "note", "note", "Notes",
        _columns("text TEXT", "author TEXT", "time DATETIME", "status TEXT", "layer TEXT", "feature TEXT"),
        place=True,
    ),
    TableSpec(
        "measure", "measure", "Flood measures",
        _columns(
            "name TEXT", "kind TEXT", "enabled BOOLEAN", "line JSON", "ends JSON to", "numbers JSON", "nodes JSON", "who TEXT",
            "time DATETIME", "why TEXT",
        ),
        place=True,
    ),
)  # fmt: skip
SPEC_OF = {spec.table: spec for spec in SPECS}

_ADMINISTRATION = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""
_WGS84 = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],'
    'PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],'
    'AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]'
)
_SYSTEMS = (
    ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", "Cartesian coordinates of no stated system"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined", "geographic coordinates of no stated system"),
    ("WGS 84 geodetic", 4326, "EPSG", 4326, _WGS84, "longitude and latitude on WGS 84"),
)
_OWN = """
CREATE TABLE cimdesk_meta (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL);
CREATE TABLE journal (number INTEGER PRIMARY KEY NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL, who TEXT NOT NULL,
  time DOUBLE NOT NULL, merge TEXT NOT NULL, records TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE restore_point (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,
  who TEXT NOT NULL, time DATETIME NOT NULL);
"""
_OWN_TITLES = {
    "cimdesk_meta": "About this project file",
    "journal": "Audit trail",
    "restore_point": "Restore points",
}
# The stage each asset is in today. Other software shows it on the map, coloured by stage.
_STAGE_VIEW = """
CREATE INDEX asset_stage_history_asset ON asset_stage_history (layer, feature, date);
CREATE VIEW asset_stage AS SELECT fid, layer, feature, stage, date AS since, who, why, geom FROM asset_stage_history AS h
  WHERE date <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AND NOT EXISTS (SELECT 1 FROM asset_stage_history AS l
    WHERE l.layer = h.layer AND l.feature = h.feature AND l.date <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
      AND (l.date, l.recorded, l.key) > (h.date, h.recorded, h.key));
"""


def create_tables(connection: sqlite3.Connection) -> None:
    """Make an empty project in an empty database; the caller holds the transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {GEOPACKAGE_VERSION}")
    _run(connection, _ADMINISTRATION)
    connection.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", _SYSTEMS)
    create_own_tables(connection)


def create_own_tables(connection: sqlite3.Connection) -> None:
    """Make cimdesk's tables in a GeoPackage that has the administrative ones."""
    _run(connection, _OWN)
    for name, title in _OWN_TITLES.items():
        _register(connection, name, title)
    for spec in SPECS:
        create_table(connection, spec)
    _run(connection, _STAGE_VIEW)
    _register(connection, "asset_stage", "Lifecycle stage of assets today", True)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    set_meta(connection, "schema", f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}")
    set_meta(connection, "application", f"cimdesk {__version__}")
    set_meta(connection, "created", now)


def create_table(connection: sqlite3.Connection, spec: TableSpec, srs_id: int = UNDEFINED_SRS) -> None:
    """Make the table of one kind of record."""
    columns = "".join(f", {column.name} {column.sql_type}" for column in spec.columns)
    geometry = ", geom POINT" if spec.place else ""
    connection.execute(
        f"CREATE TABLE {spec.name} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, key TEXT NOT NULL UNIQUE"
        f"{columns}, {MORE} TEXT{geometry})"
    )
    _register(connection, spec.name, spec.title, spec.place, srs_id)


def set_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Write one fact about the file."""
    connection.execute(
        "INSERT INTO cimdesk_meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?2", (name, value)
    )


def set_reference_system(connection: sqlite3.Connection, definition: str) -> int:
    """Give the tables with geometry the project's reference system; return its id in the file.

    Parameters
    ----------
    definition : str
        ``EPSG:n``, ``EPSG:n+m``, WKT; empty for none.
    """
    system = _system_row(definition) if definition else None
    srs_id = UNDEFINED_SRS if system is None else int(system[1])
    if system is not None:
        connection.execute("INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", system)
    connection.execute("UPDATE gpkg_contents SET srs_id = ? WHERE data_type = 'features'", (srs_id,))
    connection.execute("UPDATE gpkg_geometry_columns SET srs_id = ?", (srs_id,))
    return srs_id


def _system_row(definition: str) -> tuple[str, int, str, int, str, str] | None:
    from pyproj.exceptions import CRSError

    from cimdesk.base.crs import Crs

    try:
        system = Crs(definition).pyproj
        # GeoPackage keeps the horizontal system; WKT 1 is what its definition column is for.
        flat = system.sub_crs_list[0] if system.is_compound else system
        code = flat.to_epsg(min_confidence=70)
        text = flat.to_wkt("WKT1_GDAL")
    except CRSError:
        return None
    return (flat.name, code or 100_000, "EPSG" if code else "NONE", code or 100_000, text, definition)


def _register(connection: sqlite3.Connection, name: str, title: str, place: bool = False, srs_id: int = UNDEFINED_SRS) -> None:
    kind, srs = ("features", srs_id) if place else ("attributes", None)
    row = (name, kind, title, srs)
    connection.execute("INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES (?, ?, ?, ?)", row)
    if place:
        connection.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'POINT', ?, 1, 0)", (name, srs_id))


def _run(connection: sqlite3.Connection, script: str) -> None:
    # executescript would commit the caller's transaction first.
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)
