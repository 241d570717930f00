"""What the demo city is made of, by name and number: its streets, its quarters and its waterfront. Data, no geometry.

Plan coordinates are metres along the river bank (u, eastwards) and away from it (v); `plan.Warp` bends them into the world.
"""

from __future__ import annotations

from dataclasses import dataclass

CRS = "EPSG:4547"
ORIGIN = (430200.0, 2557700.0)
"""World position of u = 0 on the straightened north bank."""
RIVER_WIDTH = 330.0
PROMENADE = 46.0
"""Depth of the riverside park, from the quay wall to the kerb of the first avenue [m]."""
UNDERPASS = (930.0, 660.0)
"""Plan position of the deepest point: Liede Avenue below the railway."""
UNDERPASS_DEPTH = 4.2
CREEKS_CITY: tuple[float, ...] = (-1290.0, 2310.0)
CREEKS_SOUTH: tuple[float, ...] = ()
CREEK_WIDTH = 18.0

WINDOWS: dict[str, tuple[float, float, float, float]] = {
    "small": (430200.0, 2557170.0, 431800.0, 2558650.0),
    "city": (428000.0, 2555900.0, 434000.0, 2560900.0),
}
"""Extent of each size: west, south, east, north."""
CELLS = {"small": 2.0, "city": 5.0}


@dataclass(frozen=True)
class Line:
    """A street, railway or creek along one plan axis.

    Attributes
    ----------
    axis : str
        ``u`` for lines of constant u (running away from the river), ``v`` for lines along it.
    at, width : float
        [m]
    kind : str
        ``arterial``, ``secondary``, ``local``, ``lane``, ``rail`` or ``creek``.
    gaps : tuple of (float, float)
        Where the line is interrupted, along its own direction.
    """

    axis: str
    at: float
    width: float
    kind: str
    en: str
    zh: str
    gaps: tuple[tuple[float, float], ...] = ()

    def covers(self, low: float, high: float) -> bool:
        """Whether the line is there between two positions along it."""
        middle = (low + high) / 2.0
        return not any(a <= middle <= b for a, b in self.gaps)


RAIL_GAP = ((570.0, 745.0),)
HILL_GAP = ((570.0, 1150.0),)

CORE_V = (
    Line("v", 60.0, 28.0, "arterial", "Linjiang Avenue", "临江大道"),
    Line("v", 190.0, 16.0, "secondary", "Haiqing Road", "海清路", ((560.0, 700.0),)),
    Line("v", 320.0, 42.0, "arterial", "Huacheng Avenue", "花城大道"),
    Line("v", 445.0, 22.0, "secondary", "Jinsui Road", "金穗路"),
    Line("v", 570.0, 44.0, "arterial", "Huangpu Avenue", "黄埔大道"),
    Line("v", 660.0, 26.0, "rail", "Guangzhou-Shenzhen Railway", "广深铁路"),
    Line("v", 745.0, 20.0, "secondary", "Tianhe South Road", "天河南路"),
    Line("v", 1150.0, 40.0, "arterial", "Tianhe Road", "天河路"),
)
CORE_U = (
    Line("u", 60.0, 26.0, "arterial", "Xiancun Road", "冼村路"),
    Line("u", 330.0, 22.0, "secondary", "Huaxia Road", "华夏路", HILL_GAP),
    Line("u", 560.0, 18.0, "secondary", "Zhujiang West Road", "珠江西路", HILL_GAP),
    Line("u", 700.0, 18.0, "secondary", "Zhujiang East Road", "珠江东路", HILL_GAP),
    Line("u", 930.0, 38.0, "arterial", "Liede Avenue", "猎德大道"),
    Line("u", 1010.0, 30.0, "creek", "Liede Creek", "猎德涌", ((745.0, 9999.0),)),
    Line("u", 1350.0, 18.0, "secondary", "Haiwen Road", "海文路", RAIL_GAP),
    Line("u", 1560.0, 28.0, "arterial", "Machang Road", "马场路"),
)
SOUTH_V = (
    Line("v", 60.0, 26.0, "arterial", "Binjiang East Road", "滨江东路"),
    Line("v", 250.0, 18.0, "secondary", "Yizhou Road", "艺洲路"),
    Line("v", 480.0, 40.0, "arterial", "Xingang East Road", "新港东路"),
    Line("v", 740.0, 22.0, "secondary", "Lijiao Road", "沥滘路"),
    Line("v", 1000.0, 40.0, "arterial", "Xinjiao Road", "新滘路"),
    Line("v", 1270.0, 22.0, "secondary", "Luntou Road", "仑头路"),
    Line("v", 1560.0, 22.0, "secondary", "Shangyong Road", "上涌路"),
)
SOUTH_U = (
    Line("u", 150.0, 22.0, "secondary", "Yuejiang Road", "阅江路"),
    Line("u", 420.0, 18.0, "secondary", "Shuangta Road", "双塔路"),
    Line("u", 680.0, 18.0, "secondary", "Huizhan Road", "会展路"),
    Line("u", 930.0, 38.0, "arterial", "Liede Avenue South", "猎德大道南"),
    Line("u", 1180.0, 18.0, "secondary", "Fengpu Road", "凤浦路"),
    Line("u", 1450.0, 22.0, "secondary", "Xinzhou Road", "新洲路"),
)
RIVER_BRIDGES = (
    (930.0, "Liede Bridge", "猎德大桥"),
    (-840.0, "Haiyin Bridge", "海印大桥"),
    (2640.0, "Pazhou Bridge", "琶洲大桥"),
)
"""Plan u of the arterials that cross the river."""

# First match decides; plan u range, plan v range, quarter.
CORE_QUARTERS: tuple[tuple[float, float, float, float, str], ...] = (
    (560.0, 700.0, 60.0, 320.0, "park"),
    (560.0, 700.0, 320.0, 445.0, "civic"),
    (330.0, 560.0, 60.0, 445.0, "cbd"),
    (700.0, 930.0, 60.0, 445.0, "cbd"),
    (330.0, 930.0, 445.0, 570.0, "office"),
    (-250.0, 330.0, 60.0, 190.0, "high"),
    (60.0, 330.0, 190.0, 445.0, "courtyard"),
    (-250.0, 330.0, 190.0, 570.0, "slab"),
    (930.0, 1010.0, 60.0, 320.0, "greenway"),
    (930.0, 1010.0, 320.0, 570.0, "strip"),
    (1010.0, 1350.0, 60.0, 320.0, "village"),
    (1010.0, 1350.0, 320.0, 445.0, "oldtown"),
    (1010.0, 1350.0, 445.0, 570.0, "courtyard"),
    (1350.0, 1560.0, 60.0, 190.0, "high"),
    (1350.0, 1560.0, 190.0, 320.0, "slab"),
    (1350.0, 1560.0, 320.0, 445.0, "courtyard"),
    (1350.0, 1560.0, 445.0, 570.0, "industry"),
    (1560.0, 1850.0, 60.0, 570.0, "industry"),
    (-250.0, 1850.0, 570.0, 745.0, "strip"),
    (60.0, 930.0, 745.0, 1150.0, "hill"),
    (930.0, 1350.0, 745.0, 1150.0, "lowrise"),
    (-250.0, 1850.0, 745.0, 1150.0, "slab"),
)

ARTERIAL_NAMES = (
    ("东风", "Dongfeng"), ("中山", "Zhongshan"), ("环市", "Huanshi"), ("广园", "Guangyuan"), ("燕岭", "Yanling"), ("科韵", "Keyun"),
    ("车陂", "Chebei"), ("棠下", "Tangxia"), ("五山", "Wushan"), ("龙口", "Longkou"), ("先烈", "Xianlie"), ("农林", "Nonglin"),
    ("东湖", "Donghu"), ("水荫", "Shuiyin"), ("沙河", "Shahe"), ("梅花", "Meihua"), ("天寿", "Tianshou"), ("林和", "Linhe"),
    ("体育", "Tiyu"), ("员村", "Yuancun"), ("华景", "Huajing"), ("中山大", "Zhongda"), ("东圃", "Dongpu"), ("黄村", "Huangcun"),
    ("赤岗", "Chigang"), ("客村", "Kecun"), ("琶洲", "Pazhou"), ("磨碟沙", "Modiesha"), ("敦和", "Dunhe"), ("石榴岗", "Shiliugang"),
    ("大塘", "Datang"), ("上涌", "Shangchong"), ("珠影", "Zhuying"), ("江海", "Jianghai"), ("华南", "Huanan"), ("长福", "Changfu"),
)  # fmt: skip
LOCAL_FIRST = (
    ("海", "Hai"), ("珠", "Zhu"), ("江", "Jiang"), ("兴", "Xing"), ("华", "Hua"), ("金", "Jin"), ("天", "Tian"), ("文", "Wen"),
    ("清", "Qing"), ("龙", "Long"), ("春", "Chun"), ("荔", "Li"), ("榕", "Rong"), ("紫", "Zi"), ("瑞", "Rui"), ("和", "He"),
    ("景", "Jing"), ("云", "Yun"), ("翠", "Cui"), ("宝", "Bao"),
)  # fmt: skip
LOCAL_SECOND = (
    ("月", "yue"), ("安", "an"), ("盛", "sheng"), ("明", "ming"), ("园", "yuan"), ("康", "kang"), ("泰", "tai"), ("乐", "le"),
    ("怡", "yi"), ("秀", "xiu"), ("风", "feng"), ("湖", "hu"), ("桥", "qiao"), ("苑", "yuan"), ("庭", "ting"), ("福", "fu"),
    ("塘", "tang"), ("岭", "ling"), ("津", "jin"), ("禾", "he"),
)  # fmt: skip
