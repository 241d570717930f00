"""What the official validator says of its own cases, and what is told here: alike wherever it concerns what is read."""

from __future__ import annotations

import pytest

from cimdesk.base.errors import DataError
from cimdesk.formats.registry import ReadOptions
from cimdesk.formats.tiles3d import READER

pytestmark = pytest.mark.real
FOLDER = "3dtiles/validator/tilesets/"
TOLD_BY_THE_VALIDATOR_ALONE = {
    "extrasUnexpectedType": "extras may hold anything; nothing here looks into them",
    "statisticsClassesIdInvalid": "statistics are not used: they are worked out from the features that are there",
    "statisticsClassesInvalidType": "as above",
    "statisticsClassesMinPropertiesMismatch": "as above",
    "statisticsClassesPropertiesMinPropertiesMismatch": "as above",
    "statisticsClassesPropertiesPropertyNameInvalid": "as above",
    "statisticsClassesValueInvalidType": "as above",
    "statisticsClassesWithoutSchema": "as above",
    "tileChildrenEmptyArray": "an empty list of children says the same as none",
    "tileContentBoundingVolumeNotInTileBoundingVolume": "volumes of contents are not used, those of tiles are",
    "validTilesetWithCustomSemantics": "semantics that nobody knows change nothing about the values",
}
"""Cases it complains of and we do not, each with the reason."""
TOLD_HERE_ALONE = {
    "validTilesetWithValidSchemaFromUri": "its schema file is not among the cases kept",
}


def told(path):
    """Return the codes of what is told of a tileset; a refusal counts as one."""
    try:
        result = READER.read(path, ReadOptions(max_error=0.0))
    except DataError:
        return ["refused"]
    assert all(problem.message for problem in result.problems)
    return [problem.code for problem in result.problems if problem.severity != "info"]


@pytest.fixture(scope="module")
def cases(real_data, facts):
    """Name -> (whether the validator complains, whether contents are missing from the cases kept, codes told here)."""
    found = {}
    for name, fact in facts.items():
        official = fact.get("official_validator")
        if name.startswith(FOLDER) and official is not None:
            stem = name.removeprefix(FOLDER).removesuffix(".json")
            complains = official["validator_issue_count"] > 0
            found[stem] = (complains, bool(fact.get("missing_contents")), told(real_data / name))
    assert len(found) > 110
    return found


def test_what_the_validator_refuses_is_told_and_what_it_lets_pass_is_not(cases):
    for name, (complains, has_gaps, codes) in cases.items():
        if name in TOLD_BY_THE_VALIDATOR_ALONE or name in TOLD_HERE_ALONE:
            continue
        if has_gaps:
            # The content that the case is about is not kept: that it is missing is what can be told.
            assert "missing-content" in codes, name
            continue
        assert bool(codes) == complains, (name, codes)


def test_the_exceptions_are_still_exceptions(cases):
    for name in TOLD_BY_THE_VALIDATOR_ALONE:
        complains, has_gaps, codes = cases[name]
        assert complains, name
        assert has_gaps or not codes, name
    for name in TOLD_HERE_ALONE:
        complains, _, codes = cases[name]
        assert codes, name
        assert not complains, name


def test_samples_of_the_validator_open_or_say_why(real_data, facts):
    for name, fact in facts.items():
        if name.startswith("3dtiles/validator/Samples/") and "tiles_explicit" in fact:
            codes = told(real_data / name)
            if "WithError" in name:
                assert "short-tile" in codes, name
            elif not fact["missing_count"] and not name.endswith("tileset_1.1.json"):
                # Of the implicit one a single file of five is not among those kept.
                assert set(codes) <= {"no-refine"}, (name, codes)
