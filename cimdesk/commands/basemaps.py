"""Pictures from servers: whether an address is one of pictures, and which maps a service offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cimdesk.base.i18n import tr
from cimdesk.base.jobs import CancelToken, JobSpec, Progress


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
