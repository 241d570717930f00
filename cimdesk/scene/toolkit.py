"""VTK classes by name, imported at first use, so that importing the scene costs nothing at start-up."""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "vtkCommonCore": "reference vtkFloatArray vtkIdList vtkPoints vtkUnsignedCharArray",
    "vtkCommonDataModel": "vtkCellArray vtkDataObject vtkGenericCell vtkImageData vtkPolyData vtkStaticCellLocator",
    "vtkRenderingCore": "vtkActor vtkLight vtkPolyDataMapper vtkPolyDataMapper2D vtkRenderWindow vtkRenderer vtkTexture"
    " vtkTexturedActor2D",
    "vtkRenderingOpenGL2": "vtkEGLRenderWindow vtkOSOpenGLRenderWindow",
    "util.numpy_support": "numpy_to_vtk vtk_to_numpy",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(name)
    # The OpenGL back end must be loaded before the first window or mapper is made; without it they are abstract and crash.
    importlib.import_module("vtkmodules.vtkRenderingOpenGL2")
    found = getattr(importlib.import_module(f"vtkmodules.{module}"), name)
    globals()[name] = found
    return found
