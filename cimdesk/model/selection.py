"""The one selection: what is picked in the viewport, a table, a chart or a list is the same set of assets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cimdesk.base.signals import Signal


@dataclass(frozen=True, slots=True, order=True)
class AssetRef:
    """A feature of a layer."""

    layer: str
    feature: str

    def __str__(self) -> str:
        return f"{self.layer}:{self.feature}"

    @staticmethod
    def parse(text: str) -> AssetRef:
        """Return the reference written ``layer:feature``; raises ValueError for anything else."""
        layer, colon, feature = text.partition(":")
        if not (layer and colon and feature):
            raise ValueError(f"{text!r} is not layer:feature")
        return AssetRef(layer, feature)


def names_by_layer(refs: Iterable[AssetRef]) -> dict[str, list[str]]:
    """Return the features of each layer."""
    names: dict[str, list[str]] = {}
    for ref in refs:
        names.setdefault(ref.layer, []).append(ref.feature)
    return names


class Selection:
    """The selected assets. View state: selecting is not an edit.

    Attributes
    ----------
    changed : Signal of frozenset of AssetRef
    """

    def __init__(self) -> None:
        self.changed: Signal[frozenset[AssetRef]] = Signal()
        self._refs: frozenset[AssetRef] = frozenset()

    @property
    def refs(self) -> frozenset[AssetRef]:
        """The selected assets."""
        return self._refs

    def set(self, refs: Iterable[AssetRef]) -> None:
        """Select just these."""
        new = frozenset(refs)
        if new != self._refs:
            self._refs = new
            self.changed.emit(new)

    def toggle(self, refs: Iterable[AssetRef]) -> None:
        """Add those that are not selected, take out those that are."""
        self.set(self._refs ^ frozenset(refs))

    def clear(self) -> None:
        """Select nothing."""
        self.set(())

    def of_layer(self, layer: str) -> frozenset[str]:
        """Return the selected feature ids of one layer."""
        return frozenset(ref.feature for ref in self._refs if ref.layer == layer)
