"""Schemas and the repairs of careless files."""

from __future__ import annotations

import pytest

from cimdesk.formats.ifc.header import is_step, nearest_schema, repaired, schema_of


def test_the_schema_is_found_behind_comments():
    head = b"/* FILE_SCHEMA(('IFC2X3')) */ ISO-10303-21;\nHEADER;\nFILE_SCHEMA ( ( 'Ifc4' ) );"
    assert is_step(head)
    assert schema_of(head) == "IFC4"


@pytest.mark.parametrize(
    ("schema", "near"),
    [
        ("IFC4X3", "IFC4X3_ADD2"),
        ("IFC4X1", "IFC4X3_ADD2"),
        ("IFC4_ADD1", "IFC4"),
        ("IFC2X2_FINAL", "IFC2X3"),
        ("IFC5", ""),
        ("", ""),
    ],
)
def test_every_schema_has_its_nearest_relative(schema, near):
    assert nearest_schema(schema) == near


def test_parts_of_roads_of_release_candidates_keep_their_kind():
    line = b"#60= IFCFACILITYPART('1r',#10,'segment',$,$,#59,#74,$,$,IFCROADPARTTYPEENUM(.ROADSEGMENT.),.LONGITUDINAL.);"
    assert repaired(line, "IFC4X3_RC3", "IFC4X3_ADD2") == (
        b"#60= IFCROADPART('1r',#10,'segment',$,$,#59,#74,$,$,.LONGITUDINAL.,.ROADSEGMENT.);"
    )


def test_strata_of_release_candidates_get_their_new_name():
    line = b"#26 = IFCSOLIDSTRATUM('2x', #2, 'ground', '12d Tin', 'Tin', #15, #27, $);"
    assert repaired(line, "IFC4X3_RC3", "IFC4X3_ADD2") == (
        b"#26 = IFCGEOTECHNICALSTRATUM('2x', #2, 'ground', '12d Tin', 'Tin', #15, #27,.SOLID.);"
    )


def test_numbers_without_a_type_get_one():
    assert repaired(b"#18=IFCMEASUREWITHUNIT(0.3048,#19);", "IFC4", "IFC4") == (
        b"#18=IFCMEASUREWITHUNIT(IFCRATIOMEASURE(0.3048),#19);"
    )
    sound = b"#18=IFCMEASUREWITHUNIT(IFCLENGTHMEASURE(0.3048),#19);"
    assert repaired(sound, "IFC4", "IFC4") == sound
