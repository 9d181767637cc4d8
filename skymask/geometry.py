"""Where pixels are on the sky, and how large."""

import warnings

import numpy as np
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame

from skymask.errors import MapError
from skymask.maps import sky_cards

#: Pixel sizes may differ by this fraction over a map; beyond it, one kernel for the whole map would be wrong.
MAX_DISTORTION = 0.1

#: Two maps are on the same grid if their pixels agree to this fraction of a pixel.
SAME_GRID = 0.01


def sky_projection(header, name="the map"):
    """Return the celestial WCS of a header.

    Raises
    ------
    MapError
        If the header has none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            wcs = WCS(sky_cards(header), naxis=2)
        except Exception as error:
            raise MapError(f"{name} has unusable sky coordinates: {str(error).strip().splitlines()[-1]}") from error
    if not wcs.has_celestial:
        raise MapError(f"{name} has no sky coordinates (no celestial CTYPE1, CTYPE2 in its header)")
    return wcs


def pixel_size(header):
    """Return the size of a pixel along y and x, in degrees, at the reference point."""
    size_x, size_y = proj_plane_pixel_scales(sky_projection(header))
    return float(size_y), float(size_x)


def check_distortion(header, shape):
    """Raise a MapError if pixels are skewed, or their sizes differ, by more than `MAX_DISTORTION` over the map.

    Sizes are great-circle distances between neighbouring pixels on a coarse grid.
    """
    wcs = sky_projection(header)
    matrix = wcs.pixel_scale_matrix
    skew = abs(matrix[:, 0] @ matrix[:, 1]) / np.prod(np.linalg.norm(matrix, axis=0))
    if skew > MAX_DISTORTION:
        angle = np.degrees(np.arccos(skew))
        raise MapError(
            f"pixels are skewed: their sides meet at {angle:.0f} degrees; reproject the map to square pixels"
        )
    nominal = pixel_size(header)
    y, x = (grid.ravel() for grid in np.meshgrid(*(np.linspace(0, n - 1, 9) for n in shape), indexing="ij"))
    here = _positions(wcs, np.column_stack([x, y]))
    for size, step in zip(nominal, ([0.0, 1.0], [1.0, 0.0]), strict=True):
        there = _positions(wcs, np.column_stack([x, y]) + step)
        distance = _separation(here, there)
        deviation = np.abs(distance / size - 1)
        if np.isnan(deviation).any():
            raise MapError("the projection leaves parts of the map off the sky: cut the map to a smaller field")
        if deviation.max() > MAX_DISTORTION:
            raise MapError(
                f"pixel sizes differ by {deviation.max():.0%} over the map (at most {MAX_DISTORTION:.0%}): "
                "cut it to smaller fields or project it with its centre as the reference point"
            )


def check_same_grid(header, other, shape, name):
    """Raise a MapError if the corners of two maps of the same shape lie at different places on the sky."""
    wcs, other_wcs = sky_projection(header), sky_projection(other, name)
    corners = np.array([[0, 0], [shape[1] - 1, 0], [0, shape[0] - 1], [shape[1] - 1, shape[0] - 1]], dtype=float)
    if list(wcs.wcs.ctype) != list(other_wcs.wcs.ctype):
        raise MapError(f"{name} has the axes {', '.join(other_wcs.wcs.ctype)}, counts {', '.join(wcs.wcs.ctype)}")
    separation = _separation(_positions(wcs, corners), _positions(other_wcs, corners))
    if not separation.max() <= SAME_GRID * min(pixel_size(header)):
        raise MapError(
            f"{name} lies elsewhere on the sky than counts (by up to {separation.max():.3g} deg): reproject it first"
        )


def sky_position(header, x, y):
    """Return longitude and latitude of a pixel, in degrees, in the map's own frame."""
    longitude, latitude = _positions(sky_projection(header), [[x, y]])[0]
    return float(longitude), float(latitude)


def sky_positions(header, x, y):
    """Return longitudes and latitudes of n pixels, shape (n, 2), in degrees in the map's own frame."""
    return _positions(sky_projection(header), np.column_stack([x, y]).astype(float))


def frame_name(header):
    """Return astropy's name of the map's own frame, as in "icrs", or "unknown" where astropy knows none."""
    try:
        return wcs_to_celestial_frame(sky_projection(header)).name
    except ValueError:
        return "unknown"


def axis_names(header):
    """Return the names of longitude and latitude in the map's own frame, as in ["GLON", "GLAT"]."""
    wcs = sky_projection(header)
    return [wcs.wcs.ctype[axis].split("-")[0] for axis in (wcs.wcs.lng, wcs.wcs.lat)]


def _positions(wcs, pixels):
    """Longitude and latitude of pixels in degrees, whichever axis is which."""
    return wcs.all_pix2world(pixels, 0)[:, [wcs.wcs.lng, wcs.wcs.lat]]


def _separation(first, second):
    """Great-circle distance in degrees between positions in degrees, by the haversine formula."""
    (lon1, lat1), (lon2, lat2) = np.radians(first).T, np.radians(second).T
    haversine = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(haversine)))
