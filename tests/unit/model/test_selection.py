"""Assets by name, and the one selection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cimdesk.model.selection import AssetRef, Selection


@given(st.text(min_size=1).filter(lambda s: ":" not in s), st.text(min_size=1))
def test_a_reference_reads_back_as_it_is_written(layer, feature):
    assert AssetRef.parse(str(AssetRef(layer, feature))) == AssetRef(layer, feature)


@pytest.mark.parametrize("text", ["", "a", ":", "a:", ":b"])
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ValueError, match="layer:feature"):
        AssetRef.parse(text)


def test_selecting_the_same_again_tells_nobody():
    selection, heard = Selection(), []
    selection.changed.connect(heard.append)
    a, b = AssetRef("l", "a"), AssetRef("m", "b")
    selection.set([a, b])
    selection.set([b, a])
    selection.toggle([a])
    selection.clear()
    assert heard == [{a, b}, {b}, set()]


def test_the_selection_of_one_layer_is_its_feature_ids():
    selection = Selection()
    selection.set([AssetRef("l", "a"), AssetRef("m", "b")])
    assert selection.of_layer("l") == {"a"}
