"""Ticks of sky coordinates: where they are told, the map has them, as astropy's own axes say."""

import numpy as np
import pytest
from conftest import sky_header

from skymask.products.sky_ticks import sky_ticks
from skymask.sky.geometry import sky_projection

SHAPE = (40, 50)

FIELDS = [
    (("RA---TAN", "DEC--TAN"), (83.6, 22.0), 0.02),
    (("RA---TAN", "DEC--TAN"), (0.1, -60.0), 0.1),
    (("GLON-CAR", "GLAT-CAR"), (0.0, 0.0), 0.05),
    (("GLON-ZEA", "GLAT-ZEA"), (40.0, 20.0), 0.2),
    (("RA---SIN", "DEC--SIN"), (359.9, 5.0), 1e-5),
]


def degrees(text):
    """Return the degrees that a label tells."""
    sign = -1 if text.startswith("−") else 1
    for marks, factor in (("ʰᵐˢ", 15), ("°′″", 1)):
        if marks[0] in text:
            parts = text.lstrip("+−")
            for mark in marks:
                parts = parts.replace(mark, " ")
            return sign * factor * sum(float(part) / 60**power for power, part in enumerate(parts.split()))
    raise ValueError(text)


@pytest.mark.parametrize(("ctype", "center", "size"), FIELDS)
def test_the_map_has_the_coordinate_where_its_tick_is(ctype, center, size):
    header = sky_header(SHAPE, pixel_size=size, ctype=ctype, center=center)
    wcs = sky_projection(header)
    for side, ticks in enumerate(sky_ticks(header, SHAPE)):
        assert 2 <= len(ticks.positions) <= 10
        pixels = np.full((len(ticks.positions), 2), -0.5)
        pixels[:, side] = ticks.positions
        found = wcs.wcs_pix2world(pixels, 0)[:, side]
        told = np.array([degrees(text) for text in ticks.labels])
        # Between points of the side, coordinates are taken as linear.
        np.testing.assert_allclose((found - told + 180) % 360 - 180, 0, atol=1e-4 * size)
        np.testing.assert_allclose((np.array(ticks.values) - told + 180) % 360 - 180, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("center", "size", "labels"),
    [
        ((83.6, 22.0), 0.02, (["5ʰ36ᵐ", "5ʰ34ᵐ"], ["+21°40′", "+21°50′", "+22°00′", "+22°10′", "+22°20′"])),
        ((10.0, -30.0), 1.0, (["2ʰ", "0ʰ"], ["−40°", "−30°", "−20°", "−10°"])),
        (
            (0.0, -0.004),
            1e-5,
            (["0ʰ00ᵐ00.05ˢ", "0ʰ00ᵐ00.00ˢ", "23ʰ59ᵐ59.95ˢ"], ["−0°00′15.0″", "−0°00′14.5″", "−0°00′14.0″"]),
        ),
    ],
)
def test_right_ascension_is_told_in_hours_and_declination_in_degrees(center, size, labels):
    header = sky_header(SHAPE, pixel_size=size, center=center, ctype=("RA---TAN", "DEC--TAN"))
    assert tuple(ticks.labels for ticks in sky_ticks(header, SHAPE, (3, 6))) == labels


def test_everything_else_is_told_in_degrees():
    header = sky_header(SHAPE, ctype=("GLON-CAR", "GLAT-CAR"), center=(0.0, 0.0))
    below, left = sky_ticks(header, SHAPE, (4, 4))
    assert below.labels == ["1.0°", "0.5°", "0.0°", "359.5°", "359.0°"]
    assert left.labels == ["−1.0°", "−0.5°", "0.0°", "0.5°", "1.0°"]
    assert (below.name, left.name) == ("Galactic longitude", "Galactic latitude")


@pytest.mark.parametrize(
    ("cards", "frame"), [({"RADESYS": "FK5", "EQUINOX": 2000.0}, "J2000"), ({"RADESYS": "ICRS"}, "ICRS")]
)
def test_equatorial_coordinates_name_their_frame(cards, frame):
    header = sky_header(SHAPE)
    header.update(cards)
    assert [ticks.name for ticks in sky_ticks(header, SHAPE)] == [
        f"Right ascension ({frame})",
        f"Declination ({frame})",
    ]


def test_coordinates_of_a_map_on_its_side_are_told_where_their_lines_end():
    header = sky_header(SHAPE)
    # Longitude runs along y.
    header.update({"PC1_1": 0.0, "PC1_2": 1.0, "PC2_1": -1.0, "PC2_2": 0.0})
    below, left = sky_ticks(header, SHAPE)
    assert below.name.startswith("Declination")
    assert left.name.startswith("Right ascension")


def test_a_side_off_the_sky_has_no_ticks():
    header = sky_header((10, 10), pixel_size=40.0, ctype=("GLON-AIT", "GLAT-AIT"), center=(0.0, 0.0))
    assert sky_ticks(header, (10, 10))[0].positions == []
