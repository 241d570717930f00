"""Which features of a layer are in sight: its filter, those hidden by hand, those looked at alone."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from cimdesk.base.arrays import Bool
from cimdesk.model.evaluation import matching
from cimdesk.model.expression import ExpressionError
from cimdesk.model.families import FamilyTable, styled_features
from cimdesk.model.features import FeatureTable
from cimdesk.model.layers import Layer
from cimdesk.model.network import NODE_PREFIX, UtilityNetwork
from cimdesk.model.workspace import Workspace

KEPT = 16
_masks: OrderedDict[tuple[int, str, int, int], tuple[weakref.ref[FeatureTable], object, object, Bool]] = OrderedDict()


def shown_rows(workspace: Workspace, layer: Layer) -> Bool | None:
    """Return (N,) bool of the features of a layer that are in sight: of a network its links; None when all are."""
    table = styled_features(workspace, layer.id)
    return None if table is None else shown_of(layer, table)


def shown_of(layer: Layer, table: FeatureTable) -> Bool | None:
    """Return (N,) bool of the rows of a table that a layer shows; None for all. The answer is kept: do not change it.

    A filter that cannot be understood hides nothing.
    """
    if not layer.shows_part:
        return None
    place = (id(table), layer.filter, id(layer.hidden), id(layer.only))
    known = _masks.get(place)
    if known is not None and known[0]() is table and known[1] is layer.hidden and known[2] is layer.only:
        _masks.move_to_end(place)
        return known[3]
    mask = _mask(layer, table)
    _masks[place] = (weakref.ref(table), layer.hidden, layer.only, mask)
    while len(_masks) > KEPT:
        _masks.popitem(last=False)
    return mask


def _mask(layer: Layer, table: FeatureTable) -> Bool:
    mask = np.ones(len(table), dtype=bool)
    if layer.filter.strip():
        with suppress(ExpressionError):
            mask = matching(layer.filter, table)
    if layer.only is not None:
        mask = mask & _families(table, layer.only)
    if layer.hidden:
        mask = mask & ~_families(table, layer.hidden)
    return mask


def _families(table: FeatureTable, features: Sequence[str]) -> Bool:
    """Return (N,) bool of these features and their parts."""
    named = np.zeros(len(table), dtype=bool)
    named[table.rows_of(features)] = True
    return named | named[table.roots] if isinstance(table, FamilyTable) else named


def shown_nodes(layer: Layer, network: UtilityNetwork) -> Bool | None:
    """Return (M,) bool of the nodes of a network that are in sight: those of a link in sight, and not hidden; None for all."""
    links = shown_of(layer, network.links)
    if links is None:
        return None
    mask = np.zeros(len(network.nodes), dtype=bool)
    mask[network.start[links]] = True
    mask[network.end[links]] = True
    if layer.only is not None:
        mask[network.nodes.rows_of(_nodes(layer.only))] = True
    elif not layer.filter:
        # Nodes without any link stay.
        linked = np.zeros(len(mask), dtype=bool)
        linked[network.start] = linked[network.end] = True
        mask |= ~linked
    mask[network.nodes.rows_of(_nodes(layer.hidden))] = False
    return mask


def _nodes(features: Sequence[str]) -> list[str]:
    return [feature.removeprefix(NODE_PREFIX) for feature in features if feature.startswith(NODE_PREFIX)]
