"""FITS files, opened: whatever is wrong with one becomes an error of ours, and kinds of HDUs are told apart."""

import gzip
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from skymask.errors import MapError
from skymask.io.fits_header import check_numbers
from skymask.io.header_cards import card_text

#: So many bytes are read at a time from the end of a gzipped file.
READ_AHEAD = 2**20

#: What astropy raises over headers that contradict themselves, or claim more than there is.
DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    fits.VerifyError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


def is_image(hdu):
    """Whether an HDU is an image with pixels."""
    return hdu.is_image and len(hdu.shape) > 0


def is_table(hdu):
    """Whether an HDU is a table; an image that is compressed in one is not."""
    return isinstance(hdu, fits.BinTableHDU | fits.TableHDU)


def is_healpix(hdu):
    """Whether an HDU is a HEALPix map: a table whose header says so."""
    pixels = card_text(hdu.header, "PIXTYPE", "the file").upper()
    return is_table(hdu) and (pixels == "HEALPIX" or {"NSIDE", "ORDERING"} <= set(hdu.header))


def is_moc(hdu):
    """Whether an HDU is a multi-order coverage map (IVOA MOC): a table that says which HEALPix pixels are in it."""
    return is_table(hdu) and card_text(hdu.header, "ORDERING", "the file").upper() in ("NUNIQ", "RANGE")


def is_fits(path):
    """Whether a file begins as a FITS file does, compressed with gzip or not; not if it cannot be read."""
    try:
        with open(path, "rb") as file, _or_inside(file) as content:
            return content.read(9) == b"SIMPLE  ="
    except (OSError, EOFError, zlib.error):
        return False


@contextmanager
def _or_inside(file):
    """The content of an open file, if it is gzipped; the file itself if it is not."""
    begin = file.read(2)
    file.seek(0)
    if begin != b"\x1f\x8b":
        yield file
        return
    with gzip.GzipFile(fileobj=file) as content:
        yield content


def _decompressed(file):
    """The content of an open file, if it is gzipped; the file itself if it is not. Its headers claim nothing absurd."""
    begin = file.read(2)
    file.seek(0)
    content = gzip.GzipFile(fileobj=file) if begin == b"\x1f\x8b" else file
    check_numbers(content)
    content.seek(0)
    return content


@contextmanager
def open_fits(path, *, checksum=False):
    """Open a FITS file; whatever is wrong with it becomes a MapError. Pixels of images are as they are stored."""
    if not Path(path).is_file():
        raise MapError(f"{path} is not a file" if Path(path).exists() else f"{path} does not exist")
    with warnings.catch_warnings():
        # Oddities of foreign headers are none of our business; damage is.
        warnings.simplefilter("ignore", AstropyWarning)
        for damage in ("truncated", "[Cc]hecksum verification failed", "[Dd]atasum verification failed"):
            warnings.filterwarnings("error", f"(?s).*{damage}", AstropyWarning)
        try:
            with (
                open(path, "rb") as file,
                _decompressed(file) as content,
                fits.open(
                    content, memmap=False, checksum=checksum, lazy_load_hdus=False, do_not_scale_image_data=True
                ) as hdus,
            ):
                yield hdus
                # The checksum of a gzipped file is looked at behind its last byte, which the last image need not reach.
                while content is not file and content.read(READ_AHEAD):
                    pass
        except PermissionError as error:
            raise MapError(f"{path} cannot be read: permission denied") from error
        except (*DAMAGE, AstropyWarning) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            if "SIMPLE" in reason:
                raise MapError(f"{path} is not a FITS file") from error
            raise MapError(f"{path} is damaged or not a FITS file ({reason})") from error
