"""Findings: problems met while reading, kept short when a file has thousands of the same kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

from cimdesk.base.errors import Problem, Severity

PER_CODE = 50


class Findings:
    """Collects problems; after `PER_CODE` of one code the rest are only counted."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._counts: Counter[str] = Counter()

    def add(
        self, code: str, where: str, template: str, severity: Severity = Severity.WARNING, remedy: str = "", **values: Any
    ) -> None:
        """Note one problem.

        Parameters
        ----------
        code, where, template, remedy : str
            As in `Problem`; ``values`` fill the templates.
        severity : Severity
        """
        self._counts[code] += 1
        if self._counts[code] <= PER_CODE:
            self._problems.append(Problem(severity, code, where, template, values, remedy))

    def error(self, code: str, where: str, template: str, **values: Any) -> None:
        """Note a problem that costs an object."""
        self.add(code, where, template, Severity.ERROR, **values)

    def info(self, code: str, where: str, template: str, **values: Any) -> None:
        """Note something worth knowing that costs nothing."""
        self.add(code, where, template, Severity.INFO, **values)

    def problems(self) -> tuple[Problem, ...]:
        """Return everything noted, with one line for what was only counted."""
        rest = [
            Problem(Severity.WARNING, code, "", "{count} more problems of this kind are not listed.", {"count": count - PER_CODE})
            for code, count in self._counts.items()
            if count > PER_CODE
        ]
        return (*self._problems, *rest)
