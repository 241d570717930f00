"""The process that reads IFC: parses the file, describes its products, tessellates them, and leaves arrays on disk.

Run by `cimdesk.formats.ifc.worker`; nothing here is imported by the program itself.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cimdesk.base.workers import RefusalError, serve
from cimdesk.formats.ifc.content import Describer, unit_scale
from cimdesk.formats.ifc.georeference import georeference_of
from cimdesk.formats.ifc.header import SCHEMAS, head_of, nearest_schema, needs_repair, repaired, schema_of
from cimdesk.formats.ifc.shapes import Tessellator

MAX_REPAIRED = 2**30
"""Largest file whose text is put right in memory [bytes]."""
Tell = Callable[..., None]


def work(task: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Read one file.

    Parameters
    ----------
    task : dict
        ``path``; ``out``, the folder for ``model.json`` and ``arrays.npz``; ``is_careful``, to tell of every shape before it is
        made; ``skip``, entity numbers of shapes that must not be made.
    tell : callable
        Takes the fraction done and what is going on.

    Returns
    -------
    dict
        Empty; everything is on disk.
    """
    path = Path(task["path"])
    tell(0.0, "parse", True)
    try:
        file, is_repaired = _opened(path)
        tell(0.15, "describe", True)
        describer = Describer(file)
        tell(0.3, "shapes", True)
        tessellator = Tessellator(file, describer.rows_by_id, task["is_careful"], frozenset(task["skip"]), tell)
        arrays = tessellator.run(describer.drawn)
    except MemoryError:
        raise RefusalError({"code": "memory"}) from None
    tell(0.95, "write", True)
    said = {
        "schema": schema_of(head_of(path)),
        "is_repaired": is_repaired,
        "entities": sum(1 for _ in file),
        "classes": dict(sorted(Counter(product.is_a() for product in file.by_type("IfcProduct")).items())),
        "unit": unit_scale(file, "LENGTHUNIT"),
        "georeference": georeference_of(file),
        "project": describer.project(),
        "rows": describer.rows,
        "parents": describer.parents,
        "failed": tessellator.failed,
    }
    out = Path(task["out"])
    contents: dict[str, Any] = dict(arrays)
    np.savez(out / "arrays.npz", **contents)
    (out / "model.json").write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    return {}


def _opened(path: Path) -> tuple[Any, bool]:
    """Return the parsed file and whether its text had to be changed for that."""
    ifcopenshell: Any = import_module("ifcopenshell")
    schema = schema_of(head_of(path))
    near = nearest_schema(schema)
    try:
        if schema in SCHEMAS and not (os.path.getsize(path) <= MAX_REPAIRED and needs_repair(path)):
            return ifcopenshell.open(str(path)), False
        if os.path.getsize(path) > MAX_REPAIRED:
            raise RefusalError({"code": "too-large", "schema": schema})
        data = repaired(path.read_bytes(), schema, near)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        return ifcopenshell.file.from_string(text), True
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise RefusalError({"code": "damaged", "reason": str(error)[:300]}) from error


if __name__ == "__main__":
    serve(work)
