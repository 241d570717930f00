"""GeoTIFFs on servers, read in place: pictures and elevations, a few tiles at a time and overviews first."""

from __future__ import annotations

from cimdesk.base.errors import ServiceError
from cimdesk.formats.imagery import reader as pictures
from cimdesk.formats.registry import ReadOptions, ReadResult
from cimdesk.formats.remote_raster import open_remote
from cimdesk.services.http_ranges import RemoteFile
from cimdesk.services.tile_cache import TileCache


def open_raster(address: str, options: ReadOptions, cache: TileCache | None = None) -> ReadResult:
    """Return what a GeoTIFF at an http address gives: a picture where it holds colours, else elevations.

    Raises
    ------
    DataError
        If it is no GeoTIFF, has no place, or could only be looked at by fetching all of it.
    ServiceError
        If the server does not answer, or gives no parts of files.
    """
    file = RemoteFile(address, cache)
    try:
        with file.heeding(options.cancel):
            dataset = open_remote(file)
            if dataset.looks_like_picture:
                return pictures.read_remote(dataset, file.name, options)
            from cimdesk.formats.raster import read_remote

            return read_remote(dataset, file.name, options)
    except ServiceError as error:
        if error.remedy:
            raise
        raise ServiceError(error.template, remedy="Check the address and the connection.", **error.values) from error
