"""How fast IFC opens: the first time in a process of its own, and again from what was kept."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from cimdesk.formats.ifc import READER, store
from cimdesk.formats.registry import ReadOptions

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

HEAD = """ISO-10303-21;
HEADER;
FILE_DESCRIPTION(('ViewDefinition [ReferenceView]'),'2;1');
FILE_NAME('tower.ifc','2026-01-01T00:00:00',(''),(''),'','','');
FILE_SCHEMA(('IFC4'));
ENDSEC;
DATA;
#1=IFCPROJECT('{p}',$,'Tower',$,$,$,$,(#10),#20);
#10=IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-5,#11,$);
#11=IFCAXIS2PLACEMENT3D(#12,$,$);
#12=IFCCARTESIANPOINT((0.,0.,0.));
#14=IFCDIRECTION((0.,0.,1.));
#20=IFCUNITASSIGNMENT((#21));
#21=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);
#30=IFCBUILDING('{b}',$,'Tower',$,$,#31,$,$,.ELEMENT.,$,$,$);
#31=IFCLOCALPLACEMENT($,#11);
#32=IFCRELAGGREGATES('{r}',$,$,$,#1,(#30));
"""


def guid(number: int) -> str:
    return f"{number:022d}"


def write_tower(path: Path, walls: int) -> None:
    """Write a building of walls, each with a window cut out of it and a set of properties."""
    lines = [HEAD.format(p=guid(1), b=guid(2), r=guid(3))]
    row = 100
    for k in range(walls):
        x, y, z = 6.0 * (k % 20), 8.0 * (k // 20 % 20), 3.5 * (k // 400)
        lines.append(
            f"#{row}=IFCCARTESIANPOINT(({x},{y},{z}));\n#{row + 1}=IFCAXIS2PLACEMENT3D(#{row},$,$);\n"
            f"#{row + 2}=IFCLOCALPLACEMENT(#31,#{row + 1});\n"
            f"#{row + 3}=IFCRECTANGLEPROFILEDEF(.AREA.,$,$,{5.0 + k % 7 * 0.1},0.2);\n"
            f"#{row + 4}=IFCEXTRUDEDAREASOLID(#{row + 3},#11,#14,3.);\n"
            f"#{row + 5}=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#{row + 4}));\n"
            f"#{row + 6}=IFCPRODUCTDEFINITIONSHAPE($,$,(#{row + 5}));\n"
            f"#{row + 7}=IFCWALL('{guid(10 * k + 10)}',$,'Wall {k}',$,$,#{row + 2},#{row + 6},$,$);\n"
            f"#{row + 8}=IFCCARTESIANPOINT((0.,0.,1.));\n#{row + 9}=IFCAXIS2PLACEMENT3D(#{row + 8},$,$);\n"
            f"#{row + 10}=IFCLOCALPLACEMENT(#{row + 2},#{row + 9});\n"
            f"#{row + 11}=IFCRECTANGLEPROFILEDEF(.AREA.,$,$,1.5,1.);\n#{row + 12}=IFCEXTRUDEDAREASOLID(#{row + 11},#11,#14,1.2);\n"
            f"#{row + 13}=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#{row + 12}));\n"
            f"#{row + 14}=IFCPRODUCTDEFINITIONSHAPE($,$,(#{row + 13}));\n"
            f"#{row + 15}=IFCOPENINGELEMENT('{guid(10 * k + 11)}',$,$,$,$,#{row + 10},#{row + 14},$,$);\n"
            f"#{row + 16}=IFCRELVOIDSELEMENT('{guid(10 * k + 12)}',$,$,$,#{row + 7},#{row + 15});\n"
            f"#{row + 17}=IFCRELCONTAINEDINSPATIALSTRUCTURE('{guid(10 * k + 13)}',$,$,$,(#{row + 7}),#30);\n"
            f"#{row + 18}=IFCPROPERTYSINGLEVALUE('FireRating',$,IFCLABEL('REI {30 * (k % 4)}'),$);\n"
            f"#{row + 19}=IFCPROPERTYSET('{guid(10 * k + 14)}',$,'Pset_WallCommon',$,(#{row + 18}));\n"
            f"#{row + 20}=IFCRELDEFINESBYPROPERTIES('{guid(10 * k + 15)}',$,$,$,(#{row + 7}),#{row + 19});\n"
        )
        row += 30
    lines.append("ENDSEC;\nEND-ISO-10303-21;\n")
    path.write_text("".join(lines), encoding="utf-8")


def test_a_model_opens_again_at_once(benchmark, tmp_path):
    path, walls = tmp_path / "tower.ifc", 2000
    write_tower(path, walls)
    started = time.perf_counter()
    result = READER.read(path, ReadOptions())
    first = time.perf_counter() - started
    mesh = result.sources[0].data.meshes["4"]
    assert result.objects["IfcWall"] == walls
    assert len(np.unique(mesh.feature_index)) == walls
    benchmark.pedantic(lambda: READER.read(path, ReadOptions()), rounds=5, warmup_rounds=1)
    again = benchmark.stats.stats.median
    benchmark.extra_info.update(megabytes=path.stat().st_size / 1e6, first_s=first, again_s=again)
    size = path.stat().st_size / 1e6
    print(f"\n{walls} walls, {size:.1f} MB: first {first:.2f} s, again {again * 1e3:.0f} ms, {first / again:.0f} times")
    assert first > 10.0 * again
    store.forget(store.fingerprint(path))
