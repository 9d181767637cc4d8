"""The energy bins of a cube, as FITS files name them: the bands of gammapy, the EBOUNDS of Fermi-LAT and X-ray maps."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits

from skymask.errors import MapError

#: Header card that names the table of a cube's bins.
BANDS = "BANDSHDU"

#: Table of bins that goes with every cube of a file, where no card names one.
EBOUNDS = "EBOUNDS"

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
    name = image.header.get(BANDS, EBOUNDS)
    table = next((hdu for hdu in hdus if hdu.name.upper() == str(name).upper() and not hdu.is_image), None)
    columns = {column.upper(): column for column in table.columns.names} if table else {}
    if not {"E_MIN", "E_MAX"} <= columns.keys():
        raise MapError(
            f"{path}: the image {image.name} has {image.shape[-3]} planes, and no table {name} with columns E_MIN and "
            "E_MAX says which energies they are"
        )
    lower, upper = (np.array(table.data[columns[key]], dtype=float) for key in ("E_MIN", "E_MAX"))
    unit = table.columns[columns["E_MIN"]].unit
    if len(lower) != image.shape[-3]:
        raise MapError(
            f"{path}: {name} has {len(lower)} energy bins, and the image {image.name} {image.shape[-3]} planes"
        )
    if not unit:
        raise MapError(f"{path}: the energies of {name} have no unit")
    return EnergyAxis(lower, upper, str(unit))


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
    table.header["AXCOLS1"] = ("E_MIN,E_MAX", "columns of the edges")
    table.header["INTERP1"] = ("log", "bins are even in the logarithm")
    return table
