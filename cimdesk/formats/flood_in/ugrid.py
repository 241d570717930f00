"""UGRID: NetCDF with an unstructured mesh, as D-Flow FM, 3Di and xugrid write it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.errors import DataError, Problem, Severity
from cimdesk.formats.flood_in import names
from cimdesk.formats.flood_in.finish import result_of
from cimdesk.formats.flood_in.mesh import Mesh, MeshFlow, no_speed, no_velocity, usable_faces
from cimdesk.formats.flood_in.netcdf import Dataset, Variable
from cimdesk.formats.registry import ReadOptions, ReadResult

_REMEDY = "Write the map output of the model again, with its mesh."


def topologies(data: Dataset, dimension: int) -> list[Variable]:
    """Return the meshes of one or two dimensions that a file describes."""
    found = [v for v in data.variables.values() if v.text("cf_role") == "mesh_topology"]
    return [v for v in found if v.attrs.get("topology_dimension") == dimension]


def read_ugrid(data: Dataset, options: ReadOptions) -> ReadResult:
    """Read the mesh of a file and the water on it; the ground alone where there is none.

    Raises
    ------
    DataError
        If there is no mesh of areas, or it cannot be understood.
    """
    meshes = topologies(data, 2)
    if not meshes:
        raise DataError(
            data.path, "it holds a network of lines and no mesh of areas.", remedy="Open the result of a model of two dimensions."
        )
    problems = [_network_problem(network) for network in topologies(data, 1)]
    mesh, usable = _mesh_of(data, meshes[0])
    if not usable.all():
        problems.append(
            Problem(
                Severity.WARNING,
                "faces-left-out",
                meshes[0].name,
                "{count} faces are left out: their nodes cannot be.",
                {"count": int((~usable).sum())},
            )
        )
    flow = _flow_of(data, meshes[0], mesh, usable)
    objects = {"nodes": len(mesh.nodes), "faces": len(usable)}
    said = str(data.attrs.get("Conventions", ""))
    version = next((word.removeprefix("UGRID-") for word in said.replace("/", " ").split() if word.startswith("UGRID-")), None)
    return result_of("UGRID", version, flow, objects, options, problems)


def _network_problem(network: Variable) -> Problem:
    return Problem(Severity.INFO, "network-left-out", network.name, "the one-dimensional network is left out.")


def _named(data: Dataset, topology: Variable, key: str) -> list[Variable]:
    found = [data.variables.get(name) for name in topology.text(key).split()]
    if not found or None in found:
        raise DataError(
            data.path, "the mesh names a part that is not in the file ({part}).", where=topology.name, remedy=_REMEDY, part=key
        )
    return [variable for variable in found if variable is not None]


def _mesh_of(data: Dataset, topology: Variable) -> tuple[Mesh, AnyArray]:
    """Return the mesh without faces that cannot be, and (F,) which of the file's faces those that stay are."""
    x, y = (variable.values().ravel() for variable in _named(data, topology, "node_coordinates")[:2])
    table = _named(data, topology, "face_node_connectivity")[0]
    numbers = table.values()
    if numbers.ndim != 2 or len(x) != len(y):
        raise DataError(data.path, "the mesh cannot be understood.", where=topology.name, remedy=_REMEDY)
    if table.dims and topology.text("face_dimension") == table.dims[1] != table.dims[0]:
        numbers = numbers.T
    start = int(table.attrs.get("start_index", 0))
    filled = ~np.isfinite(numbers) | (numbers < start)
    faces = np.where(filled, -1, np.nan_to_num(numbers) - start).astype(np.int64)
    nodes = np.column_stack([x, y])
    usable = usable_faces(nodes, faces)
    if not usable.any():
        raise DataError(data.path, "the mesh has no faces.", where=topology.name, remedy=_REMEDY)
    return Mesh(nodes, faces[usable]), usable


def _flow_of(data: Dataset, topology: Variable, mesh: Mesh, usable: AnyArray) -> MeshFlow:
    """Return the water at the faces, or else at the nodes; no times where there is none."""
    name, crs = data.path.stem, data.crs()
    ground: MeshFlow | None = None
    for at_nodes, count in ((False, len(usable)), (True, len(mesh.nodes))):
        pick: Callable[[Float], Float] = _all_of if at_nodes else lambda values: values[usable]
        found = _quantities(data, topology, count)
        bed = pick(found[names.BED].values().ravel()) if names.BED in found else None
        timed = {key: v for key, v in found.items() if len(v.shape) == 2}
        water = timed.get(names.DEPTH) or (timed.get(names.LEVEL) if bed is not None else None)
        if water is not None:
            bed = bed if bed is not None else _bed_below(timed, pick)
            times, start = data.times(water.dims[0])
            depth = _depths(water, bed, pick) if water is not timed.get(names.DEPTH) else _depths(water, None, pick)
            return MeshFlow(
                name,
                mesh,
                at_nodes,
                bed,
                times,
                depth,
                _speeds(timed, pick),
                start,
                crs,
                statistics={"engine": "UGRID"},
                velocity=_velocities(timed, pick),
            )
        if bed is not None and ground is None:
            ground = MeshFlow(name, mesh, at_nodes, bed, np.zeros(0), np.zeros, crs=crs)
    if ground is None:
        raise DataError(
            data.path, "the mesh has neither water depths nor levels nor a ground.", where=topology.name,
            remedy="Write the map output of the model with water depths.",
        )  # fmt: skip
    return ground


def _all_of(values: Float) -> Float:
    return values


def _quantities(data: Dataset, topology: Variable, count: int) -> dict[str, Variable]:
    """Return the variables with as many values as there are faces (or nodes), alone or by time, by what they are."""
    found: dict[str, Variable] = {}
    for variable in data.variables.values():
        if variable.shape[-1:] != (count,) or len(variable.shape) > 2 or variable.text("mesh") not in ("", topology.name):
            continue
        bare = variable.name.removeprefix(f"{topology.name}_")
        quantity = names.quantity_of(bare, variable.name, variable.text("standard_name"), variable.text("long_name"))
        is_better = quantity not in found or len(variable.shape) > len(found[quantity].shape)
        if quantity and is_better and not (quantity == names.BED and len(variable.shape) == 2):
            found[quantity] = variable
    return found


def _depths(water: Variable, bed: Float | None, pick: Callable[[Float], Float]) -> Callable[[int], Float]:
    return lambda k: pick(water.values(k)) - (0.0 if bed is None else bed)


def _bed_below(timed: dict[str, Variable], pick: Callable[[Float], Float]) -> Float:
    """Return the ground as the first level less the first depth; zero where no levels are told."""
    depth = pick(timed[names.DEPTH].values(0))
    return pick(timed[names.LEVEL].values(0)) - depth if names.LEVEL in timed else np.zeros_like(depth)


def _velocities(timed: dict[str, Variable], pick: Callable[[Float], Float]) -> Callable[[int], tuple[Float, Float] | None]:
    if names.U in timed and names.V in timed:
        return lambda k: (pick(timed[names.U].values(k)), pick(timed[names.V].values(k)))
    return no_velocity


def _speeds(timed: dict[str, Variable], pick: Callable[[Float], Float]) -> Callable[[int], Float | None]:
    if names.SPEED in timed:
        return lambda k: pick(timed[names.SPEED].values(k))
    if names.U in timed and names.V in timed:
        return lambda k: np.hypot(pick(timed[names.U].values(k)), pick(timed[names.V].values(k)))
    return no_speed
