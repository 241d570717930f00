"""Figures of a report come in the order of its slides."""

from __future__ import annotations

import pytest

from cimdesk.app import figures
from cimdesk.base.errors import UsageError
from cimdesk.commands import bookmarks
from tests.unit.project.cities import city

CAMERA = {"target": [431000.0, 2558000.0, 0.0], "azimuth": 0.0, "elevation": 45.0, "distance": 500.0}


def test_views_of_a_report_follow_the_order_people_gave_them(monkeypatch: pytest.MonkeyPatch):
    session = city()
    keys = [bookmarks.add(session, name, CAMERA) for name in ("River", "Square", "Works")]
    bookmarks.move(session, keys[2], keys[0])
    monkeypatch.setattr(figures, "png_of", lambda *_: b"")
    assert [caption for caption, _ in figures.bookmark_figures(session)] == ["Works", "River", "Square"]


def test_a_bookmark_is_found_by_the_beginning_of_its_name():
    session = city()
    bookmarks.add(session, "River", CAMERA)
    assert figures.find_bookmark(session, "riv")["name"] == "River"
    with pytest.raises(UsageError, match="there are River"):
        figures.find_bookmark(session, "Harbour")
