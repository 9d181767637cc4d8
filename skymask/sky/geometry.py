"""Where pixels are on the sky, and how large."""

import warnings

import numpy as np
from astropy import units
from astropy.coordinates import CartesianRepresentation, SkyCoord, UnitSphericalRepresentation
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame

from skymask.errors import MapError
from skymask.io.maps import read_grid
from skymask.io.sky_cards import sky_cards
from skymask.units import angle_in_degrees

#: Pixel sizes may differ by this fraction over a map, and the cosine of the angle between the sides of a pixel from 0;
#: beyond it, one kernel for the whole map would be wrong.
MAX_DISTORTION = 0.1

#: Smallest size of a pixel, in degrees; below it, products of sizes are no numbers any more.
MIN_PIXEL_SIZE = 1e-12

#: Two maps are on the same grid if their pixels agree to this fraction of a pixel.
SAME_GRID = 0.01

#: Opposite edges of a map touch if the gap between them is less than this fraction of the way around.
SEAM = 0.01

#: Axes of maps of a frame, by the frame's name in the configuration.
AXES = {"icrs": ("RA", "DEC"), "galactic": ("GLON", "GLAT")}

#: Projections in which longitude runs evenly along one pixel axis, for ever.
CYLINDRICAL = ("CAR", "CEA", "CYP", "MER")

#: So many pixels are placed on the sky at a time, where their number must not grow with that of the map.
PIXELS_AT_ONCE = 2**20


def field(center, width, pixel_size, *, frame="icrs", projection="TAN"):
    """Return header and shape (ny, nx) of a field of square pixels, north up, with its centre as the reference point.

    Parameters
    ----------
    center, width : (float, float)
        Centre and extent in longitude and latitude, in degrees; the extent is rounded to whole pixels.
    pixel_size : float
        In degrees.
    frame : {"icrs", "galactic"}
    projection : {"TAN", "CAR"}
    """
    shape = tuple(max(1, round(extent / pixel_size)) for extent in reversed(width))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"{axis:-<5}{projection}" for axis in AXES[frame]]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-pixel_size, pixel_size]
    wcs.wcs.crval = center
    if frame == "icrs":
        wcs.wcs.radesys = "ICRS"
    return wcs.to_header(), shape


def grid(geometry):
    """Return header and shape (ny, nx) of the key `geometry` of the configuration.

    Parameters
    ----------
    geometry : dict
        Either `as`, the name of a map, or `center`, `width` and `pixel_size`, with `frame` and `projection`.

    Raises
    ------
    MapError
        If the map cannot be read or has no sky coordinates.
    """
    if "as" in geometry:
        header, shape = read_grid(geometry["as"])
        sky_projection(header, geometry["as"])
        return sky_cards(header), shape
    center, width = ([angle_in_degrees(value) for value in geometry[key]] for key in ("center", "width"))
    options = {key: geometry[key] for key in ("frame", "projection") if key in geometry}
    return field(center, width, angle_in_degrees(geometry["pixel_size"]), **options)


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
            wcs = WCS(sky_cards(header, name), naxis=2)
        except MapError:
            raise
        except Exception as error:
            raise MapError(f"{name} has unusable sky coordinates: {str(error).strip().splitlines()[-1]}") from error
    if not wcs.has_celestial:
        raise MapError(f"{name} has no sky coordinates (no celestial CTYPE1, CTYPE2 in its header)")
    for size in np.abs(wcs.pixel_scale_matrix).max(axis=0):
        if not MIN_PIXEL_SIZE <= size <= 360:
            raise MapError(f"{name} has pixels of {size:g} degrees: CDELT1, CDELT2, CD or PC in its header are wrong")
    if is_cylindrical(wcs):
        # The reference point may be any number of turns away, as in a map from 0 to 360 degrees with CRVAL1 = 0.
        wcs.wcs.bounds_check(pix2world=False, world2pix=True)
    return wcs


def is_cylindrical(wcs):
    """Whether longitude runs evenly along a pixel axis of a celestial WCS."""
    return wcs.wcs.ctype[wcs.wcs.lng][5:8] in CYLINDRICAL


def turn(wcs):
    """Return the pixel axis along which longitude runs in a cylindrical projection, and the pixels of a full turn.

    The axis is 0 for x and 1 for y; None if longitude runs along no pixel axis.
    """
    matrix = wcs.pixel_scale_matrix
    across = np.abs(matrix[wcs.wcs.lng])
    along = int(np.argmax(across))
    if not is_cylindrical(wcs) or across[1 - along] > 1e-9 * across[along]:
        return None
    return along, 360 / across[along]


def pixel_size(header):
    """Return the size of a pixel along y and x, in degrees, at the reference point."""
    size_x, size_y = proj_plane_pixel_scales(sky_projection(header))
    return float(size_y), float(size_x)


def check_distortion(header, shape):
    """Raise a MapError if pixels are skewed, or their sizes differ, by more than `MAX_DISTORTION` over the map.

    Sizes are great-circle distances between neighbouring pixels on a coarse grid; angles are those on the sky.
    """
    wcs = sky_projection(header)
    matrix = wcs.pixel_scale_matrix
    _check_skew(abs(matrix[:, 0] @ matrix[:, 1]) / np.prod(np.linalg.norm(matrix, axis=0)), "")
    _check_single_turn(wcs, shape)
    y, x = (grid.ravel() for grid in np.meshgrid(*(np.linspace(0, n - 1, 9) for n in shape), indexing="ij"))
    pixels = np.column_stack([x, y])
    here = directions(wcs, pixels)
    steps = []
    for size, step in zip(pixel_size(header), ([0.0, 1.0], [1.0, 0.0]), strict=True):
        steps.append(directions(wcs, pixels + step) - here)
        deviation = np.abs(_angle(np.linalg.norm(steps[-1], axis=1)) / size - 1)
        if np.isnan(deviation).any():
            raise MapError("the projection leaves parts of the map off the sky: cut the map to a smaller field")
        if deviation.max() > MAX_DISTORTION:
            raise MapError(
                f"pixel sizes differ by {deviation.max():.0%} over the map (at most {MAX_DISTORTION:.0%}): "
                "cut it to smaller fields or project it with its centre as the reference point"
            )
    skew = np.abs((steps[0] * steps[1]).sum(axis=1)) / np.prod(np.linalg.norm(steps, axis=2), axis=0)
    _check_skew(skew.max(), " in a part of the map")


def _check_skew(skew, where):
    if skew > MAX_DISTORTION:
        angle = np.degrees(np.arccos(skew))
        raise MapError(
            f"pixels are skewed: their sides meet at {angle:.0f} degrees{where}; reproject the map to square pixels"
        )


def _check_single_turn(wcs, shape):
    """Raise a MapError if a map goes around more than once, and shows the same sky twice."""
    if (around := turn(wcs)) is None:
        return
    axis, period = around
    pixels = shape[1 - axis]
    if pixels > period * (1 + 1e-6) + 0.5:
        raise MapError(
            f"the map is {pixels} pixels wide in longitude and a full turn has {period:.6g}: "
            "counts would stand in it twice; cut it to one turn"
        )


def box_within(header, shape, center, radius):
    """Return the smallest box that holds all pixels of a map whose centres are near a position.

    Parameters
    ----------
    header : Header
    shape : (int, int)
        Shape (ny, nx) of the map.
    center : (float, float)
        Longitude and latitude in the map's own frame, in degrees.
    radius : float
        Distance in degrees below which a pixel is near.

    Returns
    -------
    box : (slice, slice) or None
        Rows and columns; None if no pixel is near.
    """
    wcs = sky_projection(header)
    middle = _unit_vectors(*np.radians([center]).T)[0]
    rows, columns = np.zeros(shape[0], dtype=bool), np.zeros(shape[1], dtype=bool)
    step = max(1, PIXELS_AT_ONCE // shape[1])
    for start in range(0, shape[0], step):
        y, x = np.mgrid[start : min(start + step, shape[0]), : shape[1]]
        chords = np.linalg.norm(directions(wcs, np.column_stack([x.ravel(), y.ravel()]).astype(float)) - middle, axis=1)
        near = (_angle(chords) < radius).reshape(y.shape)
        rows[start : start + step] = near.any(axis=1)
        columns |= near.any(axis=0)
    if not rows.any():
        return None
    return tuple(slice(int(np.argmax(hit)), len(hit) - int(np.argmax(hit[::-1]))) for hit in (rows, columns))


def box_of(header, shape, center, width):
    """Return the rows and columns of the pixels of a map within a box of sky, as two slices.

    Parameters
    ----------
    header : Header
    shape : (int, int)
        Shape (ny, nx) of the map.
    center, width : (float, float)
        Centre, in the map's own frame, and extent along x and y, in degrees.

    Raises
    ------
    MapError
        If no pixel lies there.
    """
    wcs = sky_projection(header)
    middle = pixels_of(wcs, _unit_vectors(*np.radians([center]).T), np.subtract(shape[::-1], 1) / 2)[0]
    half = np.divide(width, pixel_size(header)[::-1]) / 2
    first = np.maximum(np.ceil(middle - half), 0)
    last = np.minimum(np.floor(middle + half), np.subtract(shape[::-1], 1))
    if not (first <= last).all():
        raise MapError(
            f"no pixel of the map lies within {width[0]:g} x {width[1]:g} deg of {center[0]:g}, {center[1]:g}"
        )
    return tuple(slice(int(low), int(high) + 1) for low, high in zip(first[::-1], last[::-1], strict=True))


def seam_gap(header, shape):
    """Return how far apart the ends of a map are on the sky, in degrees, if it goes all around; None if it does not."""
    wcs = sky_projection(header)
    for axis, size in ((0, pixel_size(header)[1]), (1, pixel_size(header)[0])):
        ends = np.array([[shape[1] - 1, shape[0] - 1]] * 2, dtype=float) / 2
        ends[0, axis], ends[1, axis] = -0.5, shape[1 - axis] - 0.5
        first, last = directions(wcs, ends)
        gap, way = _angle(np.linalg.norm(first - last)), shape[1 - axis] * size
        if way > 180 and gap < SEAM * way:
            return float(gap)
    return None


def check_same_grid(header, other, shape, name):
    """Raise a MapError if the corners of two maps of the same shape lie at different places on the sky."""
    if difference := grid_difference(header, other, shape, name):
        raise MapError(difference)


def grid_difference(header, other, shape, name):
    """Return in what the grid of the map `name` differs from that of the counts, in one line; None if in nothing.

    Frames and equinoxes count: the same numbers in another frame are another grid.

    Raises
    ------
    MapError
        If one of the headers has no sky coordinates.
    """
    if _shift_of_same_cards(header, other) == (0, 0):
        return None
    wcs, other_wcs = sky_projection(header), sky_projection(other, name)
    if list(wcs.wcs.ctype) != list(other_wcs.wcs.ctype):
        return f"{name} has the axes {', '.join(other_wcs.wcs.ctype)}, counts {', '.join(wcs.wcs.ctype)}"
    corners = _corners(shape)
    there = _in_frame_of(header, other, directions(other_wcs, corners), name)
    separation = _angle(np.linalg.norm(directions(wcs, corners) - there, axis=1))
    if not separation.max() <= SAME_GRID * min(pixel_size(header)):
        frames = frame_text(header), frame_text(other)
        between = f", {frames[1]} and not {frames[0]}" if frames[0] != frames[1] else ""
        return (
            f"{name} lies elsewhere on the sky than counts (by up to {separation.max():.3g} deg{between}): "
            "reproject it first"
        )
    return None


def offset(header, other, shape, name):
    """Return at which row and column of a grid the first pixel of a map lies that is cut out of the same grid.

    In a cylindrical projection longitude runs on for ever: see `offset_within` for whole turns.

    Parameters
    ----------
    header : Header
        Of the grid.
    other : Header
        Of the map.
    shape : (int, int)
        Shape (ny, nx) of the map.
    name : str
        What messages call the map.

    Returns
    -------
    offset : (int, int)
        May be negative, or beyond the grid.

    Raises
    ------
    MapError
        If one of the headers has no sky coordinates, or the map is not made of pixels of the grid.
    """
    if (shift := _shift_of_same_cards(header, other)) is not None:
        return shift
    wcs, other_wcs = sky_projection(header), sky_projection(other, name)
    if list(wcs.wcs.ctype) != list(other_wcs.wcs.ctype):
        raise MapError(f"{name} has the axes {', '.join(other_wcs.wcs.ctype)}, the grid {', '.join(wcs.wcs.ctype)}")
    corners = _corners(shape)
    there = _in_frame_of(header, other, directions(other_wcs, corners), name)
    with np.errstate(invalid="ignore"):
        shift = pixels_of(wcs, there) - corners
    if (around := turn(wcs)) is not None:
        # Corners of one map may be told a turn apart.
        axis, period = around
        shift[:, axis] -= np.round((shift[:, axis] - shift[0, axis]) / period) * period
    whole = np.rint(shift[0])
    if not (np.abs(shift - whole) <= SAME_GRID).all():
        raise MapError(f"{name} is not made of pixels of the common grid: reproject it first")
    return int(whole[1]), int(whole[0])


def offset_within(header, grid_shape, first, shape, name):
    """Return an offset on a grid, by whole turns nearest to the grid's middle.

    Parameters
    ----------
    header : Header
        Of the grid.
    grid_shape, shape : (int, int)
        Shapes (ny, nx) of the grid and of the map.
    first : (int, int)
        As from `offset`.
    name : str
        What messages call the map.

    Raises
    ------
    MapError
        If the map reaches over both ends of the grid, so that it would be cut in two.
    """
    if (around := _whole_turn(header)) is None:
        return first
    axis, period = around
    first = list(first)
    here, n, length = first[1 - axis], shape[1 - axis], grid_shape[1 - axis]
    turns = round(((length - n) / 2 - here) / period)
    first[1 - axis] = here + turns * period
    reached = [(here + k * period < length) and (here + k * period + n > 0) for k in range(turns - 1, turns + 2)]
    if sum(reached) > 1:
        raise MapError(f"{name} reaches over both ends of the common grid: cut it into two maps, or take another grid")
    return tuple(first)


def shortest_arc(header, offsets, shapes):
    """Return offsets of maps on one grid, by whole turns such that all together are as wide as need be, and no wider.

    Parameters
    ----------
    header : Header
        Of the grid.
    offsets : list of (int, int)
        As from `offset`.
    shapes : list of (int, int)
        Shapes (ny, nx) of the maps.
    """
    if (around := _whole_turn(header)) is None:
        return offsets
    axis, period = around
    firsts = np.array([offset[1 - axis] for offset in offsets])
    lengths = np.array([shape[1 - axis] for shape in shapes])
    # Those as they are come first: where nothing is gained, nothing changes.
    ways = [firsts, *(begin + (firsts - begin) % period for begin in np.unique(firsts))]
    best = min(ways, key=lambda starts: (starts + lengths).max() - starts.min())
    found = [list(offset) for offset in offsets]
    for one, start in zip(found, best.tolist(), strict=True):
        one[1 - axis] = start
    return [tuple(one) for one in found]


def _whole_turn(header):
    """Axis and pixels of a full turn, if these are a whole number; None if longitude does not run along an axis."""
    around = turn(sky_projection(header))
    if around is None or abs(around[1] - round(around[1])) > SAME_GRID:
        return None
    return around[0], round(around[1])


def _corners(shape):
    return np.array([[x, y] for y in (0, shape[0] - 1) for x in (0, shape[1] - 1)], dtype=float)


def _in_frame_of(header, other, towards, name):
    """Directions in the frame of another header, in that of the first."""
    if frame_text(header) == frame_text(other):
        # Also where astropy does not know the frame.
        return towards
    frame, there = celestial_frame(header), celestial_frame(other, name)
    if frame.is_equivalent_frame(there):
        return towards
    return directions_in(frame)(coordinates_of(towards, there))


def _shift_of_same_cards(header, other):
    """The offset of a map whose sky cards are those of the grid but for whole pixels of the reference pixel.

    None if they are not; nothing of the sky needs to be computed, which for many small runs is felt.
    """
    cards, others = ({card.keyword: card.value for card in sky_cards(one).cards} for one in (header, other))
    ours, theirs = ([one.pop(f"CRPIX{axis}", 0.0) for axis in (2, 1)] for one in (cards, others))
    shift = np.subtract(ours, theirs)
    if cards != others or "CTYPE1" not in cards or (shift != np.rint(shift)).any():
        return None
    return tuple(shift.astype(int).tolist())


def shifted(header, offset):
    """Return the sky cards of a header with the first pixel moved by `offset` = (rows, columns) of the same grid."""
    cards = sky_cards(header).copy()
    for number, pixels in zip((1, 2), reversed(offset), strict=True):
        cards[f"CRPIX{number}"] = cards.get(f"CRPIX{number}", 0.0) - pixels
    return cards


def celestial_frame(header, name="the map"):
    """Return the astropy frame of a map's sky coordinates.

    Raises
    ------
    MapError
        If it is neither equatorial nor galactic.
    """
    wcs = sky_projection(header, name)
    # Some axes that astropy does not know, such as ELON, would be taken for right ascension.
    if wcs.wcs.lngtyp not in ("RA", "GLON"):
        axes = ", ".join(wcs.wcs.ctype)
        raise MapError(f"{name} has the axes {axes}: regions and masks need RA, DEC or GLON, GLAT")
    try:
        return wcs_to_celestial_frame(wcs)
    except ValueError as error:
        raise MapError(
            f"{name} has RADESYS {wcs.wcs.radesys!r} in its header, and ICRS, FK5, FK4 or FK4-NO-E is needed (FK5 for "
            "J2000)"
        ) from error


def directions(wcs, pixels):
    """Return unit vectors towards pixels in the map's own frame.

    Parameters
    ----------
    wcs : WCS
        As from `sky_projection`.
    pixels : ndarray, shape (n, 2)
        Pixel coordinates x, y, counted from 0.

    Returns
    -------
    directions : ndarray, shape (n, 3)
        NaN off the sky.
    """
    return _unit_vectors(*np.radians(_positions(wcs, pixels)).T)


def pixels_of(wcs, towards, middle=None, *, tie=0.0):
    """Return the pixel coordinates of directions in a map's own frame, the inverse of `directions`.

    Parameters
    ----------
    wcs : WCS
        As from `sky_projection`.
    towards : ndarray, shape (n, 3)
        Unit vectors.
    middle : (float, float), optional
        Pixel coordinates x, y, such as those of the middle of a map. In a cylindrical projection a meridian stands
        again a turn further: what is returned is the one nearest to these.
    tie : float
        Where two are as near, to so many pixels, the lower one counts.

    Returns
    -------
    pixels : ndarray, shape (n, 2)
        x and y, counted from 0.
    """
    x, y, z = np.transpose(towards)
    return nearest_turn(wcs, _world2pix(wcs, np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))), middle, tie=tie)


def nearest_turn(wcs, pixels, middle, *, tie=0.0):
    """Return pixel coordinates of shape (n, 2), moved by whole turns to where they are nearest to `middle`."""
    if middle is not None and (around := turn(wcs)) is not None:
        axis, period = around
        pixels[:, axis] -= np.floor((pixels[:, axis] - middle[axis] + tie) / period + 0.5) * period
    return pixels


def _world2pix(wcs, longitude, latitude):
    """Pixel coordinates of positions in radians, whichever axis is which, and with a distortion if there is one."""
    world = np.empty((len(longitude), 2))
    world[:, wcs.wcs.lng], world[:, wcs.wcs.lat] = np.degrees(longitude), np.degrees(latitude)
    return wcs.all_world2pix(world, 0, quiet=True) if wcs.has_distortion else wcs.wcs_world2pix(world, 0)


def _unit_vectors(longitude, latitude):
    """Unit vectors of shape (n, 3) from positions in radians."""
    across = np.cos(latitude)
    return np.column_stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])


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


def frame_text(header):
    """Return the map's own frame in words that are the same for the same frame, as in "RA, DEC in FK5 2000"."""
    wcs = sky_projection(header).wcs
    if wcs.lngtyp != "RA":
        return f"{wcs.lngtyp}, {wcs.lattyp}"
    equinox = f" {wcs.equinox:g}" if np.isfinite(wcs.equinox) else ""
    return f"RA, DEC in {wcs.radesys or 'ICRS'}{equinox}"


def axis_names(header):
    """Return the names of longitude and latitude in the map's own frame, as in ["GLON", "GLAT"]."""
    wcs = sky_projection(header)
    return [wcs.wcs.ctype[axis].split("-")[0] for axis in (wcs.wcs.lng, wcs.wcs.lat)]


def directions_in(frame):
    """Return a function that gives unit vectors, of shape (..., 3), in `frame` for astropy sky coordinates."""

    def directions_of(coordinates):
        there = coordinates.transform_to(frame).represent_as(UnitSphericalRepresentation)
        return there.to_cartesian().get_xyz(xyz_axis=-1).value

    return directions_of


def coordinates_of(towards, frame):
    """Return directions, unit vectors of shape (n, 3) in a frame, as sky coordinates."""
    spherical = UnitSphericalRepresentation.from_cartesian(CartesianRepresentation(*np.transpose(towards)))
    return SkyCoord(spherical, frame=frame)


def direction_along(center, position_angle, directions_of):
    """Return the direction 90 degrees away from a position, at a position angle in degrees from north through east.

    Parameters
    ----------
    center : SkyCoord
        Its frame says where north is.
    position_angle : float
    directions_of : callable
        As from `directions_in`.
    """
    there = center.directional_offset_by(position_angle * units.deg, 90 * units.deg)
    middle, away = directions_of(center), directions_of(there)
    # Frames before FK5 are not quite turned spheres.
    away = away - (away @ middle) * middle
    return away / np.linalg.norm(away)


def _positions(wcs, pixels):
    """Longitude and latitude of pixels in degrees, whichever axis is which."""
    return wcs.all_pix2world(pixels, 0)[:, [wcs.wcs.lng, wcs.wcs.lat]]


def _angle(chord):
    """Great-circle distance in degrees between directions, from the length of their difference."""
    return np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))
