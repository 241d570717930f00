"""The demo city: a seeded, plausible river district in ordinary files, and the project that shows every feature with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cimdesk.commands.demo.generate import SIZES, DemoSummary, generate, generate_job

if TYPE_CHECKING:
    from cimdesk.commands.session import Session

__all__ = ["SIZES", "DemoSummary", "generate", "generate_job", "run_demo_storm"]


def run_demo_storm(session: Session) -> None:
    """Simulate the demo's storm with the session's runner and attach the result: in the background under a window."""
    from cimdesk.commands.demo import project

    project.run_demo_storm(session)
