"""What the style panel knows of single points of a streamed tileset, beside the table of its features."""

from __future__ import annotations

from collections.abc import Mapping

from cimdesk.base.arrays import AnyArray
from cimdesk.model.features import FeatureTable
from cimdesk.model.layers import Layer
from cimdesk.model.style import Style
from cimdesk.model.tile_point_columns import POINT_HEIGHT, PointColumns, with_points
from cimdesk.model.tile_point_style import MODES, point_title, settled_by
from cimdesk.model.tileset import TiledCity
from cimdesk.ui.desk import Desk


class PointChoices:
    """Samples of the columns of points, the same as long as the panel is open, so that limits stay while more points come."""

    def __init__(self, desk: Desk, layer: Layer) -> None:
        self._desk = desk
        self._layer = layer
        self._samples: Mapping[str, AnyArray] = {}

    def samples(self) -> Mapping[str, AnyArray]:
        """Return the columns; those that nobody had seen before are added."""
        data = self._desk.session.workspace.data(self._layer.id)
        columns = data.tiles.point_columns if isinstance(data, TiledCity) and data.tiles is not None else PointColumns()
        known = self._samples
        self._samples = {name: known[name] if name in known else columns[name] for name in columns}
        return self._samples

    def beside(self, table: FeatureTable | None) -> FeatureTable | None:
        """Return what colours may follow: what is known of points, and the columns of features."""
        return with_points(table, self.samples())

    def decide(self, style: Style) -> bool:
        """Return whether a column of points decides a style."""
        return style.mode in MODES and style.attribute in self.samples()

    def settled(self, style: Style) -> Style:
        """Return a style with what the points give for it; any other as it is."""
        return settled_by(style, self.samples())

    def title(self, name: str, otherwise: str) -> str:
        """Return the title of a column, ``otherwise`` of those that are not of points."""
        return point_title(name) if name in self._samples and name != POINT_HEIGHT else otherwise
