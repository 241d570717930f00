"""From rows of nodes and links to one UtilityNetwork: identifiers, ends, positions and bends, the same for EPANET and SWMM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float, Int, Strings, offsets_from_counts
from cimdesk.formats.findings import Findings
from cimdesk.formats.inp_sections import Section
from cimdesk.model.features import FeatureTable, VectorLayer, as_strings
from cimdesk.model.network import LinkKind, NodeKind, Utility, UtilityNetwork

WIDEST = 10.0

Columns = dict[str, AnyArray]


@dataclass(frozen=True)
class Part:
    """Rows of one section as nodes or links of one kind.

    Attributes
    ----------
    kind : NodeKind or LinkKind
    section : Section
        First word of each row is the identifier; of links the next two are its ends.
    columns : dict of str to (R,) array
        Attributes in SI.
    """

    kind: NodeKind | LinkKind
    section: Section
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class Stacked:
    """Parts put together: one row per node or link.

    Attributes
    ----------
    table : FeatureTable
    kinds : (N,) uint8
    words : list of list of str
        The row of the file behind each feature.
    places : list of str
        Where that row is.
    row_of : dict of str to int
        By identifier as the program compares them.
    """

    table: FeatureTable
    kinds: AnyArray
    words: list[list[str]]
    places: list[str]
    row_of: dict[str, int]


class InpNetwork:
    """Puts a network together from parts; identifiers are compared through ``key`` (SWMM ignores case, EPANET does not)."""

    def __init__(self, findings: Findings, key: Callable[[str], str] = str) -> None:
        self.findings = findings
        self.key = key

    def stack(self, parts: Sequence[Part]) -> Stacked:
        """Return all parts as one table; a repeated identifier keeps its first row and is noted."""
        words = [row for part in parts for row in part.section.rows]
        places = [part.section.where(k) for part in parts for k in range(len(part.section))]
        kinds = np.concatenate([np.full(len(part.section), part.kind) for part in parts] or [np.zeros(0)]).astype(np.uint8)
        columns = stack_columns([part.columns for part in parts], [len(part.section) for part in parts])
        row_of: dict[str, int] = {}
        kept: list[int] = []
        for k, row in enumerate(words):
            if row_of.setdefault(self.key(row[0]), len(kept)) == len(kept):
                kept.append(k)
            else:
                self.findings.error("duplicate-id", places[k], "“{id}” is defined before; this one is left out.", id=row[0][:40])
        index = np.array(kept, dtype=np.int64)
        table = FeatureTable(as_strings(words[k][0] for k in kept), {name: values[index] for name, values in columns.items()})
        return Stacked(table, kinds[index], [words[k] for k in kept], [places[k] for k in kept], row_of)

    def build(
        self,
        utility: Utility,
        node_parts: Sequence[Part],
        link_parts: Sequence[Part],
        coordinates: Section,
        vertices: Section,
        elevations: str,
        areas: VectorLayer | None,
        metadata: Mapping[str, Any],
    ) -> UtilityNetwork:
        """Return the network.

        Parameters
        ----------
        utility : Utility
        node_parts, link_parts : sequence of Part
            Links need columns ``diameter`` and ``length`` [m].
        coordinates, vertices : Section
        elevations : str
            Node column with the heights of the positions [m].
        areas : VectorLayer or None
        metadata : mapping
        """
        nodes = self.stack(node_parts)
        links = self.stack(link_parts)
        start, end, whole = self._ends(nodes, links)
        positions = self._positions(nodes, coordinates, nodes.table.columns.get(elevations, np.full(len(nodes.table), np.nan)))
        bends, offsets = self._bends(links, vertices)
        if not whole.all():
            links = _only(links, whole)
            keep = np.repeat(whole, np.diff(offsets))
            bends, offsets = bends[keep], offsets_from_counts(np.diff(offsets)[whole])
            start, end = start[whole], end[whole]
        bends[:, 2] = _bend_heights(positions, start, end, offsets)
        columns = links.table.columns
        return UtilityNetwork(
            utility,
            nodes.table,
            links.table,
            nodes.kinds,
            links.kinds,
            positions,
            start,
            end,
            self._believable(links.table),
            columns.get("length", np.zeros(0)),
            bends,
            offsets,
            columns.get("is_open", np.ones(len(start), dtype=bool)),
            areas,
            metadata,
        )

    def _believable(self, links: FeatureTable) -> Float:
        """Return diameters [m], unknown above `WIDEST`: modellers write such sizes for links without resistance."""
        diameters: Float = links.columns.get("diameter", np.zeros(0))
        wide = np.flatnonzero(diameters > WIDEST)
        if len(wide):
            self.findings.info(
                "wide-links", "", "{count} links are wider than {size} m, such as “{id}”; they are not drawn as wide.",
                count=len(wide), size=int(WIDEST), id=str(links.ids[wide[0]])[:40],
            )  # fmt: skip
        return np.where(diameters > WIDEST, np.nan, diameters)

    def _ends(self, nodes: Stacked, links: Stacked) -> tuple[AnyArray, AnyArray, AnyArray]:
        count = len(links.words)
        ends = np.full((count, 2), -1, dtype=np.int32)
        for k, row in enumerate(links.words):
            for side in (0, 1):
                name = row[1 + side]
                found = nodes.row_of.get(self.key(name), -1)
                ends[k, side] = found
                if found < 0:
                    self.findings.error(
                        "unknown-node", links.places[k], "Link “{id}” ends at “{node}”, which is not defined; it is left out.",
                        id=row[0][:40], node=name[:40],
                    )  # fmt: skip
        loops = (ends[:, 0] == ends[:, 1]) & (ends[:, 0] >= 0)
        for k in np.flatnonzero(loops).tolist():
            self.findings.add("loop", links.places[k], "Link “{id}” starts and ends at the same node.", id=links.words[k][0][:40])
        return ends[:, 0].copy(), ends[:, 1].copy(), np.asarray((ends >= 0).all(axis=1))

    def _positions(self, nodes: Stacked, section: Section, heights: AnyArray) -> Float:
        positions = np.full((len(nodes.table), 3), np.nan)
        positions[:, 2] = heights
        rows, points = self._points(section, nodes.row_of)
        positions[rows, :2] = points
        missing = np.flatnonzero(~np.isfinite(positions[:, :2]).all(axis=1))
        positions[missing, :2] = np.nan
        if len(missing):
            self.findings.add(
                "no-coordinates", f"[{section.name}]", "{count} nodes have no coordinates, such as {examples}; they are not drawn.",
                count=len(missing), examples=", ".join(str(nodes.table.ids[k])[:20] for k in missing[:3]),
            )  # fmt: skip
        return positions

    def _bends(self, links: Stacked, section: Section) -> tuple[Float, Int]:
        rows, points = self._points(section, links.row_of)
        whole = np.isfinite(points).all(axis=1)
        rows, points = rows[whole], points[whole]
        order = np.argsort(rows, kind="stable")
        bends = np.full((len(rows), 3), np.nan)
        bends[:, :2] = points[order]
        return bends, offsets_from_counts(np.bincount(rows, minlength=len(links.table)))

    def _points(self, section: Section, row_of: Mapping[str, int]) -> tuple[Int, Float]:
        section = section.with_words(3, self.findings)
        rows = np.array([row_of.get(self.key(row[0]), -1) for row in section.rows], dtype=np.int64)
        points = np.column_stack([section.numbers(1, self.findings), section.numbers(2, self.findings)])
        strange = np.flatnonzero(rows < 0)
        if len(strange):
            self.findings.add(
                "unknown-place", section.where(int(strange[0])),
                "{count} places are of something that is not defined, such as “{id}”.",
                count=len(strange), id=section.rows[strange[0]][0][:40],
            )  # fmt: skip
        return rows[rows >= 0], points[rows >= 0]


def object_column(values: Iterable[str | None]) -> Strings:
    """Return (N,) object values; None is missing."""
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def apply_tags(nodes: Sequence[Part], links: Sequence[Part], section: Section, key: Callable[[str], str] = str) -> None:
    """Add column ``tag`` to the parts for which [TAGS] has any."""
    tags = {(row[0].upper(), key(row[1])): row[2] for row in section.rows if len(row) > 2}
    for what, parts in (("NODE", nodes), ("LINK", links)):
        if any(of == what for of, _ in tags):
            for part in parts:
                part.columns["tag"] = object_column(tags.get((what, key(row[0]))) for row in part.section.rows)


def stack_columns(parts: Sequence[Columns], counts: Sequence[int]) -> Columns:
    """Return the columns of all parts one below the other; NaN, None or True where a part lacks one."""
    names = dict.fromkeys(name for columns in parts for name in columns)
    stacked: Columns = {}
    for name in names:
        dtype = next(columns[name].dtype for columns in parts if name in columns)
        fill = {"b": True, "O": None}.get(dtype.kind, np.nan)
        pieces = [
            columns[name] if name in columns else np.full(count, fill, dtype=dtype)
            for columns, count in zip(parts, counts, strict=True)
        ]
        stacked[name] = np.concatenate(pieces)
    return stacked


def _only(links: Stacked, keep: AnyArray) -> Stacked:
    rows = np.flatnonzero(keep)
    return Stacked(links.table.take(rows), links.kinds[rows], [links.words[k] for k in rows], [links.places[k] for k in rows], {})


def _bend_heights(positions: Float, start: AnyArray, end: AnyArray, offsets: Int) -> Float:
    """Return heights of the bends, linear by number between the two ends of their link."""
    counts = np.diff(offsets)
    link = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(link)) - offsets[link] + 1
    share = place / (counts[link] + 1)
    heights: Float = positions[start[link], 2] * (1 - share) + positions[end[link], 2] * share
    return heights
