"""Off-screen scenes, drawn without a display."""

from __future__ import annotations

import os

import pytest

from tests.scene import cities
from tests.scene.stage import Stage

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


@pytest.fixture
def stage_of():
    """Return a function that puts a workspace on a stage; every stage is closed in the end."""
    stages = []

    def make(workspace, *args, **options):
        stages.append(Stage(workspace, *args, **options))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


@pytest.fixture(scope="session")
def demo():
    """The whole synthetic city, shared by tests that only look."""
    return cities.demo_city(500)
