"""Pictures in few colours, drawn by Pillow: a map with its axes takes milliseconds, and a third of the bytes.

A picture is an array of codes of a palette: white to black, a few inks in shades towards white, and one table of
colours for a map. Text and lines are drawn into a layer for each ink, smooth, and laid over the map in the end.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

from skymask.io.atomic import written_whole

#: Inks, in the order in which they are laid over each other: colours that remain apart for colour-blind readers (Okabe
#: & Ito 2008), and greys.
INKS = {
    "pale": "#D9D9D9",
    "grey": "#8A8A8A",
    "green": "#009E73",
    "blue": "#0072B2",
    "orange": "#D55E00",
    "black": "#000000",
}

#: Shades of an ink, from just not white to the full colour.
SHADES = 12

#: Code of white, codes of the full inks, and the code of the first colour of the table of a map.
WHITE, FULL = 0, {ink: SHADES * number for number, ink in enumerate(INKS, start=1)}
TABLE = 1 + SHADES * len(INKS)

#: Colours that a table has room for; one code more has no colour.
LEVELS = 255 - TABLE

#: Lines are drawn this many times as large, and then made smaller.
FINE = 4

#: Sizes of text, in points.
SMALL, NORMAL, TITLE = 8, 9, 10


class Picture:
    """A picture that is drawn from its upper left corner on, in pixels.

    Parameters
    ----------
    size : (float, float)
        Width and height in pixels.
    dpi : float
        Pixels per inch, for sizes of text and lines.
    """

    def __init__(self, size, dpi):
        self.width, self.height = (round(length) for length in size)
        self.dpi = dpi
        self.codes = np.full((self.height, self.width), WHITE, dtype=np.uint8)
        self._layers = {}

    def points(self, number):
        """Return a length in points (1/72 inch) as whole pixels, at least one."""
        return max(1, round(number * self.dpi / 72))

    def put(self, codes, x, y):
        """Put an image of codes at a place."""
        self.codes[y : y + codes.shape[0], x : x + codes.shape[1]] = codes

    def text(self, x, y, text, *, size=SMALL, anchor="lm", ink="black", turned=False):
        """Write text at a place; `anchor` says which part of it, as Pillow does. Turned, it reads from below."""
        font = _font(size * self.dpi / 72)
        if not turned:
            self._on(ink).text((x, y), text, font=font, fill=255, anchor=anchor)
            return
        left, top, right, bottom = font.getbbox(text, anchor=anchor)
        image = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(image).text((-left, -top), text, font=font, fill=255, anchor=anchor)
        self._lay(ink, image.transpose(Image.Transpose.ROTATE_90), round(x + top), round(y - right))

    def text_width(self, text, size=SMALL):
        """Return the width of a text in pixels."""
        return _font(size * self.dpi / 72).getlength(text)

    def line(self, *corners, ink="black", width=0.8):
        """Draw lines along rows and columns of pixels, from corner (x, y) to corner."""
        self._on(ink).line([(round(x), round(y)) for x, y in corners], fill=255, width=self.points(width))

    def fill(self, x0, y0, x1, y1, ink):
        """Fill a rectangle, its last row and column left out."""
        if x1 > x0 and y1 > y0:
            self._on(ink).rectangle((round(x0), round(y0), round(x1) - 1, round(y1) - 1), fill=255)

    def frame(self, x0, y0, x1, y1, ink="black"):
        """Draw a frame around a rectangle, whose last row and column lie inside."""
        width = self.points(0.8)
        self._on(ink).rectangle((x0 - width, y0 - width, x1 + width - 1, y1 + width - 1), outline=255, width=width)

    def curve(self, x, y, *, ink, width=1.2, dashed=False, within=None):
        """Draw a smooth line through points; what is not within a box (x0, y0, x1, y1) is left out."""
        x0, y0, x1, y1 = within or (0, 0, self.width, self.height)
        image = Image.new("L", (FINE * (x1 - x0), FINE * (y1 - y0)))
        draw = ImageDraw.Draw(image)
        fine = np.column_stack([np.subtract(x, x0), np.subtract(y, y0)]) * FINE
        for part in _dashes(fine, FINE * self.points(4)) if dashed else [fine]:
            draw.line([tuple(point) for point in part.tolist()], fill=255, width=round(FINE * width * self.dpi / 72))
        self._lay(ink, image.reduce(FINE), x0, y0)

    def disks(self, x, y, *, ink, radius=2.0):
        """Draw filled circles."""
        side = 2 * self.points(radius) + 3
        image = Image.new("L", (FINE * side, FINE * side))
        middle, reach = FINE * side / 2, FINE * radius * self.dpi / 72
        ImageDraw.Draw(image).ellipse((middle - reach, middle - reach, middle + reach, middle + reach), fill=255)
        image = image.reduce(FINE)
        for one_x, one_y in zip(x, y, strict=True):
            self._lay(ink, image, round(one_x - side / 2), round(one_y - side / 2))

    def save(self, path, table=None):
        """Write the picture as PNG, in one piece and without a date; `table` has the colours of a map, as (n, 3)."""
        for ink in INKS:
            if ink in self._layers:
                self._blend(self._layers[ink][0], FULL[ink])
        image = Image.fromarray(self.codes)
        image.putpalette(_palette() + (b"" if table is None else table.tobytes()))
        with written_whole(path) as temporary:
            image.save(temporary, format="png", compress_level=3, dpi=(self.dpi, self.dpi))

    def _on(self, ink):
        """What draws into the layer of an ink."""
        if ink not in self._layers:
            image = Image.new("L", (self.width, self.height))
            self._layers[ink] = image, ImageDraw.Draw(image)
        return self._layers[ink][1]

    def _lay(self, ink, image, x, y):
        """Lay a small image over a layer, where it is stronger."""
        self._on(ink)
        layer, box = self._layers[ink][0], (x, y, x + image.width, y + image.height)
        layer.paste(ImageChops.lighter(layer.crop(box), image), box)

    def _blend(self, layer, full):
        """Lay a layer over the picture: smooth on white, with sharp edges on everything else."""
        if (box := layer.getbbox()) is None:
            return
        part = (slice(box[1], box[3]), slice(box[0], box[2]))
        shades = (np.asarray(layer)[part].astype(np.uint16) * SHADES + 127) // 255
        codes = self.codes[part]
        np.copyto(codes, full - SHADES + shades, where=(shades > 0) & (codes == WHITE), casting="unsafe")
        np.copyto(codes, full, where=(2 * shades > SHADES) & ((codes <= full - SHADES) | (codes > full)))


@lru_cache
def _font(size):
    """The font of matplotlib's figures, in pixels."""
    package = find_spec("matplotlib").submodule_search_locations[0]
    path = Path(package, "mpl-data/fonts/ttf/DejaVuSans.ttf")
    if not path.is_file():
        # Some distributions keep it elsewhere.
        from matplotlib import get_data_path

        path = Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache
def _palette():
    """White and the inks in all shades."""
    colours = [(255, 255, 255)]
    for text in INKS.values():
        ink = np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)])
        colours += [tuple(np.rint(255 + shade / SHADES * (ink - 255)).astype(int)) for shade in range(1, SHADES + 1)]
    return bytes(value for colour in colours for value in colour)


def _dashes(points, length):
    """Every other part of so much length of a line through points."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    for start in np.arange(0, along[-1], 2 * length):
        at = np.linspace(start, min(start + length, along[-1]), 6)
        yield np.column_stack([np.interp(at, along, axis) for axis in points.T])
