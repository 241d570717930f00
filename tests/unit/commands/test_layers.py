"""Layers as people change them: order within a group of several kinds, and steps that change nothing."""

from __future__ import annotations

import pytest

from cimdesk.commands import layers
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.layers import Layer, LayerKind


def order(session: Session) -> list[str]:
    return [layer.id for layer in session.workspace.layers()]


@pytest.fixture
def session() -> Session:
    session = Session()
    kinds = {"houses": LayerKind.BUILDINGS, "ground": LayerKind.TERRAIN, "tiles": LayerKind.TILES, "pipes": LayerKind.NETWORK}
    document = session.workspace.document
    layers_given = [Layer(name, name.title(), kind, "", order=float(k)) for k, (name, kind) in enumerate(kinds.items())]
    session.do(Edit("Add", tuple(document.put("layer", layer.id, layer.to_record()) for layer in layers_given)))
    return session


@pytest.mark.parametrize(
    ("moved", "before", "expected"),
    [
        ("tiles", "houses", ["tiles", "houses", "ground"]),
        ("ground", "houses", ["ground", "houses", "tiles"]),
        ("houses", None, ["ground", "tiles", "houses"]),
        ("houses", "tiles", ["ground", "houses", "tiles"]),
    ],
)
def test_a_layer_moves_among_all_kinds_of_its_group(session: Session, moved: str, before: str | None, expected: list[str]):
    layers.move(session, moved, before)
    assert order(session) == [*expected, "pipes"]
    session.undo()
    assert order(session) == ["houses", "ground", "tiles", "pipes"]


def test_moving_a_layer_to_where_it_lies_is_no_step(session: Session):
    assert layers.move(session, "tiles", None).records == ()
    assert len(session.history.done) == 1


def test_removed_layers_leave_the_selection_and_come_back_with_undo(session: Session):
    layers.remove(session, ["ground", "pipes"])
    assert order(session) == ["houses", "tiles"]
    assert session.history.undo_label == "Remove 2 layers"
    session.undo()
    assert order(session) == ["houses", "ground", "tiles", "pipes"]
