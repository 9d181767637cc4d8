"""A first configuration for a counts map or an event list: commented, valid, with radii to begin from."""

import re
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from skymask.config import configuration
from skymask.datasets import event_cuts
from skymask.datasets.event_columns import event_energies, event_positions
from skymask.datasets.instruments import INSTRUMENTS, energies_of, instrument_of
from skymask.errors import ConfigurationError, MapError, SkymaskError
from skymask.io import event_files, file_names, maps
from skymask.io.atomic import written_whole
from skymask.io.fits_header import image_axes
from skymask.sky import geometry
from skymask.units import length_text

#: A ring must leave so much of the map's smaller side on its both sides.
MAX_RING = 0.5

#: A ring that grows out of a source as wide as itself goes on until no more of it than this is excluded: beyond its
#: mask a source goes on.
MAX_EXCLUDED = 0.2

#: Least radius of a source kernel and least width of a ring, in pixels.
MIN_SOURCE, MIN_WIDTH = 1.5, 2

#: Radii for maps of unknown instruments, in pixels: source, inner radius and width of the ring, dilation.
IN_PIXELS = (5, 25, 15, 15)

#: Pixels along a side of a field for events of unknown instruments.
SIDE = 200

#: So many pieces of an event list are read to see where its events are.
PIECES = 8

#: Fields for events are at most this wide, in degrees: pixels of tangent planes are distorted beyond.
MAX_WIDTH = 20.0


def write_first_configuration(data, output):
    """Write a configuration for a counts map or an event list.

    Parameters
    ----------
    data : str
        Path of a FITS file, followed by [HDU name] where it holds several.
    output : str or Path
        Where to write it; what is there already is never replaced.

    Raises
    ------
    SkymaskError
        If the file holds neither, or `output` exists.
    """
    if Path(output).exists():
        raise SkymaskError(f"{output} exists, and is not replaced: choose another name with --output")
    text = first_configuration(data, output)
    if not Path(output).absolute().parent.is_dir():
        raise SkymaskError(f"{output} cannot be written: its folder does not exist")
    with written_whole(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def first_configuration(data, output="mine.yaml"):
    """Return the text of a configuration for a counts map or an event list; `output` is its name for the comments."""
    try:
        lines, header, pixel_size, shape, energies = _of_map(data)
    except MapError as no_map:
        try:
            source = event_files.open_events(data)
        except MapError as no_list:
            if not Path(file_names.split_name(data)[0]).is_file():
                raise no_list from None
            reason = f"{data} is neither a counts map ({no_map}) nor an event list ({no_list})"
            raise SkymaskError(reason) from None
        lines, header, pixel_size, shape, energies = _of_events(data, source)
    found, extended = instrument_of(header), None
    if found is None:
        radii = tuple(pixel_size * radius for radius in IN_PIXELS)
        reason = "the header names no instrument that is known here: radii are 5, 25 and 15 pixels, in small maps less"
    else:
        radii, reason, extended = found.radii_at(energies), found.describe(energies), found.extended
    side = min(shape) * pixel_size
    source, inner, width, dilation = fitting_radii(radii, pixel_size, side)
    ring, clear = _ring(inner, width, extended, side)
    source, dilation = _length(source), _length(dilation)
    name, exposure = dataset_name(data), _quoted(_exposure_beside(data, shape))
    rows = [
        (f"# skymask: first configuration for {Path(data).name}", ""),
        (f"# To see what it will do, and whether anything is wrong: python -m skymask check --configfile {output}", ""),
        (f"# To do it: snakemake {configuration.snakefile_option()}--configfile {output}", ""),
        (f"# Every key: {configuration.schema_path()}", ""),
        ("", ""),
        ("datasets:", ""),
        (f"  {name}:", ""),
        *((f"    {line}", comment) for line, comment in lines),
        (f"    # acceptance: {exposure}", "expected background per pixel, up to a factor; without it, flat"),
        ("    # exclusion_mask: known-sources.fits", "1 used, 0 excluded"),
        ("", ""),
        (f"# Radii to begin from: {reason}.", ""),
        (f"source_kernel: {{shape: disk, radius: {source}}}", "about what a point source fills"),
        (f"background_kernel: {ring}", clear),
        (f"dilation_radius: {dilation}", "excluded pixels grow by it"),
        ("threshold: 5", "significance at and above which a pixel is excluded"),
        ("statistic: wstat", "the background is measured from the same map; cash: it is known"),
    ]
    text = "".join(f"{line:<45} # {comment}\n" if comment else f"{line}\n" for line, comment in rows)
    _check(text, name)
    return text


def fitting_radii(radii, pixel_size, side):
    """Return radii that fit pixels and map: source, inner radius and width of the ring, dilation, all in degrees.

    None is smaller than the pixels allow, and the ring no larger than the map.

    Parameters
    ----------
    radii : tuple of float
    pixel_size : float
    side : float
        Smaller side of the map.
    """
    source, inner, width, dilation = radii
    shrink = min(1, MAX_RING * side / (inner + width))
    inner, width = inner * shrink, width * shrink
    source = max(min(source, inner / 2), MIN_SOURCE * pixel_size)
    inner = max(inner, source + pixel_size)
    width = max(width, MIN_WIDTH * pixel_size)
    return source, inner, width, max(min(dilation, 3 * source), pixel_size)


def _ring(inner, width, extended, side):
    """The background kernel in words that a configuration takes, and what is said of it.

    A ring grows out to `extended`, where sources of the instrument may be as wide as rings; lengths are in degrees.
    """
    lengths = f"inner_radius: {_length(inner)}, width: {_length(width)}"
    furthest = min(extended or 0, MAX_RING * side)
    if furthest < inner + 1.5 * width:
        return f"{{shape: ring, {lengths}}}", "clear of any one source"
    grows = f"step: {_length(width / 4)}, max_outer_radius: {_length(furthest)}, excluded_fraction_max: {MAX_EXCLUDED}"
    return f"{{shape: adaptive_ring, {lengths}, {grows}}}", "grows until clear of a source"


def dataset_name(data):
    """Return the name of a dataset after its file."""
    base = Path(file_names.split_name(data)[0]).name.split(".fit")[0]
    safe = re.sub(r"[^A-Za-z0-9._+-]", "-", base)[:80].lstrip("._+-")
    return safe or "field"


def _of_map(data):
    """The dataset's lines for a counts map, the header, the size of its pixels, its shape and energies in GeV."""
    layout = maps.read_layout(data)
    shape = layout.shape
    geometry.check_distortion(layout.header, shape)
    size = geometry.pixel_size(layout.header)
    about = f"{shape[1]} x {shape[0]} pixels of {length_text(max(size))}"
    if layout.energies:
        about += f", {len(layout.energies.lower)} energy bins"
    energies = energies_of(layout.header, layout.energies, name=data)
    return [(f"counts: {_quoted(data)}", about)], layout.header, max(size), shape, energies


def _exposure_beside(data, shape):
    """An exposure map of the same shape beside the data, by its name, or what might be the name of one."""
    folder = Path(file_names.split_name(data)[0]).parent
    for path in sorted(folder.glob("*.fits*")):
        if re.search("expos|accept", path.name, re.IGNORECASE) and image_axes(path) == list(shape[::-1]):
            return str(path)
    return "path/to/exposure.fits"


def _of_events(data, source):
    """The same for an event list, with a field around its events."""
    found = instrument_of(source.header)
    frame = "galactic" if found is INSTRUMENTS["FERMI"] else "icrs"
    center, width, read = _extent(source, frame, found.widest if found else MAX_WIDTH)
    pixel_size = found.pixel_size if found else _rounded(max(width) / SIDE)
    width = [max(extent, 10 * pixel_size) for extent in width]
    shape = [max(1, round(extent / pixel_size)) for extent in reversed(width)]
    center, extent = (f"[{', '.join(f'{value:.7g} deg' for value in pair)}]" for pair in (center, width))
    energies = energies_of(source.header, name=data) or read
    lines = [
        (f"events: {_quoted(data)}", f"{source.rows} events; several files: [first.fits, second.fits]"),
        ("geometry:", "around the events; or {as: map.fits}"),
        (f"  center: {center}", ""),
        (f"  width: {extent}", ""),
        (f"  pixel_size: {_length(pixel_size)}", ""),
        (f"  frame: {frame}", ""),
        ("  projection: TAN", ""),
        (f"# cuts: {{energy: [{_limits(read)}]}}", "also time, zenith, offset, good_time_intervals"),
    ]
    return lines, source.header, pixel_size, shape, energies


def _extent(source, frame, widest):
    """Centre and width, in degrees, of the events that are read first, and the range of their energies in GeV."""
    where = event_positions(source)
    energies = _known(event_energies, source)
    columns = [*where.columns, *([energies.column] if energies else [])]
    positions, low, high = [], np.inf, -np.inf
    for number, rows in enumerate(event_files.read_chunks(source, columns)):
        if number == PIECES:
            break
        positions.append(np.column_stack(where.degrees(rows)))
        if energies and len(rows[energies.column]):
            values = energies.values(rows) * energies.unit.to("GeV")
            low, high = min(low, float(np.nanmin(values))), max(high, float(np.nanmax(values)))
    positions = np.concatenate(positions) if positions else np.empty((0, 2))
    positions = positions[np.isfinite(positions).all(axis=1) & (np.abs(positions[:, 1]) <= 90)]
    if not len(positions):
        raise MapError(f"{source.name} holds no event with a position")
    there = SkyCoord(positions, unit="deg", frame=where.frame).transform_to(frame)
    if pointing := event_cuts.pointing(source):
        middle = SkyCoord(*pointing, unit="deg", frame=where.frame)
        middle = middle.transform_to(frame)
    else:
        mean = there.cartesian.mean()
        if mean.norm() == 0:
            mean = there[0].cartesian
        middle = SkyCoord(mean, frame=frame)
    away = middle.spherical_offsets_to(there)
    # Nearly all of them: a few stray far.
    width = [min(2 * float(np.percentile(np.abs(offset.deg), 99)), widest) for offset in away]
    center = [round(float(value), 3) for value in (middle.spherical.lon.deg, middle.spherical.lat.deg)]
    return center, [_rounded(extent) for extent in width], ((low, high) if 0 < low < high < np.inf else None)


def _known(function, source):
    """What a function says of an event list; None if it says what is wrong."""
    try:
        return function(source)
    except MapError:
        return None


def _limits(values):
    """Limits of energies in words that a configuration takes."""
    if values is None:
        return "1 GeV, null"
    # Rounded outwards, so that no event is lost.
    digits = [10.0 ** (np.floor(np.log10(max(value, 1e-9))) - 1) for value in values]
    limits = [np.floor(values[0] / digits[0]) * digits[0], np.ceil(values[1] / digits[1] + 1e-9) * digits[1]]
    return ", ".join(f"{limit:.6g} GeV" for limit in limits)


def _rounded(value):
    """A length to two digits."""
    return float(f"{value:.2g}")


def _length(degrees):
    """A length of the configuration, to three digits."""
    for unit, factor in (("deg", 1), ("arcmin", 60)):
        if degrees * factor >= (0.0099 if unit == "deg" else 0.1):
            return f"{float(f'{degrees * factor:.3g}'):g} {unit}"
    return f"{float(f'{degrees * 3600:.3g}'):g} arcsec"


def _quoted(name):
    """A file name as YAML takes it."""
    return name if re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*", name) else '"' + name.replace('"', '\\"') + '"'


def _check(text, name):
    """Raise a ConfigurationError if a configuration is not valid, which would be a mistake of this module."""
    import yaml

    try:
        configuration.dataset_settings(yaml.safe_load(text), configuration.load_schema())
    except ConfigurationError as error:
        raise ConfigurationError(f"no configuration could be made for {name}: {error}") from error
