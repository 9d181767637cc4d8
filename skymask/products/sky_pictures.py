"""Pictures of maps on the sky: codes of colours with axes, the outline of the mask, a colour bar and a legend.

A pixel of a map is a square of the picture's pixels, or one of the picture's stands for a square of the map's: nothing
is interpolated.
"""

import numpy as np

from skymask.products.numbers import tick_texts
from skymask.products.pictures import FULL, INKS, LEVELS, NORMAL, SHADES, TABLE, TITLE, WHITE, Picture
from skymask.products.sky_ticks import sky_ticks

#: Longest side of a map in a figure, in inches.
SIDE = 6.8

#: Room above and below a map, in points.
ABOVE, BELOW = 24, 36

#: Height of a line of text, in points.
LINE = 13

#: Codes of pixels without coverage, which are hatched with two more, of covered ones without a background, and of those
#: that were excluded for a while.
NOTHING, HATCH = 255, (FULL["black"] - SHADES + 2, FULL["black"] - SHADES + 5)
NO_BACKGROUND, RELEASED = FULL["green"], FULL["pale"]

#: The outline of the mask in a legend.
MASK = ("black", "exclusion mask")


def picture_on_sky(field, codes, title, legend, dpi, *, scale=None, whole=False, sources=None, right=0):
    """Draw an image of codes with its axes on the sky, the outline of the mask, a colour bar and a legend.

    Returns the picture, and the box (x0, y0, x1, y1) of the image in it; `right` points at its right are left free.
    """
    unit = dpi / 72
    zoom = max(1, int(SIDE * dpi) // max(codes.shape))
    codes = np.where(field.coverage, codes, NOTHING)
    image = enlarged(codes, zoom)
    height, width = image.shape
    if (nothing := image == NOTHING).any():
        legend = [*legend, (NOTHING, "no coverage")]
        image[nothing] = _stripes(image.shape, dpi)[nothing]
    measure = Picture((1, 1), dpi)
    most = max(1, int(width / (64 * unit))), max(1, int(height / (28 * unit)))
    axes = sky_ticks(field.header, field.shape, most)
    ticks = scale.ticks(whole) if scale else []
    texts = tick_texts(ticks)
    label_width = measure.text_width(scale.label, NORMAL) if scale else 0
    # Beside a flat map there is no room for a long label.
    beside = label_width <= height
    left = _widest(axes[1].labels, measure) + 24 * unit
    room = (right + 12) * unit + (_widest(texts, measure) + (42 if beside else 30) * unit if scale else 0)
    above = (ABOVE if beside else ABOVE + LINE) * unit
    whole_width = left + max(width + room, measure.text_width(title, TITLE), label_width)
    lines = _in_lines(legend, whole_width - left, measure)
    picture = Picture((whole_width, above + height + (BELOW + len(lines) * LINE) * unit), dpi)
    box = tuple(round(side) for side in (left, above, left + width, above + height))
    picture.put(image, *box[:2])
    if sources is not None:
        outline(picture, ~sources, box, FULL["green"])
    outline(picture, field.exclusion_mask, box, FULL["black"])
    picture.text(box[0], 13 * unit, title, size=TITLE)
    _sky_axes(picture, axes, box, zoom / field.block)
    if scale:
        _colour_bar(picture, scale, box, ticks, texts, beside=beside)
    for number, line in enumerate(lines):
        _legend_line(picture, line, box[0], box[3] + (BELOW + (number + 0.3) * LINE) * unit)
    return picture, box


def _widest(texts, measure):
    """The width of the widest of some texts, in pixels."""
    return max(map(measure.text_width, texts), default=0)


def _sky_axes(picture, ticks, box, scale):
    """The frame of a map, with ticks of its sky coordinates; `scale` is the size of the map's pixels in the picture."""
    x0, y0, x1, y1 = box
    unit = picture.dpi / 72
    below, left = ticks
    picture.frame(*box)
    end = -np.inf
    for position, text in sorted(zip(below.positions, below.labels, strict=True)):
        x = x0 + (position + 0.5) * scale
        picture.line((x, y1), (x, y1 + 4 * unit))
        half = picture.text_width(text) / 2
        if x - half > end:
            picture.text(x, y1 + 5 * unit, text, anchor="mt")
            end = x + half + 4 * unit
    picture.text((x0 + x1) / 2, y1 + 17 * unit, below.name, size=NORMAL, anchor="mt")
    for position, text in zip(left.positions, left.labels, strict=True):
        y = y1 - (position + 0.5) * scale
        picture.line((x0 - 4 * unit, y), (x0, y))
        picture.text(x0 - 5 * unit, y, text, anchor="rm")
    picture.text(10 * unit, (y0 + y1) / 2, left.name, size=NORMAL, anchor="mm", turned=True)


def _colour_bar(picture, scale, box, ticks, texts, *, beside):
    """A colour bar at the right of a map, with triangles at ends beyond which values lie."""
    _, y0, x1, y1 = box
    unit = picture.dpi / 72
    x0, x1 = round(x1 + 8 * unit), round(x1 + 18 * unit)
    levels = TABLE + (np.arange(y1 - y0)[::-1] * LEVELS // (y1 - y0))
    picture.put(np.repeat(levels.astype(np.uint8)[:, None], x1 - x0, axis=1), x0, y0)
    picture.frame(x0, y0, x1, y1)
    for beyond, end, away, code in zip(
        scale.open_ends, (y1, y0 - 1), (1, -1), (TABLE, TABLE + LEVELS - 1), strict=True
    ):
        for step in range((x1 - x0) // 2 if beyond else 0):
            picture.codes[end + away * (picture.points(0.8) + step), x0 + step : x1 - step] = code
    for value, text in zip(ticks, texts, strict=True):
        y = y1 - float(scale.parts(value)) * (y1 - y0)
        picture.line((x1, y), (x1 + 3 * unit, y))
        picture.text(x1 + 5 * unit, y, text)
    if beside:
        x = x1 + _widest(texts, picture) + 16 * unit
        picture.text(x, (y0 + y1) / 2, scale.label, size=NORMAL, anchor="mm", turned=True)
    else:
        end = max(x1 + _widest(texts, picture) + 6 * unit, box[0] + picture.text_width(scale.label, NORMAL))
        picture.text(end, y0 - 9 * unit, scale.label, size=NORMAL, anchor="rm")


def _in_lines(legend, width, measure):
    """The entries of a legend in lines that fit."""
    lines, end = [[]], 0
    for kind, text in legend:
        length = measure.text_width(text) + (12 if kind is None else 30) * measure.dpi / 72
        if lines[-1] and end + length > width:
            lines.append([])
            end = 0
        lines[-1].append((kind, text, length))
        end += length
    return lines


def _legend_line(picture, line, x, y):
    """One line of a legend: what stands for something, and its name."""
    unit = picture.dpi / 72
    for kind, text, length in line:
        begin = x
        if kind is not None:
            width, height = round(14 * unit), round(8 * unit)
            corner = round(x), round(y - height / 2)
            if kind in INKS:
                picture.line((x, y), (x + width, y), ink=kind, width=1.2)
            else:
                shape = (height, width)
                picture.put(
                    _stripes(shape, picture.dpi) if kind == NOTHING else np.full(shape, kind, np.uint8), *corner
                )
                picture.frame(*corner, corner[0] + width, corner[1] + height, ink="grey")
            begin += 18 * unit
        picture.text(begin, y, text)
        x += length


def outline(picture, mask, box, code):
    """The border of the pixels that a mask excludes: within them in a colour, around them white."""
    x0, y0, x1, y1 = box
    excluded = enlarged(~mask, (x1 - x0) // mask.shape[1])
    if not excluded.any():
        return
    width = max(1, round(picture.dpi / 100))
    outside = _grown(excluded, width) & ~excluded
    inside = excluded & _grown(~excluded, width)
    panel = picture.codes[y0:y1, x0:x1]
    panel[outside], panel[inside] = WHITE, code


def _grown(region, width):
    """A region with all pixels at most so many rows and columns away."""
    for _ in range(width):
        grown = region.copy()
        grown[1:] |= region[:-1]
        grown[:-1] |= region[1:]
        region = grown.copy()
        region[:, 1:] |= grown[:, :-1]
        region[:, :-1] |= grown[:, 1:]
    return region


def _stripes(shape, dpi):
    """Codes of a hatched area."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    width = max(2, round(dpi / 40))
    return np.where((x + y) // width % 3 == 0, *HATCH[::-1]).astype(np.uint8)


def coded(scale, image):
    """Codes of the colours of an image on its scale; where it is NaN, any."""
    parts = scale.parts(np.asarray(image, dtype=np.float32))
    np.copyto(parts, 0, where=np.isnan(parts))
    return (TABLE + parts * np.float32(LEVELS - 1e-3)).astype(np.uint8)


def enlarged(codes, zoom):
    """An image from its upper row down, every pixel so many times as wide and high."""
    return codes[::-1].repeat(zoom, axis=0).repeat(zoom, axis=1)
