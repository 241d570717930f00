"""NetCDF files of both families - classic (version 3) and HDF5 (version 4) - opened alike; attributes as text, times as seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.arrays import AnyArray, Float
from cimdesk.base.crs import Crs
from cimdesk.base.errors import DataError
from cimdesk.base.units import parse_time

_UNITS = {"s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0,
          "d": 86400.0, "day": 86400.0}  # fmt: skip
_SINCE = re.compile(r"^\s*([A-Za-z]+)\s+since\s+(.+?)\s*$")
LONG_BEFORE = 3e7
"""Seconds before its first time at which no run begins."""
_BROKEN = "the file is damaged or cut short ({reason})."
_AGAIN = "Copy or download it again."


@dataclass(frozen=True)
class Variable:
    """One variable: its dimensions, attributes, and its values when asked for.

    Attributes
    ----------
    name : str
    dims : tuple of str
    shape : tuple of int
    attrs : mapping
        Text as ``str``, numbers as they are.
    raw : array-like
        Read piece by piece with an index.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    attrs: Mapping[str, Any]
    raw: Any

    def read(self, index: Any = ...) -> AnyArray:
        """Return values as they are in the file, in the byte order of this computer."""
        values = np.asarray(self.raw[index] if self.shape else self.raw[()])
        return values.astype(values.dtype.newbyteorder("="), copy=True)

    def values(self, index: Any = ...) -> Float:
        """Return float64 values, unpacked by scale and offset, NaN where filled."""
        values = self.read(index)
        numbers = values.astype(np.float64)
        for key in ("_FillValue", "missing_value"):
            if (fill := _number(self.attrs.get(key))) is not None:
                numbers[numbers == np.float64(values.dtype.type(fill)) if values.dtype.kind == "f" else values == fill] = np.nan
        scale, offset = _number(self.attrs.get("scale_factor")), _number(self.attrs.get("add_offset"))
        if scale is not None:
            numbers *= scale
        if offset is not None:
            numbers += offset
        # The default fill values of the library are as large as numbers get.
        numbers[np.abs(numbers) > 9e36] = np.nan
        return numbers

    def text(self, name: str) -> str:
        """Return an attribute as text; empty where there is none."""
        return str(self.attrs.get(name, ""))


@dataclass(frozen=True)
class Dataset:
    """An open NetCDF file."""

    path: Path
    variables: Mapping[str, Variable]
    attrs: Mapping[str, Any]
    version: str

    def crs(self) -> Crs | None:
        """Return the reference system that a grid mapping, or a global attribute, names."""
        for variable in self.variables.values():
            if not ({"grid_mapping_name", "crs_wkt", "spatial_ref", "epsg", "EPSG_code"} & set(variable.attrs)):
                continue
            for key in ("crs_wkt", "spatial_ref", "EPSG_code", "epsg", "proj4_params"):
                text = variable.text(key).replace("EPGS", "EPSG")
                if text not in ("", "0", "EPSG:0") and (found := Crs.parse(text)) is not None:
                    return found
        for key in ("crs_wkt", "spatial_ref", "epsg", "crs"):
            if (text := str(self.attrs.get(key, ""))) and (found := Crs.parse(text)) is not None:
                return found
        return None

    def times(self, name: str) -> tuple[Float, float]:
        """Return times [s from the first date named] and that date [POSIX s]; 0 where none is named."""
        variable = self.variables[name]
        values = variable.values().ravel()
        if not np.isfinite(values).all() or (np.diff(values) < 0).any():
            raise DataError(self.path, "its times are not rising.", where=name, remedy="Write the result again.")
        unit, start = variable.text("units"), 0.0
        if match := _SINCE.match(unit):
            unit = match[1]
            start = _date(match[2])
        factor = _UNITS.get(unit.strip().lower().rstrip("s") or "s", _UNITS.get(unit.strip().lower(), 1.0))
        seconds = values * factor
        if len(seconds) and seconds[0] > LONG_BEFORE:
            # Counted from a day that has nothing to do with the run, such as 1 January 1970.
            return seconds - seconds[0], start + float(seconds[0])
        return seconds, start


def _date(text: str) -> float:
    """Return the moment of a date as NetCDF files write it, UTC where no zone is named; 0 for one that cannot be read."""
    text = re.sub(r"\s*(UTC|GMT|Z)$", "+00:00", text.strip())
    text = re.sub(r"\s+([+-]\d{2}:?\d{2})$", r"\1", text).replace(" ", "T", 1)
    text = re.sub(r"^(\d+)-(\d+)-(\d+)", lambda m: f"{int(m[1]):04d}-{int(m[2]):02d}-{int(m[3]):02d}", text)
    try:
        return parse_time(text, "UTC")
    except (ValueError, OverflowError):
        return 0.0


def _number(value: Any) -> float | None:
    array = np.asarray(value) if value is not None else None
    return float(array.ravel()[0]) if array is not None and array.dtype.kind in "fiu" and array.size else None


def is_netcdf(head: bytes) -> bool:
    """Return whether a file is NetCDF, or HDF5, which NetCDF 4 is."""
    return head[:3] == b"CDF" or head[:8] == b"\x89HDF\r\n\x1a\n"


@contextmanager
def opened(path: Path) -> Iterator[Dataset]:
    """Open a NetCDF file of either family.

    Raises
    ------
    DataError
        If it is damaged, cut short, or of a family that is not read.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if head[:3] == b"CDF":
        yield from _classic(path, head)
    else:
        yield from _hdf5(path)


def _classic(path: Path, head: bytes) -> Iterator[Dataset]:
    from scipy.io import netcdf_file

    if head[3:4] not in (b"\x01", b"\x02"):
        raise DataError(path, "this is NetCDF with 64-bit data (CDF-5).", remedy="Convert it: nccopy -k nc4 IN OUT.")
    try:
        # Nothing is mapped into memory: the file could not be let go of while an array of it lives.
        file = netcdf_file(path, "r", mmap=False) if path.stat().st_size < 1 << 28 else netcdf_file(path, "r", mmap=True)
    except (ValueError, OSError, TypeError, KeyError, IndexError, AssertionError, MemoryError, OverflowError, EOFError) as error:
        raise DataError(path, _BROKEN, remedy=_AGAIN, reason=error) from error
    try:
        variables = {
            name: Variable(name, tuple(v.dimensions), tuple(v.shape), _texts(vars(v).get("_attributes", {})), v)
            for name, v in file.variables.items()
        }
        yield Dataset(path, variables, _texts(vars(file).get("_attributes", {})), "3")
    finally:
        # Arrays that are still in use keep the file; it goes with them.
        del variables
        file.close() if not file.use_mmap else None


def _hdf5(path: Path) -> Iterator[Dataset]:
    import h5py

    try:
        file = h5py.File(path, "r")
    except (OSError, ValueError) as error:
        raise DataError(path, _BROKEN, remedy=_AGAIN, reason=_short(error)) from error
    with file:
        names = _scales(file)
        variables = {}
        for name, item in file.items():
            if isinstance(item, h5py.Dataset):
                dims = tuple(_dimension(file, item, k, names) for k in range(item.ndim))
                variables[name] = Variable(name, dims, tuple(item.shape), _texts(dict(item.attrs)), item)
        try:
            yield Dataset(path, variables, _texts(dict(file.attrs)), "4")
        except (OSError, RuntimeError) as error:
            raise DataError(path, _BROKEN, remedy=_AGAIN, reason=_short(error)) from error


def _scales(file: Any) -> dict[Any, str]:
    scale = (b"DIMENSION_SCALE", "DIMENSION_SCALE")
    return {item.id: name for name, item in file.items() if item is not None and item.attrs.get("CLASS") in scale}


def _dimension(file: Any, item: Any, axis: int, names: dict[Any, str]) -> str:
    """Return the name of a dimension; a scale is its own, what is unnamed is told by its size."""
    attached = list(item.dims[axis].values())
    if attached:
        return str(attached[0].name).rsplit("/", 1)[-1]
    if item.id in names and axis == 0:
        return names[item.id]
    return f"_{axis}_{item.shape[axis]}"


def _short(error: Exception) -> str:
    return str(error).split("(", 1)[0].strip() or "HDF5"


def _texts(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with bytes decoded and arrays of one as numbers."""
    plain: dict[str, Any] = {}
    for name, value in attrs.items():
        if name in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS"):
            continue
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.ravel()[0]
        plain[name] = value.decode("utf-8", "replace").rstrip("\0") if isinstance(value, bytes) else value
    return plain
