"""A small IFC model written by hand: one wall with a window's hole in it, on a storey of a building."""

from __future__ import annotations

from pathlib import Path

HEAD = """ISO-10303-21;
HEADER;
FILE_DESCRIPTION(('ViewDefinition [ReferenceView]'),'2;1');
FILE_NAME('wall.ifc','2026-01-01T00:00:00',(''),(''),'','','');
FILE_SCHEMA(('{schema}'));
ENDSEC;
DATA;
"""
BODY = """#1=IFCPROJECT('0YvctVUKr0kugbFTf53O9L',$,'Town hall',$,$,$,$,(#10),#20);
#10=IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-5,#11,{north});
#11=IFCAXIS2PLACEMENT3D(#12,$,$);
#12=IFCCARTESIANPOINT((0.,0.,0.));
#13=IFCDIRECTION({north_ratios});
#20=IFCUNITASSIGNMENT((#21,#22,#23));
#21=IFCSIUNIT(*,.LENGTHUNIT.,{prefix},.METRE.);
#22=IFCSIUNIT(*,.AREAUNIT.,$,.SQUARE_METRE.);
#23=IFCSIUNIT(*,.VOLUMEUNIT.,$,.CUBIC_METRE.);
#30=IFCSITE('0YvctVUKr0kugbFTf53O9S',$,'Plot',$,$,#31,$,$,.ELEMENT.,{latitude},{longitude},{elevation},$,$);
#31=IFCLOCALPLACEMENT($,#11);
#32=IFCBUILDING('0YvctVUKr0kugbFTf53O9B',$,'House',$,$,#31,$,$,.ELEMENT.,$,$,$);
#33=IFCBUILDINGSTOREY('0YvctVUKr0kugbFTf53O9T',$,'First floor',$,$,#34,$,$,.ELEMENT.,{z});
#34=IFCLOCALPLACEMENT(#31,#35);
#35=IFCAXIS2PLACEMENT3D(#36,$,$);
#36=IFCCARTESIANPOINT((0.,0.,{z}));
#37=IFCRELAGGREGATES('0YvctVUKr0kugbFTf53O91',$,$,$,#1,(#30));
#38=IFCRELAGGREGATES('0YvctVUKr0kugbFTf53O92',$,$,$,#30,(#32));
#39=IFCRELAGGREGATES('0YvctVUKr0kugbFTf53O93',$,$,$,#32,(#33));
#40=IFCRELCONTAINEDINSPATIALSTRUCTURE('0YvctVUKr0kugbFTf53O94',$,$,$,(#50),#33);
#50=IFCWALL('0YvctVUKr0kugbFTf53O9W',$,'South wall',$,$,#51,#60,'W1',$);
#51=IFCLOCALPLACEMENT(#34,#11);
#60=IFCPRODUCTDEFINITIONSHAPE($,$,(#61));
#61=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#62));
#62=IFCEXTRUDEDAREASOLID(#63,#65,#66,{height});
#63=IFCRECTANGLEPROFILEDEF(.AREA.,$,#64,{length},{width});
#64=IFCAXIS2PLACEMENT2D(#67,$);
#65=IFCAXIS2PLACEMENT3D(#12,$,$);
#66=IFCDIRECTION((0.,0.,1.));
#67=IFCCARTESIANPOINT(({half},0.));
#70=IFCOPENINGELEMENT('0YvctVUKr0kugbFTf53O9O',$,'Hole',$,$,#71,#74,$,$);
#71=IFCLOCALPLACEMENT(#51,#72);
#72=IFCAXIS2PLACEMENT3D(#73,$,$);
#73=IFCCARTESIANPOINT((0.,0.,{sill}));
#74=IFCPRODUCTDEFINITIONSHAPE($,$,(#75));
#75=IFCSHAPEREPRESENTATION(#10,'Body','SweptSolid',(#76));
#76=IFCEXTRUDEDAREASOLID(#77,#65,#66,{hole});
#77=IFCRECTANGLEPROFILEDEF(.AREA.,$,#64,{hole},{hole});
#78=IFCRELVOIDSELEMENT('0YvctVUKr0kugbFTf53O95',$,$,$,#50,#70);
#80=IFCCOLOURRGB($,0.2,0.4,0.6);
#81=IFCSURFACESTYLERENDERING(#80,0.5,$,$,$,$,$,$,.NOTDEFINED.);
#82=IFCSURFACESTYLE('Blue',.BOTH.,(#81));
#83=IFCSTYLEDITEM(#62,(#82),$);
#90=IFCPROPERTYSINGLEVALUE('FireRating',$,IFCLABEL('REI 90'),$);
#91=IFCPROPERTYSINGLEVALUE('Thickness',$,IFCLENGTHMEASURE({width}),$);
#92=IFCPROPERTYSET('0YvctVUKr0kugbFTf53O9P',$,'Pset_WallCommon',$,(#90,#91));
#93=IFCRELDEFINESBYPROPERTIES('0YvctVUKr0kugbFTf53O96',$,$,$,(#50),#92);
#94=IFCQUANTITYLENGTH('Length',$,$,{length},$);
#95=IFCELEMENTQUANTITY('0YvctVUKr0kugbFTf53O9Q',$,'Qto_WallBaseQuantities',$,$,(#94));
#96=IFCRELDEFINESBYPROPERTIES('0YvctVUKr0kugbFTf53O97',$,$,$,(#50),#95);
#97=IFCMATERIAL('Brick',$,$);
#98=IFCRELASSOCIATESMATERIAL('0YvctVUKr0kugbFTf53O98',$,$,$,(#50),#97);
"""
MAP = """#100=IFCPROJECTEDCRS('EPSG:25832',$,$,'DHHN2016',$,$,#101);
#101=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);
#102=IFCMAPCONVERSION(#10,#100,500000.,5400000.,120.,0.,1.,{scale});
"""
TAIL = "ENDSEC;\nEND-ISO-10303-21;\n"


def write_wall(path: Path, schema: str = "IFC4", per_metre: float = 1000.0, scale: str = "$", **said: str) -> Path:
    """Write a wall of 4 x 0.2 x 3 m with a hole of 1 x 1 m, on a storey at 3 m.

    Parameters
    ----------
    per_metre : float
        Units of length in a metre: 1000 for millimetres, 1 for metres.
    scale : str
        Of the map conversion; empty for a file without one.
    """
    sizes = {"z": 3.0, "height": 3.0, "length": 4.0, "width": 0.2, "half": 2.0, "sill": 1.0, "hole": 1.0}
    values = {key: repr(value * per_metre) for key, value in sizes.items()}
    values |= {"prefix": "$" if per_metre == 1.0 else ".MILLI.", "north": "$", "north_ratios": "(0.,1.)"}
    values |= {"latitude": "$", "longitude": "$", "elevation": "$", **said}
    text = HEAD.format(schema=schema) + BODY.format(**values) + (MAP.format(scale=scale) if scale else "") + TAIL
    path.write_text(text, encoding="utf-8")
    return path
