"""The energy bins of a cube, as FITS files name them: the bands of gammapy, the EBOUNDS of Fermi-LAT and X-ray maps."""

import itertools
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from skymask.errors import MapError
from skymask.io.fits_files import is_table
from skymask.io.hdu_names import find_hdu, has_hdu
from skymask.io.header_cards import card_text
from skymask.io.tables import find_column, table_of

#: Header card that names the table of a cube's bins.
BANDS = "BANDSHDU"

#: Table of bins that goes with every cube of a file, where no card names one.
EBOUNDS = "EBOUNDS"

#: Columns by which every plane of a cube may have pixels of its own.
_OF_PLANES = {"NPIX", "CRPIX", "CDELT", "CRVAL", "NSIDE"}

#: Table of the energies of an exposure, and what their column is called.
ENERGIES, ENERGY_COLUMNS = "ENERGIES", ("ENERGY", "ENERGIES")

#: Column of the energies of an exposure of gammapy.
TRUE_ENERGY = ("ENERGY_TRUE",)

#: Bins whose edges differ by less than this fraction are the same.
SAME_EDGE = 1e-6


class EnergyAxis(NamedTuple):
    """Lower and upper edges of n energy bins, each of shape (n,), and their unit."""

    lower: np.ndarray
    upper: np.ndarray
    unit: str

    def describe(self, number):
        """Return a bin in words, as in "0.5 to 1 TeV"."""
        return f"{self.lower[number]:.4g} to {self.upper[number]:.4g} {self.unit}"

    def gaps(self):
        """Return pairs of energies, the ends of what lies between bins that do not touch."""
        order = np.argsort(self.lower, kind="stable")
        ends = np.maximum.accumulate(self.upper[order])
        return [
            (float(end), float(begin))
            for end, begin in zip(ends[:-1], self.lower[order][1:], strict=True)
            if begin > end * (1 + SAME_EDGE)
        ]

    def overlaps(self):
        """Return pairs of bins that have energies in common, of neighbours in energy; an empty list is as it should."""
        order = np.argsort(self.lower, kind="stable")
        return [
            (int(one), int(other))
            for one, other in itertools.pairwise(order)
            if self.lower[other] < self.upper[one] * (1 - SAME_EDGE)
        ]


def gaps_in_words(axis):
    """Return the gaps of an axis in words; nothing if it has none."""
    return ", ".join(f"{low:.4g} to {high:.4g} {axis.unit}" for low, high in axis.gaps())


def read_axis(hdus, image, path):
    """Return the energy bins of an image with three dimensions.

    Parameters
    ----------
    hdus : HDUList
        The whole file.
    image : HDU
    path : str
        What messages call the file.

    Raises
    ------
    MapError
        If the file does not say what the bins are.
    """
    name = card_text(image.header, BANDS, path, EBOUNDS)
    planes = next((length for length in image.shape[:-2] if length > 1), 1)
    try:
        table = find_hdu(hdus, name, path, accept=is_table, what="table")
    except MapError as error:
        raise MapError(
            f"{path}: the image {image.name} has {planes} planes, and no table {name} says which energies they are "
            f"({error})"
        ) from error
    table = table_of(table, f"{path}: {name}")
    columns = {column.upper(): column for column in table.names}
    if not {"E_MIN", "E_MAX"} <= columns.keys():
        raise MapError(
            f"{path}: the image {image.name} has {planes} planes, and {name} no columns E_MIN and E_MAX, which say "
            "which energies they are"
        )
    where = f"{path}: {name}"
    for key in _OF_PLANES & columns.keys():
        if len(np.unique(table.values(columns[key]), axis=0)) > 1:
            raise MapError(
                f"{where} has another {key} for every plane: cut the cube into maps, each with its own pixels"
            )
    unit = _unit(table, columns["E_MIN"], where)
    lower, upper = (
        table.numbers(columns[key]) * _unit(table, columns[key], where).to(unit) for key in ("E_MIN", "E_MAX")
    )
    if len(lower) != planes:
        raise MapError(f"{where} has {len(lower)} energy bins, and the image {image.name} {planes} planes")
    for number, edges in enumerate(zip(lower, upper, strict=True)):
        if not edges[0] < edges[1]:
            raise MapError(f"{where}: the energy bin {number} reaches from {edges[0]:g} to {edges[1]:g} {unit}")
    return EnergyAxis(lower, upper, table.unit(columns["E_MIN"]))


def _unit(table, column, where):
    """The unit of a column of energies."""
    from astropy import units

    text = table.unit(column)
    if not text:
        raise MapError(f"{where}: the column {column} has no unit (TUNIT in the header)")
    unit = units.Unit(text, parse_strict="silent")
    if unit.physical_type != "energy":
        raise MapError(f"{where}: the column {column} is in {text}, which is no unit of energies")
    return unit


class EnergyNodes(NamedTuple):
    """Energies at which the planes of a cube are given, shape (n,), rising, and their unit."""

    values: np.ndarray
    unit: str


def read_nodes(hdus, header, planes, path):
    """Return the energies at which the planes of a map are given, as those of exposures are; None if it has bins.

    They are in the table ENERGIES of Fermi-LAT and ctools, in MeV unless it says otherwise, or the true energies of a
    map of gammapy.

    Parameters
    ----------
    hdus : HDUList
        The whole file.
    header : Header
        Of the map.
    planes : int
        How many it has.
    path : str
        What messages call the file.

    Raises
    ------
    MapError
        If they are not as many as the planes, or do not rise.
    """
    bands = card_text(header, BANDS, path)
    for name, wanted, unit in ((bands, TRUE_ENERGY, None), (ENERGIES, ENERGY_COLUMNS, "MeV")):
        if not name or not has_hdu(hdus, name, accept=is_table):
            continue
        where = f"{path}: {name}"
        table = table_of(find_hdu(hdus, name, path, accept=is_table, what="table"), where)
        found = find_column(table.names, *wanted)
        if found is None or find_column(table.names, "E_MIN"):
            continue
        values = table.numbers(found)
        if len(values) != planes:
            raise MapError(f"{where} has {len(values)} energies, and the map {planes} planes")
        if not (np.diff(values) > 0).all() or not (np.isfinite(values) & (values > 0)).all():
            raise MapError(f"the energies of {where} must be positive and rise from plane to plane")
        unit = unit if table.unit(found) is None and unit else str(_unit(table, found, where))
        return EnergyNodes(values, unit)
    return None


def same_axis(one, other):
    """Whether two axes have the same bins, each in its own unit."""
    from astropy import units

    if len(one.lower) != len(other.lower):
        return False
    factor = units.Unit(other.unit).to(one.unit)
    return all(
        np.allclose(edges, factor * others, rtol=SAME_EDGE, atol=0)
        for edges, others in ((one.lower, other.lower), (one.upper, other.upper))
    )


def bands_table(axis, name):
    """Return the table in which gammapy looks for the energy bins of the cube `name`."""
    columns = [
        fits.Column("CHANNEL", "K", array=np.arange(len(axis.lower))),
        fits.Column("ENERGY", "D", unit=axis.unit, array=np.sqrt(axis.lower * axis.upper)),
        fits.Column("E_MIN", "D", unit=axis.unit, array=axis.lower),
        fits.Column("E_MAX", "D", unit=axis.unit, array=axis.upper),
    ]
    table = fits.BinTableHDU.from_columns(columns, name=f"{name.upper()}_BANDS")
    if gaps := gaps_in_words(axis):
        table.header["COMMENT"] = f"no bin has {gaps}"
        table.header["COMMENT"] = "gammapy takes what lies between bins for part of the one below"
    table.header["AXCOLS1"] = ("E_MIN,E_MAX", "columns of the edges")
    table.header["INTERP1"] = ("log", "bins are even in the logarithm")
    return table
