"""Axes of a chart in a picture, with curves, points and histograms."""

import numpy as np

from skymask.products.pictures import NORMAL


class Chart:
    """Axes in a box (x0, y0, x1, y1) of a picture, with the ranges of what they show."""

    def __init__(self, picture, box, x_range, y_range, *, log=False):
        self.picture, self.box = picture, tuple(round(side) for side in box)
        self.x_range, self.y_range, self.log = x_range, y_range, log

    def place(self, x, y):
        """Return where values lie in the picture."""
        x0, y0, x1, y1 = self.box
        low, high = self.y_range
        if self.log:
            low, high, y = np.log10(low), np.log10(high), np.log10(np.maximum(y, 1e-3 * low))
        along = (np.asarray(x) - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        return x0 + along * (x1 - x0), y1 - (np.asarray(y) - low) / (high - low) * (y1 - y0)

    def axes(self, x_ticks, y_ticks, x_name, y_name):
        """Draw the frame with ticks, each a value and its text, and the names of both axes."""
        picture, (x0, y0, x1, y1) = self.picture, self.box
        unit = picture.dpi / 72
        picture.frame(x0, y0, x1, y1)
        for value, text in x_ticks:
            x, _ = self.place(value, self.y_range[1])
            picture.line((x, y1), (x, y1 + 3 * unit))
            picture.text(x, y1 + 5 * unit, text, anchor="mt")
        wide = 0
        for value, text in y_ticks:
            _, y = self.place(self.x_range[0], value)
            picture.line((x0 - 3 * unit, y), (x0, y))
            picture.text(x0 - 5 * unit, y, text, anchor="rm")
            wide = max(wide, picture.text_width(text))
        picture.text((x0 + x1) / 2, y1 + 17 * unit, x_name, size=NORMAL, anchor="mt")
        picture.text(x0 - 10 * unit - wide, (y0 + y1) / 2, y_name, size=NORMAL, anchor="ms", turned=True)

    def curve(self, x, y, *, ink, dashed=False):
        """Draw a line through points, as far as it lies in the box; undefined ones are left out."""
        x, y = self.place(x, y)
        known = np.isfinite(y)
        self.picture.curve(x[known], y[known], ink=ink, dashed=dashed, within=self.box)

    def steps(self, edges, numbers, *, ink, filled=False):
        """Draw a histogram."""
        x, y = self.place(np.asarray(edges, dtype=float), np.append(numbers, 0.0))
        x0, y0, x1, y1 = self.box
        x, y = np.clip(x, x0, x1), np.clip(y, y0, y1)
        if filled:
            for left, right, top in zip(x[:-1], x[1:], y[:-1], strict=True):
                self.picture.fill(left, top, right, y1, ink)
        else:
            heights = [y1, *y[:-1], y1]
            corners = [(at, height) for at, *pair in zip(x, heights[:-1], heights[1:], strict=True) for height in pair]
            self.picture.line(*corners, ink=ink, width=1.4)
