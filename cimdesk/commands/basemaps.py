"""Pictures from servers: whether an address is one of pictures, and which maps a service offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.base.errors import CimdeskError
from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress
from cimdesk.formats.registry import ReadResult
from cimdesk.model.imagery import Imagery

THUMBNAIL = 180
"""Pixels along the longer side of a small picture."""


@dataclass(frozen=True)
class MapOffer:
    """One map of a service: its name, what people call it, and the address that opens it."""

    name: str
    title: str
    address: str


def is_picture_address(address: str) -> bool:
    """Return whether an http address is one of pictures: tiles with gaps, WMTS, WMS or PMTiles."""
    from cimdesk.services.imagery_server import is_picture_address as is_one

    return is_one(address)


def is_service(address: str) -> bool:
    """Return whether an address may offer several maps, none of which it names."""
    from cimdesk.formats.imagery.templates import is_template
    from cimdesk.services.imagery_server import LAYER_MARK

    return (
        is_picture_address(address)
        and not is_template(address)
        and LAYER_MARK not in address
        and not address.lower().split("?", 1)[0].endswith((".pmtiles", ".tif", ".tiff"))
    )


def maps_job(address: str, done: Callable[[list[MapOffer]], object]) -> JobSpec[list[MapOffer]]:
    """Return the job that asks a service what maps it offers and hands them to ``done``."""

    def work(progress: Progress, cancel: CancelToken) -> list[MapOffer]:
        return maps_of(address)

    return JobSpec(tr("Asking {name}").format(name=address.split("?", 1)[0][:80]), work, done, key="maps")


def maps_of(address: str) -> list[MapOffer]:
    """Return the maps of a WMTS or WMS.

    Raises
    ------
    DataError, ServiceError
        If the service cannot be used.
    """
    from cimdesk.services.imagery_server import LAYER_MARK, offers

    return [MapOffer(offer.name, offer.title, f"{address}{LAYER_MARK}{offer.name}") for offer in offers(address)]


def small_picture(result: ReadResult, cancel: CancelToken) -> UInt8 | None:
    """Return a small (h, w, 4) picture of the first picture layer of a result; None where there is none or it cannot be had."""
    data = next((source.data for source in result.sources if isinstance(source.data, Imagery)), None)
    if data is None or not np.isfinite(data.bounds[:, :2]).all():
        return None
    box = data.bounds[:, :2]
    width, height = box[1] - box[0]
    scale = THUMBNAIL / max(width, height)
    try:
        pixels = data.picture(box, max(8, round(width * scale)), max(8, round(height * scale)), cancel=cancel).pixels
    except CimdeskError:
        return None
    return pixels if pixels[..., 3].any() else None
