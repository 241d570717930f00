"""Times a peer of the flood engines. Run by the Python that the peers are installed in, which need not have cimdesk.

``python flood_engines.py PEER CASE.npz SECONDS`` writes one line of JSON: million cell (or triangle) steps per second of processor.
``python flood_engines.py depths CASE.npz OUT.npy`` runs landlab on a case (``ground``, ``depth``, ``dx``, ``manning``,
``duration``) between closed walls and keeps its depths.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np


def best(step, seconds):
    """Return the processor time of the quickest step [s]."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        started = time.process_time()
        step()
        times.append(time.process_time() - started)
    return min(times)


def landlab(case, seconds):
    """OverlandFlow, the inertial scheme in Cython, float64."""
    from landlab import RasterModelGrid
    from landlab.components import OverlandFlow

    grid = RasterModelGrid(case["ground"].shape, float(case["dx"]))
    grid.add_field("topographic__elevation", case["ground"].astype(float).ravel(), at="node")
    grid.add_full("surface_water__depth", 0.1, at="node")
    flow = OverlandFlow(grid, mannings_n=0.03, steep_slopes=True, rainfall_intensity=50 / 3.6e6)
    return case["ground"].size / best(lambda: flow.overland_flow(dt=0.5), seconds) / 1e6


def itzi(case, seconds):
    """The inertial scheme in Cython with OpenMP, float32; its step with depths, speeds and their maxima."""
    from itzi.rasterdomain import RasterDomain
    from itzi.surfaceflow import SurfaceFlowSimulation

    ground, dx = case["ground"], float(case["dx"])
    domain = RasterDomain(np.float32, np.zeros(ground.shape, bool), (dx, dx))
    domain.update_array("dem", ground.astype(np.float32))
    domain.update_array("friction", np.full_like(ground, 0.03, dtype=np.float32))
    domain.update_array("water_depth", np.full_like(ground, 0.1, dtype=np.float32))
    domain.get_array("ext")[:] = 50 / 3.6e6
    options = {"dtmax": 0.5, "cfl": 0.7, "g": 9.81, "theta": 0.9, "hmin": 0.005, "slmax": 0.1, "vrouting": 0.1}
    flow = SurfaceFlowSimulation(domain, options)
    flow.update_flow_dir()

    def step():
        flow.solve_dt()
        flow.step()

    return ground.size / best(step, seconds) / 1e6


def anuga(case, seconds):
    """DE1: second order on triangles, float64; triangle steps, and a step is both of its stages."""
    import anuga as model

    cells = 128
    domain = model.rectangular_cross_domain(cells, cells, cells * 5.0, cells * 5.0)
    domain.set_flow_algorithm("DE1")
    domain.set_quantity("elevation", 0.0)
    domain.set_quantity("stage", lambda x, y: 0.1 + 0.01 * np.sin(x / 40.0))
    domain.set_quantity("friction", 0.03)
    wall = model.Reflective_boundary(domain)
    domain.set_boundary(dict.fromkeys(("left", "right", "top", "bottom"), wall))
    domain.store = False
    domain.set_quantities_to_be_stored(None)
    rates, started = [], time.process_time()
    for _ in domain.evolve(yieldstep=10.0, finaltime=10.0 * max(4.0, seconds)):
        steps = domain.number_of_steps
        if steps:
            rates.append(domain.number_of_elements * steps / (time.process_time() - started) / 1e6)
        started = time.process_time()
    return max(rates)


def depths(case, out):
    """Run landlab's OverlandFlow to the end of a case and keep its (R, C) depths."""
    from landlab import RasterModelGrid
    from landlab.components import OverlandFlow

    def ringed(values):
        """Return one more node on each side: landlab's outermost are no cells."""
        return np.pad(values.astype(float), 1, mode="edge").ravel()

    rows, columns = case["ground"].shape
    grid = RasterModelGrid((rows + 2, columns + 2), float(case["dx"]))
    grid.set_closed_boundaries_at_grid_edges(True, True, True, True)
    grid.add_field("topographic__elevation", ringed(case["ground"]), at="node")
    grid.add_field("surface_water__depth", np.maximum(ringed(case["depth"]), 1e-8), at="node")
    flow = OverlandFlow(grid, mannings_n=float(case["manning"]), theta=0.9, h_init=1e-8, alpha=0.3)
    time, duration = 0.0, float(case["duration"])
    while time < duration:
        dt = min(flow.calc_time_step(), duration - time)
        flow.overland_flow(dt=dt)
        time += dt
    np.save(out, grid.at_node["surface_water__depth"].reshape(rows + 2, columns + 2)[1:-1, 1:-1])


def main():
    """Time the peer that is asked for."""
    peer, path, seconds = sys.argv[1:]
    if peer == "depths":
        depths(np.load(path), seconds)
        return
    try:
        version = importlib.metadata.version(peer)
    except importlib.metadata.PackageNotFoundError:
        print(json.dumps({"peer": peer, "missing": True}))
        return
    rate = {"landlab": landlab, "itzi": itzi, "anuga": anuga}[peer](np.load(path), float(seconds))
    print(json.dumps({"peer": peer, "version": version, "rate": rate}))


if __name__ == "__main__":
    main()
