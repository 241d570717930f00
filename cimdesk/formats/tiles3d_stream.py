"""A tileset read bit by bit: the tree grows where somebody looks, and says of each tile how it is decoded."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats.findings import Findings
from cimdesk.formats.gltf_json import json_object
from cimdesk.formats.tiles3d import is_geocentric, note_version, projected, tileset_of, up_axis
from cimdesk.formats.tiles3d_decode import DecodedTile, TileTask, decode_tile
from cimdesk.formats.tiles3d_paths import JSON_BYTES, BrokenPart, TilePlace
from cimdesk.formats.tiles3d_tree import TreeReader
from cimdesk.model.tileset import Tileset


class TileStream:
    """An opened tileset.

    Attributes
    ----------
    tileset : Tileset
        As far as it is known. Replaced, never changed, so any thread may take it.
    crs : Crs or None
        System of the world coordinates before `aim`; None when nothing says.
    findings : Findings
        What is wrong with the tree.
    """

    def __init__(self, place: TilePlace, name: str) -> None:
        self.place = place
        self.findings = Findings()
        try:
            self._document = json_object(place.read(name, JSON_BYTES))
        except BrokenPart as broken:
            raise DataError(name, broken.template, remedy=broken.remedy, **broken.values) from broken
        note_version(self._document, name, self.findings)
        self._reader = TreeReader(place, self.findings, is_lazy=True)
        self._tree = self._reader.read(self._document, name)
        self._lock = threading.Lock()
        self._is_geocentric = is_geocentric(self._tree)
        self.crs = projected(self._tree) if self._is_geocentric else None
        self._own = self._target = self.crs
        self.tileset = tileset_of(self._document, self._tree, self.crs, self._reader.stubs)

    @property
    def version(self) -> str:
        """Version the tileset states."""
        return self.tileset.version

    @property
    def is_placed(self) -> bool:
        """Whether the top of the tree says where it is."""
        return bool(np.isfinite(self.tileset.bounds).all())

    def aim(self, own: Crs | None, target: Crs | None) -> Tileset:
        """Put everything into the system ``target`` from now on; ``own`` is that of a tileset that is not earth-centred."""
        with self._lock:
            if self._is_geocentric:
                self._target = target or self.crs
                self.tileset = tileset_of(self._document, self._tree, self._target, self._reader.stubs)
            else:
                self._own, self._target = own, target
                self.tileset = self._moved(self.tileset)
        return self.tileset

    def files_below(self, row: int) -> list[tuple[str, int]]:
        """Return the references, with their limits, that `expand` will need: read before, they hold up nobody."""
        return [(stub.reference, stub.limit) for stub in self._reader.stubs.get(row, ())]

    def expand(self, row: int) -> None:
        """Read on below a row."""
        with self._lock:
            before = len(self._tree.parent)
            self._reader.expand(row)
            target = self._target if self._is_geocentric else None
            grown = tileset_of(self._document, self._tree, target, self._reader.stubs, self.tileset if before else None)
            if not self._is_geocentric:
                grown = self._moved(grown, before)
            # What the choice of tiles needs is worked out here, away from the window.
            _ = grown.children, grown.is_empty, grown.is_stub, grown.halves, grown.bounds
            self.tileset = grown

    def task(self, row: int) -> TileTask:
        """Return what it takes to decode a tile."""
        tileset = self.tileset
        contents = {reference: self._tree.described.get((row, reference), {}) for reference in tileset.contents[row]}
        return TileTask(
            row, contents, tileset.transforms[row], up_axis(self._document), self._is_geocentric, self._own, self._target
        )

    def decode(self, row: int) -> DecodedTile:
        """Read the contents of a tile; never raises for bad ones."""
        return decode_tile(self.task(row), self.place)

    def _moved(self, tileset: Tileset, start: int = 0) -> Tileset:
        own, target = self._own, self._target
        if own is None or target is None or own == target:
            return tileset
        centres = tileset.centres.copy()
        rows = np.flatnonzero(np.isfinite(centres).all(axis=1))
        rows = rows[rows >= start]
        reaches = None if tileset.reaches is None else tileset.reaches.copy()
        if reaches is not None:
            corners = [
                own.transform(target, centres[rows] + np.column_stack([sign * reaches[rows], np.zeros(len(rows))]))
                for sign in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0))
            ]
            reaches[rows] = np.ptp([each[:, :2] for each in corners], axis=0) / 2.0
        centres[rows] = own.transform(target, centres[rows])
        requests = None if tileset.requests is None else tileset.requests.moved(lambda points: own.transform(target, points))
        return replace(tileset, centres=centres, reaches=reaches, crs=target.definition, requests=requests)
