"""A report says everything it is given, in HTML and PDF, whatever characters that takes."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from cimdesk.report.charts import Lane, bars, time_lanes
from cimdesk.report.document import Chart, Figure, ReportContent, Section, Table, people_text, render_html, render_pdf

AWKWARD = '#let x = $1 <b>&amp; \\ 城市 *bold* @ref "quoted" 100 %'


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 36), (120, 160, 200)).save(buffer, "PNG")
    return buffer.getvalue()


def _content(language: str = "en", rows: int = 3) -> ReportContent:
    hours = np.linspace(0.0, 6.0, 13)
    chart = Chart("Rain", time_lanes([Lane("Rain [mm/h]", hours, hours, "#5ba8e0", bars=True)], "hours"))
    table = Table("Exposure", ("Use", "Buildings"), tuple((f"{AWKWARD} {k}", str(k)) for k in range(rows)), frozenset({1}))
    section = Section(AWKWARD, (AWKWARD,), ((AWKWARD, "1"),), (table,), (Figure("Overview", _png()),), (chart,))
    return ReportContent(
        f"Title {AWKWARD}", "Subtitle", language, (("312", "buildings"),), (("CRS", "EPSG:4547"),), (section,), "foot"
    )


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_pdf_typesets_awkward_text_without_reading_it_as_markup(language: str):
    pdf, pages = render_pdf(_content(language))
    assert pdf.startswith(b"%PDF-")
    assert pages == 2 or pages == 1


def test_pdf_grows_with_its_tables():
    assert render_pdf(_content(rows=200))[1] > render_pdf(_content(rows=3))[1]


def test_html_holds_every_text_once_escaped():
    page = render_html(_content())
    reader = _Text()
    reader.feed(page)
    assert reader.text.count(f"{AWKWARD} 2") == 1
    assert "<b>&amp;" not in page.replace("&lt;b&gt;", "")


def test_html_needs_no_other_file():
    page = render_html(_content())
    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_counts_of_figures_and_tables_are_of_what_is_inside():
    content = _content()
    assert (content.figure_count, content.table_count) == (2, 1)


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (1, "< 10"), (9.4, "< 10"), (10, "10"), (4180, "4,180")])
def test_few_people_are_not_counted_out(count: float, text: str):
    assert people_text(count) == text


def test_bars_are_as_long_as_their_values():
    widths = [
        float(w)
        for w in re.findall(r'<rect x="[\d.]+" y="\d+" width="([\d.]+)"', bars([("a", 10, "#111111"), ("b", 5, "#222222")]))
    ]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)


def test_chart_labels_are_escaped():
    assert "<b>" not in bars([("<b>", 1.0, "#111111")])
