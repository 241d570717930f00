"""Which visual draws which data: the one place that knows them all."""

from __future__ import annotations

from cimdesk.model.city import CityModel
from cimdesk.model.features import VectorLayer
from cimdesk.model.flood import FloodResult
from cimdesk.model.imagery import Imagery
from cimdesk.model.layers import Layer
from cimdesk.model.network import UtilityNetwork
from cimdesk.model.points import PointCloud
from cimdesk.model.sensors import Sensors
from cimdesk.model.terrain import Terrain
from cimdesk.model.tileset import TiledCity
from cimdesk.model.workspace import LayerData
from cimdesk.scene.columns import ColumnsVisual
from cimdesk.scene.flood_compare import compared_visual
from cimdesk.scene.flood_map import new_flood_visual
from cimdesk.scene.imagery import ImageryVisual
from cimdesk.scene.network import NetworkVisual
from cimdesk.scene.points import PointsVisual
from cimdesk.scene.sensors import SensorsVisual
from cimdesk.scene.streaming import StreamedVisual
from cimdesk.scene.terrain_visual import TerrainVisual
from cimdesk.scene.tiles import CityVisual
from cimdesk.scene.vector import VectorVisual
from cimdesk.scene.visual import Context, Visual


def new_visual(context: Context, layer: Layer, data: LayerData) -> Visual:
    """Return the visual of a layer's data."""
    if isinstance(data, TiledCity) and data.tiles is not None:
        return StreamedVisual(context, layer, data.tiles)
    if isinstance(data, TiledCity):
        return CityVisual(context, layer, data.city)
    if isinstance(data, CityModel):
        return CityVisual(context, layer, data)
    if isinstance(data, PointCloud):
        return PointsVisual(context, layer, data)
    if isinstance(data, Terrain):
        return TerrainVisual(context, layer, data)
    if isinstance(data, Imagery):
        return ImageryVisual(context, layer, data)
    if isinstance(data, FloodResult):
        return compared_visual(context, layer, data) or new_flood_visual(context, layer, data)
    if isinstance(data, Sensors):
        return SensorsVisual(context, layer, data)
    if isinstance(data, UtilityNetwork):
        return NetworkVisual(context, layer, data)
    if isinstance(data, VectorLayer) and layer.style.height:
        return ColumnsVisual(context, layer, data)
    if isinstance(data, VectorLayer):
        return VectorVisual(context, layer, data)
    raise TypeError(f"nothing draws {type(data).__name__}")
