"""What went wrong, where, and what to do next: the errors shown to people, and problems found while reading.

Messages are templates with named values so that one error reads well in every language:
``DataError(path, "header says {said} bytes, file has {size}.", said=96, size=80)``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cimdesk.base.i18n import tr
from cimdesk.base.reasons import plain_reason


class CimdeskError(Exception):
    """An expected failure, told to the person as text and a remedy; anything else is our bug.

    Parameters
    ----------
    message : str
        Template of what went wrong, in English; ``values`` fill its ``{names}``.
    path : path or None
        The file concerned.
    where : str
        Place inside it: object, line, byte.
    remedy : str
        Template of what to do next.
    """

    def __init__(self, message: str, *, path: Path | str | None = None, where: str = "", remedy: str = "", **values: Any) -> None:
        self.template = message
        self.remedy_template = remedy
        self.path = None if path is None else Path(path)
        self.where = where
        self.values = values
        super().__init__(_sentence(self.path, where, _fill(message, values), _fill(remedy, values)))

    @property
    def message(self) -> str:
        """What went wrong, in the current language, without file and place."""
        return _fill(tr(self.template), self.values)

    @property
    def remedy(self) -> str:
        """What to do next, in the current language; empty when there is nothing to advise."""
        return _fill(tr(self.remedy_template), self.values) if self.remedy_template else ""

    def localized(self) -> str:
        """Return the whole error as one line in the current language."""
        return _sentence(self.path, self.where, self.message, self.remedy)


class DataError(CimdeskError):
    """A file cannot be used. The first argument is the file."""

    def __init__(self, path: Path | str | None, message: str, *, where: str = "", remedy: str = "", **values: Any) -> None:
        super().__init__(message, path=path, where=where, remedy=remedy, **values)


class ServiceError(CimdeskError):
    """A service or address does not answer as it should."""


class ProjectError(CimdeskError):
    """The project document cannot be read or written."""


class EditError(CimdeskError):
    """An edit is refused: the rules of the model do not allow it."""


class UsageError(CimdeskError):
    """The request itself makes no sense (bad argument, missing option)."""


class Cancelled(CimdeskError):  # noqa: N818 - a decision of the person, not an error
    """The person cancelled; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")


class Severity(StrEnum):
    """How much a problem matters to the use of the data."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something found wrong while reading; the rest of the file still loads.

    Attributes
    ----------
    severity : Severity
    code : str
        Stable short name, such as ``vertex-out-of-range``.
    where : str
        Object, line or byte.
    template : str
        English message with ``{names}`` filled from ``values``.
    remedy : str
        Template of what to do about it, where more can be said than the message does.
    """

    severity: Severity
    code: str
    where: str
    template: str
    values: dict[str, Any] = field(default_factory=dict)
    remedy: str = ""

    @property
    def message(self) -> str:
        """The problem in the current language, with what to do about it."""
        message = _fill(tr(self.template), self.values)
        return _sentence(None, "", message, _fill(tr(self.remedy), self.values)) if self.remedy else message


def _fill(template: str, values: dict[str, Any]) -> str:
    if "reason" in values:
        values = {**values, "reason": plain_reason(values["reason"])}
    return template.format(**values) if values else template


def _sentence(path: Path | None, where: str, message: str, remedy: str) -> str:
    place = " ".join(part for part in (str(path) if path else "", f"({where})" if where else "") if part)
    head = f"{place}: {message}" if place else message
    if remedy and head and head[-1] not in ".!?:;。！？：；":
        head += "。" if head[-1] > "⺀" else "."
    return f"{head} {remedy}".strip()
