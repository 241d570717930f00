"""Which of these formats a file is in."""

from __future__ import annotations

from pathlib import Path

from cimdesk.base.errors import CimdeskError, DataError
from cimdesk.base.i18n import tr
from cimdesk.formats.flood_in.netcdf import is_netcdf, opened
from cimdesk.formats.registry import ReadOptions, ReadResult

_NETCDF = (".nc", ".nc4", ".cdf", ".sww")
_HDF = (".hdf", ".hdf5", ".h5")


_BROKEN = (
    ValueError, OSError, KeyError, IndexError, TypeError, OverflowError, RuntimeError, AssertionError, EOFError, ArithmeticError,
)  # fmt: skip


class FloodReader:
    """Reads the results of other flood models as flood layers.

    ``ReadOptions.extra`` may hold ``cell``, the size of the cells on which a mesh is laid [m].
    """

    name = "Flood results of other models"
    suffixes: tuple[str, ...] = (*_NETCDF, *_HDF, ".slf", ".ser", ".sel", ".2dm", ".dat")
    streams = True

    def claim(self, path: Path, head: bytes) -> float:
        """Return how surely the file is one of them."""
        from cimdesk.formats.flood_in.mesh_2dm import is_2dm, is_dat
        from cimdesk.formats.flood_in.selafin import is_selafin
        from cimdesk.formats.flood_in.tiff_stack import claim_folder

        if not head and path.is_dir():
            return claim_folder(path)
        if is_netcdf(head):
            return 0.9
        if is_selafin(head) or is_2dm(head) or is_dat(path, head):
            return 0.9
        return 0.3 if path.suffix.lower() in (*_NETCDF, ".slf", ".2dm") and head else 0.0

    def read(self, path: Path, options: ReadOptions) -> ReadResult:
        """Read the file; raises `DataError` when there is no flood and no ground in it."""
        try:
            return self._read(path, options)
        except _BROKEN as error:
            if isinstance(error, CimdeskError):
                raise
            # Readers say what they can of damage; what is left are numbers that contradict each other deep inside a file.
            reason = str(error).split("(")[0].strip() or tr("its parts contradict each other")
            raise DataError(
                path, "the file is damaged or not whole ({reason}).", remedy="Copy or download it again.", reason=reason
            ) from error

    def _read(self, path: Path, options: ReadOptions) -> ReadResult:
        from cimdesk.formats.flood_in.mesh_2dm import is_2dm, is_dat, read_2dm, read_dat
        from cimdesk.formats.flood_in.selafin import is_selafin, read_selafin
        from cimdesk.formats.flood_in.tiff_stack import read_stack

        if path.is_dir():
            return read_stack(path, options)
        with path.open("rb") as file:
            head = file.read(4096)
        if is_netcdf(head):
            return _read_netcdf(path, options)
        if is_selafin(head) or path.suffix.lower() == ".slf":
            return read_selafin(path, options)
        if is_2dm(head):
            return read_2dm(path, options)
        if is_dat(path, head):
            return read_dat(path, options)
        raise DataError(
            path, "this is no file of the kind that its name says.", remedy="Copy or download it again, or correct its name."
        )


def _read_netcdf(path: Path, options: ReadOptions) -> ReadResult:
    from cimdesk.formats.flood_in.cf_grid import read_cf
    from cimdesk.formats.flood_in.hecras import is_hecras, read_hecras
    from cimdesk.formats.flood_in.sww import is_sww, read_sww
    from cimdesk.formats.flood_in.ugrid import read_ugrid, topologies

    if is_hecras(path):
        return read_hecras(path, options)
    with opened(path) as data:
        if is_sww(data):
            return read_sww(data, options)
        if topologies(data, 2) or topologies(data, 1):
            return read_ugrid(data, options)
        return read_cf(data, options)


READER = FloodReader()
