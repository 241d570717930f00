"""EPANET and SWMM ``.inp`` files: who takes one, and what it gives. A broken option is a problem, not a refusal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.formats import epanet, swmm
from cimdesk.formats.findings import Findings
from cimdesk.formats.inp_sections import decode, full_name, read_bytes
from cimdesk.formats.registry import HEAD_BYTES, ReadOptions, ReadResult, Source
from cimdesk.model.layers import LayerKind
from cimdesk.model.network import UtilityNetwork

_HEADING = re.compile(r"^[ \t]*\[([A-Za-z_]+)\]?", re.MULTILINE)
_SCAN_BYTES = 64 << 20
_FLOW_OPTION = re.compile(r"^[ \t]*FLOW_UNITS\b", re.MULTILINE | re.IGNORECASE)
_NEIGHBOUR_CRS = re.compile(r'"name"\s*:\s*"([^"]*(?:EPSG|CRS84)[^"]*)"', re.IGNORECASE)
_FIRST_POINT = re.compile(r'"coordinates"\s*:\s*[\[\s]*(-?[\d.eE+]+)\s*,\s*(-?[\d.eE+]+)')

Mapper = Callable[[bytes, Findings], tuple[UtilityNetwork, dict[str, int]]]


@dataclass(frozen=True)
class InpReader:
    """Reads the ``.inp`` files of one program.

    Attributes
    ----------
    name : str
        ``EPANET`` or ``SWMM``.
    mapper : callable
        From bytes to the network and the counts of its objects.
    suffixes : tuple of str
    """

    name: str
    mapper: Mapper
    suffixes: tuple[str, ...] = (".inp",)

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the sections are those of this program; other text files need several of them."""
        if not head or b"[" not in head:
            return 0.0
        is_inp = ".inp" in (suffix.lower() for suffix in path.suffixes)
        votes = section_votes(head)
        if is_inp and len(head) >= HEAD_BYTES and votes["EPANET"] == votes["SWMM"]:
            votes = _votes_of_file(path)
        mine, other = votes[self.name], max(count for name, count in votes.items() if name != self.name)
        if mine <= other:
            return 0.0
        if is_inp:
            return 0.95
        return 0.6 if mine >= 3 else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read one network.

        Raises
        ------
        DataError
            When the file is unreadable or has neither nodes nor subcatchments.
        """
        findings = Findings()
        options.progress(None, path.name)
        network, objects = self.mapper(read_bytes(path), findings)
        options.cancel.raise_if_cancelled()
        if not len(network.nodes) and network.areas is None:
            raise DataError(
                path,
                "there are no nodes in the file.",
                remedy="Check that it is a whole {program} network with its [JUNCTIONS].",
                program=self.name,
            )
        crs = options.crs_for(neighbour_crs(path, network, findings) if options.crs is None else None)
        bounds = network.bounds
        return ReadResult(
            format=self.name,
            version=None,
            crs=None,
            objects=objects,
            extent=bounds if np.isfinite(bounds[:, :2]).all() else None,
            sources=(Source(path.stem, LayerKind.NETWORK, network, crs, options={"utility": str(network.utility)}),),
            problems=findings.problems(),
        )


def section_votes(data: bytes) -> dict[str, int]:
    """Return for each program how many sections only it has."""
    text = decode(data)[0]
    names = {name.upper() for name in _HEADING.findall(text)}
    votes = {"EPANET": 0, "SWMM": 0}
    for program, known, own in (("EPANET", epanet.SECTIONS, epanet.OWN_SECTIONS), ("SWMM", swmm.SECTIONS, swmm.OWN_SECTIONS)):
        votes[program] = len({full_name(name, known) for name in names} & own)
    votes["SWMM"] += bool(_FLOW_OPTION.search(text))
    return votes


def _votes_of_file(path: Path) -> dict[str, int]:
    try:
        with path.open("rb") as file:
            data = file.read(_SCAN_BYTES)
    except OSError:
        return {"EPANET": 0, "SWMM": 0}
    return section_votes(data)


def neighbour_crs(path: Path, network: UtilityNetwork, findings: Findings) -> Crs | None:
    """Return the reference system that a file beside the network tells; ``.inp`` files name none.

    A ``.prj`` of the same name is believed; a GeoJSON whose name starts with the network's is believed when its first point lies
    in or near the network.
    """
    projection = path.with_suffix(".prj")
    if projection.is_file() and (crs := Crs.parse(_head_text(projection))) is not None:
        findings.info("crs-beside", "", "The reference system is taken from {file} beside it.", file=projection.name)
        return crs
    low, high = network.bounds[:, :2]
    if not np.isfinite([*low, *high]).all():
        return None
    margin = (high - low).max() + 1.0
    for beside in sorted(path.parent.glob(f"{_glob_escape(path.stem)}*.*json")):
        text = _head_text(beside)
        said, first = _NEIGHBOUR_CRS.search(text), _FIRST_POINT.search(text)
        if said is None or first is None or (crs := Crs.parse(said[1])) is None:
            continue
        point = np.array([float(first[1]), float(first[2])])
        if (point >= low - margin).all() and (point <= high + margin).all():
            findings.info("crs-beside", "", "The reference system is taken from {file} beside it.", file=beside.name)
            return crs
    return None


def _head_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return decode(file.read(16 * HEAD_BYTES))[0]
    except OSError:
        return ""


def _glob_escape(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


EPANET_READER = InpReader("EPANET", epanet.read_network)
SWMM_READER = InpReader("SWMM", swmm.read_network)
