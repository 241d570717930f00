"""How a point cloud is drawn: its colours, and which classes are left out. One undoable edit."""

from __future__ import annotations

from collections.abc import Collection

from cimdesk.base.errors import EditError
from cimdesk.base.i18n import tr
from cimdesk.commands.history import Edit
from cimdesk.commands.session import Session
from cimdesk.model.document import Changes
from cimdesk.model.layers import LayerKind
from cimdesk.model.point_style import HIDDEN_CLASSES
from cimdesk.model.style import Style


def set_point_style(session: Session, layer_id: str, style: Style, hidden_classes: Collection[int] = ()) -> Changes:
    """Draw a point cloud in another style, without the points of some classes.

    Raises
    ------
    EditError
        If the layer is no point cloud.
    """
    layer = session.workspace.layer(layer_id)
    if layer.kind is not LayerKind.POINTS:
        raise EditError("{name} is no point cloud.", name=layer.name)
    options = {name: value for name, value in layer.options.items() if name != HIDDEN_CLASSES}
    if hidden_classes:
        options[HIDDEN_CLASSES] = sorted(hidden_classes)
    record = session.workspace.document.update("layer", layer_id, style=style.to_record(), options=options)
    return session.do(Edit(tr("Style of {name}").format(name=layer.name), (record,)))
