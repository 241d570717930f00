"""ReportContent to HTML and PDF. What is said is decided by the caller; here it only gets its form.

The PDF is typeset by Typst from ``resources/report/report.typ``, which reads the content as JSON, so no text needs
escaping; the HTML is one self-contained file from ``resources/report/report.html.j2``.
"""

from __future__ import annotations

import base64
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cimdesk.base.errors import CimdeskError
from cimdesk.base.paths import resource_dir

FEW = 10


@dataclass(frozen=True)
class Figure:
    """A picture with its caption; ``png`` holds the file's bytes."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class Chart:
    """A drawing with its caption; ``svg`` holds the file's text."""

    caption: str
    svg: str


@dataclass(frozen=True)
class Table:
    """A table of texts; columns listed in ``numeric`` are aligned right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Section:
    """One chapter: text, facts as label and value, tables, pictures."""

    title: str
    paragraphs: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class ReportContent:
    """Everything a report says, in its language.

    Attributes
    ----------
    title, subtitle : str
    language : str
        ``en`` or ``zh_CN``.
    highlights : tuple of (value, label)
        The few numbers a reader takes away.
    facts : tuple of (label, value)
        Reference system, date, version: the imprint.
    sections : tuple of Section
    footer : str
        Repeated on every page.
    """

    title: str
    subtitle: str
    language: str
    highlights: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    footer: str = ""
    contents_title: str = field(default="Contents")

    @property
    def figure_count(self) -> int:
        """Pictures and charts."""
        return sum(len(section.figures) + len(section.charts) for section in self.sections)

    @property
    def table_count(self) -> int:
        """Tables."""
        return sum(len(section.tables) for section in self.sections)


def people_text(count: float) -> str:
    """Return a number of people for a document: counts under ten are not told, so that nobody can be recognised."""
    return "0" if count <= 0 else f"< {FEW}" if count < FEW else f"{round(count):,}"


def render_html(content: ReportContent) -> str:
    """Return the report as one self-contained HTML page."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir() / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["data_uri"] = lambda png: "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return environment.get_template("report.html.j2").render(report=content)


def render_pdf(content: ReportContent) -> tuple[bytes, int]:
    """Return the report as PDF and its number of pages.

    Raises
    ------
    CimdeskError
        If it cannot be typeset.
    """
    import typst

    with tempfile.TemporaryDirectory(prefix="cimdesk-report-") as folder:
        root = Path(folder)
        (root / "report.typ").write_text((resource_dir() / "report" / "report.typ").read_text(encoding="utf-8"), encoding="utf-8")
        (root / "content.json").write_text(json.dumps(_plain(content, root), ensure_ascii=False), encoding="utf-8")
        try:
            pdf = typst.compile(str(root / "report.typ"), root=str(root))
            pages = json.loads(typst.query(str(root / "report.typ"), "<pages>", field="value", one=True, root=str(root)))
        except RuntimeError as error:
            raise CimdeskError("The report cannot be typeset: {reason}", reason=str(error)) from error
    return pdf, int(pages)


def _plain(content: ReportContent, root: Path) -> dict[str, Any]:
    """Return the content as JSON can hold it, with the pictures as files in ``root``."""
    names = iter(range(1_000_000))

    def keep(data: bytes, suffix: str) -> str:
        name = f"picture-{next(names)}.{suffix}"
        (root / name).write_bytes(data)
        return name

    sections = [
        {
            "title": section.title,
            "paragraphs": list(section.paragraphs),
            "facts": [list(fact) for fact in section.facts],
            "tables": [
                {
                    "title": table.title,
                    "columns": list(table.columns),
                    "rows": [list(row) for row in table.rows],
                    "numeric": [k in table.numeric for k in range(len(table.columns))],
                }
                for table in section.tables
            ],
            "figures": [{"caption": figure.caption, "file": keep(figure.png, "png")} for figure in section.figures]
            + [{"caption": chart.caption, "file": keep(chart.svg.encode(), "svg")} for chart in section.charts],
        }
        for section in content.sections
    ]
    return {
        "title": content.title,
        "subtitle": content.subtitle,
        "language": content.language.split("_")[0],
        "highlights": [list(item) for item in content.highlights],
        "facts": [list(fact) for fact in content.facts],
        "sections": sections,
        "footer": content.footer,
        "contents_title": content.contents_title,
    }
