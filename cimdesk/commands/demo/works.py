"""Planned and running works of the demo city, with the dates on which each stage was or will be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cimdesk.base.arrays import Float
from cimdesk.base.units import parse_time
from cimdesk.commands.demo.ground_plan import write_layer
from cimdesk.commands.demo.plan import Plan
from cimdesk.model.lifecycle import Stage


@dataclass(frozen=True)
class Work:
    """A project in the street or on a plot.

    Attributes
    ----------
    area : tuple of 4 floats
        Plan rectangle u0, u1, v0, v1 on the north bank.
    stages : tuple of (Stage, ISO date)
    """

    key: str
    en: str
    zh: str
    kind: str
    owner: str
    budget_million_cny: float
    area: tuple[float, float, float, float]
    stages: tuple[tuple[Stage, str], ...]

    @property
    def start(self) -> str:
        """ISO date on which building starts, or planning did when no date is set for that."""
        return next((date for stage, date in self.stages if stage is Stage.CONSTRUCTION), self.stages[0][1])

    @property
    def end(self) -> str:
        """ISO date of the last known stage."""
        return self.stages[-1][1]


def _steps(text: str) -> tuple[tuple[Stage, str], ...]:
    """Return the stages and ISO dates of ``planning 2024-09-02; approval 2025-01-15``."""
    pairs = [step.split() for step in text.split(";")]
    return tuple((Stage.from_code(code), date) for code, date in pairs)


WORKS = (
    Work(
        "W01",
        "Water main renewal, Huacheng Avenue",
        "花城大道供水管网改造",
        "water",
        "Guangzhou Water 广州自来水公司",
        86.0,
        (330, 930, 307, 333),
        _steps(
            "planning 2024-09-02; approval 2025-01-15; design 2025-04-01; permit 2025-11-20; "
            "construction 2026-03-16; acceptance 2026-09-30; handover 2026-10-20; operation 2026-11-01"
        ),
    ),
    Work(
        "W02",
        "Underpass pump station upgrade",
        "猎德大道下穿隧道泵站扩容",
        "drainage",
        "Tianhe Drainage 天河区排水公司",
        34.5,
        (898, 922, 640, 688),
        _steps(
            "planning 2025-06-20; approval 2025-12-05; design 2026-02-10; "
            "permit 2026-08-15; construction 2026-09-21; acceptance 2027-04-10"
        ),
    ),
    Work(
        "W03",
        "Metro line 19, Liede interchange",
        "地铁19号线猎德站",
        "metro",
        "Guangzhou Metro 广州地铁集团",
        2140.0,
        (700, 930, 434, 456),
        _steps(
            "planning 2021-03-10; approval 2022-05-30; design 2023-02-01; "
            "permit 2024-01-12; construction 2024-05-06; acceptance 2027-11-30"
        ),
    ),
    Work(
        "W04",
        "Haiwen primary school, new building",
        "海文小学新建工程",
        "school",
        "Tianhe Education Bureau 天河区教育局",
        178.0,
        (1440, 1548, 330, 438),
        _steps(
            "planning 2025-03-01; approval 2025-10-18; design 2026-01-08; "
            "permit 2026-09-01; construction 2026-11-02; acceptance 2028-06-30"
        ),
    ),
    Work(
        "W05",
        "Liede village micro-renewal, phase 1",
        "猎德城中村微改造一期",
        "renewal",
        "Liede Subdistrict 猎德街道",
        265.0,
        (1030, 1185, 200, 310),
        _steps("planning 2026-02-01; approval 2026-07-15; design 2026-10-01"),
    ),
    Work(
        "W06",
        "Trunk sewer lining, Xiancun Road",
        "冼村路雨水主干管内衬修复",
        "drainage",
        "Tianhe Drainage 天河区排水公司",
        18.2,
        (47, 73, 200, 560),
        _steps(
            "planning 2024-11-11; design 2025-03-20; permit 2025-08-01; construction 2025-10-10; "
            "acceptance 2026-02-27; handover 2026-03-10; operation 2026-03-14"
        ),
    ),
    Work(
        "W07",
        "Linjiang Avenue flood wall",
        "临江大道防洪墙加高",
        "flood",
        "Pearl River Embankment Office 珠江堤防管理中心",
        97.0,
        (1020, 1560, 4, 10),
        _steps(
            "planning 2025-09-01; approval 2026-04-22; design 2026-06-01; "
            "permit 2026-12-01; construction 2027-01-10; acceptance 2027-12-20"
        ),
    ),
    Work(
        "W08",
        "110 kV cable to Machang substation",
        "马场站110千伏电缆工程",
        "power",
        "Guangzhou Power Supply 广州供电局",
        62.0,
        (1352, 1556, 562, 584),
        _steps(
            "planning 2025-02-14; approval 2025-07-30; design 2025-09-15; "
            "permit 2026-04-30; construction 2026-05-25; acceptance 2026-12-15"
        ),
    ),
)


def write_works(path: Path, plan: Plan) -> None:
    """Write the works as polygons with dates."""
    from shapely import box, intersection, polygons

    shapes = intersection([polygons(_ring(plan, work)) for work in WORKS], box(*plan.window))
    columns: dict[str, Sequence[Any]] = {
        "id": [work.key for work in WORKS],
        "name": [work.en for work in WORKS],
        "name_zh": [work.zh for work in WORKS],
        "kind": [work.kind for work in WORKS],
        "owner": [work.owner for work in WORKS],
        "start": [work.start for work in WORKS],
        "end": [work.end for work in WORKS],
        "status": [current_stage(work).code for work in WORKS],
        "budget_million_cny": [work.budget_million_cny for work in WORKS],
    }
    write_layer(path, "works", shapes, columns, "Polygon")


def current_stage(work: Work, on: str = "2026-06-07") -> Stage:
    """Return the stage a work is in on a date."""
    now = parse_time(on)
    reached = [stage for stage, date in work.stages if parse_time(date) <= now]
    return reached[-1] if reached else Stage.PLANNING


def _ring(plan: Plan, work: Work) -> Float:
    return plan.ring(1, *work.area, step=20.0)
