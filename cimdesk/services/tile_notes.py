"""Single points of streamed tiles that somebody pointed at: what they are called, and everything that is known of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from cimdesk.model.tileset import TileBlock

MOST_NOTED = 1000


class NotedPoints:
    """Names points, and remembers what is known of those named last; a `PointNotes`.

    Parameters
    ----------
    block : callable
        Gives a tile when it is there.
    """

    def __init__(self, block: Callable[[int], TileBlock | None]) -> None:
        self._block = block
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def note(self, row: int, index: int) -> str | None:
        """Return the identifier of a point of a tile that is there; None when it is not."""
        block = self._block(row)
        if block is None or block.cloud is None or not 0 <= index < len(block.cloud):
            return None
        name = block.cloud.point_id(index)
        self._known[name] = block.cloud.attributes(index, block.origin)
        self._known.move_to_end(name)
        if len(self._known) > MOST_NOTED:
            self._known.popitem(last=False)
        return name

    def attributes(self, feature: str) -> dict[str, Any]:
        """Return everything known of a point that was named; nothing for others."""
        return dict(self._known.get(feature, {}))
