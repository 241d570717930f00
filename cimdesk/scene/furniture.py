"""What a picture needs to stand alone: title, legend cards, scale bar, north arrow, reference system, time, sources and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cimdesk.base.arrays import UInt8
from cimdesk.base.i18n import tr
from cimdesk.model.appearance import LegendCard
from cimdesk.scene.lettering import font, text_size
from cimdesk.scene.look import Look

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

MAX_ENTRIES = 9
MAX_TITLE = 0.2
"""Share of the width that the title of a legend may take in one row."""
MAX_NAME = 0.32
"""Share of the width that the name of one of two runs may take in one row."""
OVERSAMPLE = 3
NICE = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Sides:
    """Two runs side by side in one picture: where the line between them stands, as a share of the width, and their names."""

    at: float
    left: str
    right: str


@dataclass(frozen=True)
class Captions:
    """The words of a picture, already in its language.

    Attributes
    ----------
    title, subtitle : str
    facts : tuple of str
        Short facts beside the scale bar: reference system, time, scenario.
    notes : tuple of str
        Small print: sources, vintages, model limits.
    heading_deg : float
        Direction looked towards, clockwise from north.
    metres_per_pixel : float
        At the middle of the picture.
    cards : tuple of LegendCard
    sides : Sides or None
        What lies left and right of a line through the picture.
    """

    title: str = ""
    subtitle: str = ""
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    heading_deg: float = 0.0
    metres_per_pixel: float = 1.0
    cards: tuple[LegendCard, ...] = field(default=())
    sides: Sides | None = None


class Furniture:
    """Draws captions over a picture, sized for its height.

    Attributes
    ----------
    unit : float
        Pixels of the picture per design pixel: the furniture of a 720 px high picture at any size.
    """

    def __init__(self, picture: UInt8, look: Look) -> None:
        from PIL import Image

        self.look = look
        self.base = Image.fromarray(picture).convert("RGBA")
        self.width, self.height = self.base.size
        self.unit = min(max(min(self.height / 720.0, self.width / 1000.0), 0.6), 8.0)
        self.text = round(look.text_px * self.unit * (1.0 if look.text_px < 20 else 0.8))
        self.pad = round(11 * self.unit)
        self.margin = round(14 * self.unit)

    def finish(self, captions: Captions) -> UInt8:
        """Return the (H, W, 3 or 4) picture with everything drawn."""
        if captions.sides is not None:
            self._line(captions.sides)
        top = self._title(captions) if captions.title else self.margin
        self._compass(captions.heading_deg)
        low = self._notes(captions.notes)
        self._scale(captions, low)
        self._legend(captions.cards, low)
        if captions.sides is not None:
            self._side_names(captions.sides, max(top, round(66 * self.unit)))
        return np.asarray(self.base.convert("RGB"))

    def _card(self, x: int, y: int, width: int, height: int) -> ImageDraw.ImageDraw:
        """Put a rounded card with a soft shadow on the picture."""
        from PIL import Image, ImageDraw, ImageFilter

        blur = max(2, round(5 * self.unit))
        shadow = Image.new("RGBA", (width + 4 * blur, height + 4 * blur), (0, 0, 0, 0))
        radius = round(8 * self.unit)
        box = [2 * blur, 2 * blur, 2 * blur + width, 2 * blur + height]
        ImageDraw.Draw(shadow).rounded_rectangle(box, radius, fill=(10, 16, 24, 70))
        shadow = shadow.filter(ImageFilter.GaussianBlur(blur))
        self._paste(shadow, x - 2 * blur, y - 2 * blur + round(1.5 * self.unit))
        card = Image.new("RGBA", (width * OVERSAMPLE, height * OVERSAMPLE), (0, 0, 0, 0))
        opacity = 255 if self.look.name == "projector" else 238
        rim = self.look.line if self.look.name == "projector" else None
        ImageDraw.Draw(card).rounded_rectangle(
            [0, 0, card.width - 1, card.height - 1],
            radius * OVERSAMPLE,
            fill=_rgba(self.look.panel, opacity),
            outline=rim,
            width=2 * OVERSAMPLE,
        )
        self._paste(card.resize((width, height), Image.Resampling.LANCZOS), x, y)
        return ImageDraw.Draw(self.base)

    def _paste(self, picture: Image.Image, x: int, y: int) -> None:
        from PIL import Image

        layer = Image.new("RGBA", self.base.size, (0, 0, 0, 0))
        layer.paste(picture, (x, y))
        box = (max(x, 0), max(y, 0), min(x + picture.width, self.width), min(y + picture.height, self.height))
        if box[2] > box[0] and box[3] > box[1]:
            region = Image.alpha_composite(self.base.crop(box), layer.crop(box))
            self.base.paste(region, box[:2])

    def _line(self, sides: Sides) -> None:
        """Draw the line between two runs, over the city and under the cards."""
        from PIL import ImageDraw

        draw, x = ImageDraw.Draw(self.base), sides.at * self.width
        for color, width in ((self.look.panel, 5.0), (self.look.accent, 2.4)):
            draw.line([(x, 0), (x, self.height)], fill=color, width=max(1, round(width * self.unit)))

    def _side_names(self, sides: Sides, top: int) -> None:
        """Hang the names of two runs beside their line."""
        gap, row = round(8 * self.unit), round(self.text * 1.55)
        x = round(sides.at * self.width)
        for name, is_left in ((sides.left, True), (sides.right, False)):
            room = (x if is_left else self.width - x) - gap - self.margin - 2 * self.pad
            lines = wrapped(name, self.text, min(room, round(MAX_NAME * self.width)), True)
            width = max(text_size(line, self.text, True)[0] for line in lines) + 2 * self.pad
            if width > room + 2 * self.pad + self.margin:
                # The line stands at the rim of the picture: nothing of this run is seen.
                continue
            left = x - gap - width if is_left else x + gap
            draw = self._card(left, top, width, row * len(lines) + self.pad)
            for k, line in enumerate(lines):
                place = (left + self.pad, top + self.pad / 2 + row * (k + 0.5))
                draw.text(place, line, font=font(self.text, True), fill=self.look.text, anchor="lm")

    def _title(self, captions: Captions) -> int:
        """Draw the title; return where what hangs below it may begin."""
        big, small = round(self.text * 1.45), self.text
        width = max(text_size(captions.title, big, True)[0], text_size(captions.subtitle, small)[0] if captions.subtitle else 0)
        height = round(big * 1.3) + (round(small * 1.5) if captions.subtitle else 0)
        draw = self._card(self.margin, self.margin, width + 2 * self.pad, height + round(1.5 * self.pad))
        x, y = self.margin + self.pad, self.margin + round(0.7 * self.pad)
        draw.text((x, y + big * 0.65), captions.title, font=font(big, True), fill=self.look.text, anchor="lm")
        if captions.subtitle:
            draw.text((x, y + big * 1.3 + small * 0.75), captions.subtitle, font=font(small), fill=self.look.dim, anchor="lm")
        return 2 * self.margin + height + round(1.5 * self.pad) - round(0.4 * self.margin)

    def _compass(self, heading_deg: float) -> None:
        from PIL import Image, ImageDraw

        size = round(44 * self.unit)
        k = OVERSAMPLE
        rose = Image.new("RGBA", (size * k, size * k), (0, 0, 0, 0))
        draw = ImageDraw.Draw(rose)
        rim = self.look.text if self.look.name == "projector" else self.look.line
        draw.ellipse([0, 0, size * k - 1, size * k - 1], fill=_rgba(self.look.panel, 242), outline=rim, width=k)
        middle, reach = size * k / 2, size * k * 0.33
        angle = np.radians(-heading_deg)
        ahead, aside = np.array([np.sin(angle), -np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
        tip, tail, wing = ahead * reach * 0.35, -ahead * reach * 0.95, aside * reach * 0.5
        centre = np.array([middle, middle])
        draw.polygon([tuple(centre + tip), tuple(centre + wing + tail), tuple(centre - wing + tail)], fill="#d73027")
        letter = centre + ahead * reach * 0.88
        draw.text((letter[0], letter[1]), "N", font=font(round(self.text * 0.85 * k), True), fill=self.look.text, anchor="mm")
        self._paste(rose.resize((size, size), Image.Resampling.LANCZOS), self.width - self.margin - size, self.margin)

    def _notes(self, notes: tuple[str, ...]) -> int:
        """Draw the small print along the lower edge; return how high it is."""
        from PIL import ImageDraw

        if not notes:
            return 0
        size = max(round(self.text * 0.78), 9)
        lines = wrapped("  ·  ".join(notes), size, self.width - 2 * self.margin)[:3]
        height = round(len(lines) * size * 1.5 + 0.9 * self.pad)
        from PIL import Image

        band = Image.new("RGBA", (self.width, height), _rgba(self.look.panel, 255 if self.look.name == "projector" else 225))
        self._paste(band, 0, self.height - height)
        draw = ImageDraw.Draw(self.base)
        for k, line in enumerate(lines):
            y = self.height - height + 0.45 * self.pad + size * (1.5 * k + 0.75)
            draw.text((self.margin, y), line, font=font(size), fill=self.look.dim, anchor="lm")
        return height

    def _scale(self, captions: Captions, low: int) -> None:
        metres, pixels = scale_length(captions.metres_per_pixel, 0.13 * self.width)
        label = f"{metres:g} m" if metres < 1000 else f"{metres / 1000:g} km"
        text = "  ·  ".join((label, *captions.facts))
        width = max(text_size(text, self.text)[0], round(pixels)) + 2 * self.pad
        height = round(self.text * 1.5 + 1.9 * self.pad)
        x, y = self.width - self.margin - width, self.height - low - self.margin - height
        draw = self._card(x, y, width, height)
        left, top = x + self.pad, y + round(0.75 * self.pad)
        tick, line = round(5 * self.unit), max(1, round(1.4 * self.unit))
        draw.line(
            [(left, top), (left, top + tick), (left + pixels, top + tick), (left + pixels, top)], fill=self.look.text, width=line
        )
        draw.text(
            (left, y + height - 0.7 * self.pad - self.text * 0.62), text, font=font(self.text), fill=self.look.text, anchor="lm"
        )

    def _legend(self, cards: tuple[LegendCard, ...], low: int) -> None:
        if not cards:
            return
        row = round(self.text * 1.55)
        swatch = round(self.text * 1.5)
        widths, heights, titles = [], [], []
        for card in cards:
            shown = card.entries[:MAX_ENTRIES]
            labels = [swatch + round(0.7 * self.pad) + text_size(entry.label, self.text)[0] for entry in shown]
            # A long title, such as of two floods, takes more rows instead of the picture.
            title = wrapped(card.title, self.text, max(round(MAX_TITLE * self.width), *labels, 0))
            titles.append(title)
            widths.append(max([*(text_size(line, self.text, True)[0] for line in title), *labels]))
            heights.append(row * (len(title) + len(shown) + (len(card.entries) > MAX_ENTRIES)) + round(0.5 * self.pad))
        # As many cards as fit above each other; the rest begin a new column.
        limit = self.height - low - round(9 * self.margin)
        columns: list[list[int]] = [[]]
        for k, height in enumerate(heights):
            if columns[-1] and sum(heights[j] for j in columns[-1]) + height > limit:
                columns.append([])
            columns[-1].append(k)
        x = self.margin
        for column in columns:
            width, height = max(widths[k] for k in column) + 2 * self.pad, sum(heights[k] for k in column) + self.pad
            if x + width > self.width * 0.75:
                break
            y = self.height - low - self.margin - height
            draw = self._card(x, y, width, height)
            at = y + round(0.7 * self.pad)
            for k in column:
                for number, line in enumerate(titles[k]):
                    place = (x + self.pad, at + row * (number + 0.5))
                    draw.text(place, line, font=font(self.text, True), fill=self.look.text, anchor="lm")
                self._card_rows(draw, cards[k], x + self.pad, at + row * (len(titles[k]) - 1), row, swatch)
                at += heights[k]
            x += width + round(0.6 * self.margin)

    def _card_rows(self, draw: ImageDraw.ImageDraw, card: LegendCard, x: int, y: int, row: int, swatch: int) -> None:
        for k, entry in enumerate(card.entries[:MAX_ENTRIES], start=1):
            middle = y + row * k + row / 2
            self._symbol(draw, card.symbol, entry.color, x, middle, swatch)
            draw.text((x + swatch + 0.7 * self.pad, middle), entry.label, font=font(self.text), fill=self.look.text, anchor="lm")
        if len(card.entries) > MAX_ENTRIES:
            more = tr("and {count} more").format(count=len(card.entries) - MAX_ENTRIES)
            draw.text((x, y + row * (MAX_ENTRIES + 1) + row / 2), more, font=font(self.text), fill=self.look.dim, anchor="lm")

    def _symbol(self, draw: ImageDraw.ImageDraw, symbol: str, color: str, x: int, middle: float, swatch: int) -> None:
        half = self.text * 0.42
        rim = self.look.dim
        if symbol == "line":
            draw.line([(x, middle), (x + swatch, middle)], fill=rim, width=max(3, round(5 * self.unit)))
            draw.line([(x + 1, middle), (x + swatch - 1, middle)], fill=color, width=max(2, round(3.2 * self.unit)))
        elif symbol == "point":
            draw.ellipse([x + swatch / 2 - half, middle - half, x + swatch / 2 + half, middle + half], fill=color)
        else:
            draw.rounded_rectangle([x, middle - half, x + swatch, middle + half], round(2.5 * self.unit), fill=color, outline=rim)


def scale_length(metres_per_pixel: float, target_px: float) -> tuple[float, float]:
    """Return the round length [m] nearest below ``target_px`` pixels, and its width in pixels."""
    most = max(metres_per_pixel * target_px, 1e-6)
    power = 10.0 ** np.floor(np.log10(most))
    metres = float(max(step * power for step in NICE if step * power <= most * (1 + 1e-9)))
    return metres, metres / metres_per_pixel


def wrapped(text: str, size: int, width: int, is_bold: bool = False) -> list[str]:
    """Return the text in lines no wider than ``width`` px, broken at spaces where it has any."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and text_size(longer, size, is_bold)[0] > width:
            lines.append(line.rstrip(" ·"))
            line = word
        else:
            line = longer
    return [*lines, line]


def _rgba(color: str, alpha: int) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), alpha
