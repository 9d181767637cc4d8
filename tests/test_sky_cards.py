"""Cards of the sky: what is kept of a header places an image where astropy sees it, or the header is refused."""

import re
import warnings

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from conftest import sky_header
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from skymask.errors import MapError
from skymask.io.sky_cards import checked_header, sky_cards
from skymask.sky import geometry

SHAPE = (40, 60)


def old_header(**cards):
    """The header of a map of 60 x 40 pixels without a rotation, and further cards."""
    header = sky_header(SHAPE)
    plain = ("CTYPE", "CRVAL", "CRPIX", "CDELT", "CUNIT")
    header = fits.Header({f"{key}{axis}": header[f"{key}{axis}"] for key in plain for axis in (1, 2)})
    header.update(NAXIS=2, NAXIS1=SHAPE[1], NAXIS2=SHAPE[0])
    header.update(cards)
    return header


def matrix(form, angle=30.0, scale=1.0):
    """Cards of a rotation, named by a form such as PC{}_{}."""
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    return {
        form.format(i, j): value for (i, j), value in zip(((1, 1), (1, 2), (2, 1), (2, 2)), (c, -s, s, c), strict=True)
    }


def corners_as_astropy_sees_them(header):
    """Positions of corners and middle, by astropy from the whole header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(header, naxis=2)
        x, y = np.array([(0, 0), (59, 0), (0, 39), (59, 39), (29.5, 19.5)]).T
        return wcs.pixel_to_world(x, y)


def corners_as_we_see_them(header):
    """The same from what is kept of the header."""
    kept = checked_header(header, "a.fits")
    pixels = np.array([(0, 0), (59, 0), (0, 39), (59, 39), (29.5, 19.5)])
    frame = geometry.celestial_frame(kept)
    return SkyCoord(*geometry.sky_positions(kept, *pixels.T).T, unit="deg", frame=frame)


OLD = {
    "PC00i00j": matrix("PC00{}00{}"),
    "CD00i00j": matrix("CD00{}00{}", scale=0.05),
    "CROTA2": {"CROTA2": 30.0},
    "PROJPn": {"CTYPE1": "RA---SZP", "CTYPE2": "DEC--SZP", "PROJP1": 2.0, "PROJP2": 180.0, "PROJP3": 60.0},
    "EPOCH": {"EPOCH": 1950.0},
    "RADECSYS": {"RADECSYS": "FK4", "EQUINOX": 1950.0},
}


@pytest.mark.parametrize("cards", OLD.values(), ids=OLD)
def test_cards_of_older_headers_place_the_image_where_astropy_sees_it(cards):
    header = old_header(**cards)
    if "CD001001" in header:
        header.remove("CDELT1"), header.remove("CDELT2")
    assert corners_as_we_see_them(header).separation(corners_as_astropy_sees_them(header)).max().deg < 1e-9


@st.composite
def headers(draw):
    """Valid headers of the field: projections, frames, rotations in any form, units, and cards in quotes."""
    projection = draw(st.sampled_from(["TAN", "SIN", "CAR", "AIT", "STG", "ZEA", "MER", "CEA", "ARC", "SZP", "CYP"]))
    axes = draw(st.sampled_from([("RA---", "DEC--"), ("GLON-", "GLAT-"), ("DEC--", "RA---")]))
    header = old_header(CTYPE1=axes[0] + projection, CTYPE2=axes[1] + projection)
    flat = projection in ("CAR", "MER", "CEA", "CYP")
    longitude, latitude = draw(st.floats(0, 360)), 0.0 if flat else draw(st.floats(-80, 80))
    swapped = axes[0].startswith("DEC")
    header["CRVAL1"], header["CRVAL2"] = (latitude, longitude) if swapped else (longitude, latitude)
    header["CRPIX1"], header["CRPIX2"] = draw(st.floats(-50, 90)), draw(st.floats(-50, 90))
    size, angle = draw(st.sampled_from([0.01, 0.1, 0.3])), draw(st.sampled_from([0.0, 30.0, -100.0]))
    header["CDELT1"], header["CDELT2"] = -size, size
    form = draw(st.sampled_from(["PC{}_{}", "PC00{}00{}", "CD{}_{}", "CD00{}00{}", "CROTA2", "none"]))
    if form == "CROTA2":
        header["CROTA2"] = angle
    elif form.startswith("CD"):
        header.remove("CDELT1"), header.remove("CDELT2")
        header.update(matrix(form, angle, size))
    elif form.startswith("PC"):
        header.update(matrix(form, angle))
    if projection in ("SZP", "CYP"):
        old = "PROJP{}" if draw(st.booleans()) else f"PV{1 if swapped else 2}_{{}}"
        header.update({old.format(number): value for number, value in ((1, 1.0), (2, 1.0))})
    if axes[0][:2] in ("RA", "DE"):
        frames = [{}, {"RADESYS": "ICRS"}, {"RADESYS": "FK5"}, {"EQUINOX": 1975.0}, {"RADECSYS": "FK4"}]
        header.update(draw(st.sampled_from([*frames, {"EPOCH": 1950.0}, {"RADESYS": "FK4-NO-E", "EQUINOX": 1950.0}])))
    if draw(st.booleans()):
        header.update(NAXIS=3, NAXIS3=2, CTYPE3="ENERGY", CRVAL3=1.0, CDELT3=1.0, CRPIX3=1.0, CUNIT3="photon energy")
    return header


@settings(max_examples=50)
@given(headers())
def test_any_header_of_the_field_is_read_as_astropy_reads_it(header):
    theirs = corners_as_astropy_sees_them(header)
    # A corner may lie off the sky.
    assume(np.isfinite(theirs.spherical.lon.deg).all())
    assert corners_as_we_see_them(header).separation(theirs).max().deg < 1e-7


@settings(max_examples=50)
@given(headers(), st.data())
def test_a_number_in_quotes_is_read_as_the_number(header, data):
    key = data.draw(st.sampled_from([key for key in header if key[:5] in ("CRVAL", "CDELT", "CRPIX", "EQUIN")]))
    want = dict(sky_cards(header))
    header[key] = repr(header[key])
    checked = checked_header(header, "a.fits")
    assert {card: checked[card] for card in want} == want


def test_a_card_that_is_no_number_is_named():
    with pytest.raises(MapError, match=r"^a\.fits: the header card CRVAL1 must be a number, and is '83\.6 deg'$"):
        sky_cards(old_header(CRVAL1="83.6 deg"), "a.fits")


def test_blanks_are_as_if_they_were_not_there():
    assert dict(sky_cards(old_header(RADESYS="", EQUINOX=" "))) == dict(sky_cards(old_header()))


def test_a_frame_in_lower_case_is_that_frame():
    assert geometry.celestial_frame(checked_header(old_header(RADESYS="icrs"), "a.fits")).name == "icrs"


def test_an_unknown_frame_is_named_by_its_card():
    header = checked_header(old_header(RADESYS="J2000"), "a.fits")
    with pytest.raises(MapError, match=r"^a\.fits has RADESYS 'J2000' in its header, and ICRS, FK5, FK4 or FK4-NO-E"):
        geometry.celestial_frame(header, "a.fits")


def test_tables_of_distortions_are_refused():
    with pytest.raises(MapError, match=r"^a\.fits has pixels distorted by a table \(CPDIS1\): reproject"):
        checked_header(old_header(CPDIS1="LOOKUP"), "a.fits")


def test_what_only_astropy_understands_is_refused(monkeypatch):
    # As if a kind of card were forgotten here.
    known = re.compile("CTYPE|CR|CDELT|CUNIT")
    monkeypatch.setattr("skymask.io.sky_cards._today", lambda key: key if known.match(key) else None)
    with pytest.raises(MapError, match=r"^a\.fits has cards .* not read: astropy sees its corners up to 0\.9"):
        checked_header(old_header(**OLD["PC00i00j"]), "a.fits")


def test_an_energy_axis_that_moves_with_the_sky_is_refused():
    header = old_header(NAXIS=3, NAXIS3=2, CTYPE3="ENERGY", PC1_3=0.1)
    with pytest.raises(MapError, match=r"^a\.fits has unusable sky coordinates: .*Non-zero off-diagonal"):
        checked_header(header, "a.fits")
