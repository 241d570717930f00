"""What tests of files read in parts share: a server on loopback that gives parts, and little patience with it."""

from __future__ import annotations

import pytest

from tests.unit.services.tile_server import PartServer


@pytest.fixture
def part_server():
    made = PartServer()
    yield made
    made.close()


@pytest.fixture
def little_patience(monkeypatch):
    from cimdesk.services import http_ranges
    from cimdesk.services.tile_http import Limits

    monkeypatch.setattr(http_ranges, "PATIENCE", Limits(timeout=0.8, longest=1.5, tries=2, pause=0.02))
