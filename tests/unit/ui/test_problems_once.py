"""What is wrong with a file is told once, however many layers come of it."""

from __future__ import annotations

from types import SimpleNamespace

from cimdesk.base.errors import Problem, Severity
from cimdesk.ui.desk import Desk


def test_a_problem_of_one_file_is_told_once_for_its_layers():
    sources = {"bodies": {"source": "a.ifc"}, "axes": {"source": "a.ifc"}, "other": {"source": "b.ifc"}}
    document = SimpleNamespace(get=lambda _kind, key: sources.get(key))
    told = SimpleNamespace(
        problems=[],
        problems_changed=SimpleNamespace(emit=lambda: None),
        session=SimpleNamespace(workspace=SimpleNamespace(document=document)),
    )
    told._same_file = lambda one, other: Desk._same_file(told, one, other)
    for layer in ("bodies", "axes", "other"):
        Desk._keep_problem(
            told, (layer, Problem(Severity.WARNING, "near-schema", "FILE_SCHEMA", "It is read as {near}.", {"near": "IFC4"}))
        )
    assert [layer for layer, _ in told.problems] == ["bodies", "other"]
