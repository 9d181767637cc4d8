"""Which HDU of a FITS file a name means: the one place that knows, for images, tables, events, stores and HEALPix maps.

Behind a path stands [NAME], [NAME,version] (EXTVER) or [number], counted from 0 for the primary HDU, as in astropy and
CFITSIO. Names compare without case, as the FITS standard has it. Planning asks too, so that nothing here needs numpy or
astropy.
"""

import re
from typing import NamedTuple

from skymask.errors import MapError


class Wanted(NamedTuple):
    """An HDU as somebody names it: a number, or a name in upper case with or without a version."""

    number: int | None = None
    name: str | None = None
    version: int | None = None

    def matches(self, number, name, version):
        """Whether an HDU is the one; all but the number may be anything that stands in a header."""
        if self.number is not None:
            return number == self.number
        return self.name == name and self.version in (None, version)


def wanted_hdu(text):
    """Return what "NAME", "NAME,2" or "1" means."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return Wanted(number=int(text))
    name, comma, version = text.rpartition(",")
    if comma and re.fullmatch(r"\s*[0-9]{1,9}\s*", version):
        return Wanted(name=name.strip().upper(), version=int(version))
    return Wanted(name=text.upper())


def identify(number, name, version):
    """Return name in upper case and version of an HDU as its header says; the first is PRIMARY without a name."""
    name = str(name or "").strip().upper()
    version = int(text) if re.fullmatch(r"[0-9]{1,9}", text := str("" if version is None else version).strip()) else 1
    return (name or ("PRIMARY" if number == 0 else "")), version


def find_hdu(hdus, wanted, path, *, accept, what, default=None):
    """Return the HDU of a file that a name means.

    Parameters
    ----------
    hdus : HDUList
    wanted : str or None
        What stands in brackets behind the path; without it the only one there is, or `default`.
    path : str
    accept : callable
        Takes an HDU, and says whether it is of the kind that is wanted.
    what : str
        What messages call this kind, as in "image".
    default : str, optional
        Name of the HDU where none is given.

    Raises
    ------
    MapError
        If there is none of the kind, or several. Every name that the message offers means one HDU alone.
    """
    wanted = default if wanted is None else wanted
    identities = [identify(number, *_cards(hdu)) for number, hdu in enumerate(hdus)]
    candidates = [number for number, hdu in enumerate(hdus) if accept(hdu)]
    asked = None if wanted is None else wanted_hdu(wanted)
    found = [number for number in candidates if asked is None or asked.matches(number, *identities[number])]
    if len(found) == 1:
        return hdus[found[0]]
    labels = [_label(number, identities) for number in found or candidates]
    if found:
        of_name = f" {wanted}" if wanted is not None else ""
        raise MapError(
            f"{path} holds several {what}s{of_name} ({', '.join(labels)}): name one, as in {path}[{labels[0]}]"
        )
    others = f", only {', '.join(labels)}" if labels else ""
    raise MapError(f"{path} holds no {what} {wanted or ''}".rstrip() + others)


def hdus_of_name(hdus, pattern, *, accept):
    """Return the HDUs of a kind whose whole name matches a pattern, in upper case, as (match, version, HDU)."""
    found = []
    for number, hdu in enumerate(hdus):
        name, version = identify(number, *_cards(hdu))
        if accept(hdu) and (match := re.fullmatch(pattern, name)):
            found.append((match, version, hdu))
    return found


def has_hdu(hdus, wanted, *, accept):
    """Whether a file has an HDU of a kind that a name means, or several; see `find_hdu`."""
    asked = wanted_hdu(wanted)
    return any(
        accept(hdu) and asked.matches(number, *identify(number, *_cards(hdu))) for number, hdu in enumerate(hdus)
    )


def _cards(hdu):
    """What the header of an HDU says of its name and version."""
    return hdu.header.get("EXTNAME"), hdu.header.get("EXTVER")


def _label(number, identities):
    """What stands in brackets for one HDU and no other: its name, its name and version, or its number."""
    name, version = identities[number]
    for label in (name, f"{name},{version}"):
        asked = wanted_hdu(label)
        # A name with brackets is none behind a path.
        meant = [other for other, identity in enumerate(identities) if asked.matches(other, *identity)]
        if name and meant == [number] and not re.search(r"[\[\]]", label):
            return label
    return str(number)
