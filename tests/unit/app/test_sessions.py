"""Projects that commands open or make."""

from __future__ import annotations

from pathlib import Path

import pytest

from cimdesk.app.console import Console
from cimdesk.app.sessions import meant, open_or_create


def test_a_new_project_named_without_suffix_is_found_again_and_taken_away_when_it_fails(tmp_path: Path):
    console = Console(as_json=False)
    with pytest.raises(RuntimeError), open_or_create(tmp_path / "city", console):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with open_or_create(tmp_path / "city", console) as session:
        made = session.path
    with open_or_create(tmp_path / "city", console) as session:
        assert session.path == made == tmp_path / "city.gpkg"


@pytest.mark.parametrize(("wanted", "key"), [("b", "b"), ("Pipes", "a"), ("pip", "a"), ("p", None), ("x", None)])
def test_a_layer_is_meant_by_id_name_or_the_beginning_of_its_name(wanted: str, key: str | None):
    assert meant(wanted, {"a": "Pipes", "b": "Parks"}) == key
