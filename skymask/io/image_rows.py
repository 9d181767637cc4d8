"""Images in FITS files, read and written some rows at a time, so that no process needs to hold a whole map.

Plain images stand in a file as in memory. Packed ones are compressed without loss, every row by itself, as the FITS
standard has it (version 4.0, section 10): integers by RICE_1, everything else by GZIP_2.
"""

import io
import re
import tempfile
import zlib
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from astropy.io import fits

from skymask.core import tiling
from skymask.errors import MapError
from skymask.io.fits_header import BLOCK

#: Comment of checksums, in the place of a date.
CHECKSUM_OF = "of the header and data"

#: Bytes that are read or copied at a time.
CHUNK = 2**20

#: Of GZIP_2. The next levels take half as long again, and more, for a twentieth of the bytes.
LEVEL = 1

#: For zlib: with the header of gzip, in which it writes no time. (astropy's does.)
GZIP = 31

#: Pixels of a block of RICE_1.
RICE_BLOCK = 32

#: A descriptor of a compressed row: its number of bytes, and where they begin.
DESCRIPTOR = np.dtype(">i8")

#: Cards of a table with a packed image that are no cards of the image.
_OF_TABLE = re.compile(
    r"XTENSION|BITPIX|NAXIS\d*|[PG]COUNT|TFIELDS|T(TYPE|FORM)1|CHECKSUM|DATASUM"
    r"|Z(IMAGE|TENSION|BITPIX|NAXIS\d*|TILE\d|CMPTYPE|NAME\d|VAL\d)"
)

#: Bytes between digits and letters, which no checksum holds (FITS standard 4.0, appendix J).
_NO_LETTERS = (*range(0x3A, 0x41), *range(0x5B, 0x61))


class StoredImage:
    """An image in a FITS file, of which `image[a:b]` are rows in native byte order; nothing that was read is kept.

    Parameters
    ----------
    path : str or Path
    header : astropy.io.fits.Header
        Of the HDU, which may be the table of a packed image.
    begin : int
        Where its data begin in the file, in bytes.

    Attributes
    ----------
    path, header : Path, astropy.io.fits.Header
        The header is that of the image.
    shape : tuple of int
        (ny, nx), or (n, ny, nx): rows are the planes then.
    dtype : numpy.dtype
    """

    def __init__(self, path, header, begin):
        self.path, self._begin = Path(path), begin
        self._table = header if header.get("ZIMAGE") else None
        self.header = header if self._table is None else _image_header(header)
        self.shape = tuple(self.header[f"NAXIS{axis}"] for axis in range(self.header["NAXIS"], 0, -1))
        self.dtype = np.dtype(fits.BITPIX2DTYPE[self.header["BITPIX"]])

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(self.shape[0])
        shape = max(stop - start, 0), *self.shape[1:]
        if self._table is not None:
            return self._unpacked(start, shape)
        row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        data = self._bytes(self._begin + start * row_bytes, shape[0] * row_bytes)
        data = data.view(self.dtype.newbyteorder(">"))
        if not data.dtype.isnative:
            data = data.byteswap(inplace=True).view(self.dtype)
        return data.reshape(shape)

    def _unpacked(self, start, shape):
        """Rows of a packed image."""
        row = 2 * DESCRIPTOR.itemsize
        table = self._bytes(self._begin + start * row, shape[0] * row).view(DESCRIPTOR).reshape(-1, 2)
        if not len(table):
            return np.empty(shape, self.dtype)
        begin, end = int(table[0, 1]), int(table[-1].sum())
        packed = self._bytes(self._begin + row * self.shape[0] + begin, end - begin)
        unpack = _un_rice if self._table["ZCMPTYPE"] == "RICE_1" else _un_gzip
        return unpack(packed, table - [0, begin], self.dtype, shape)

    def _bytes(self, offset, count):
        data = np.fromfile(self.path, np.uint8, count, offset=offset)
        if data.size != count:
            raise MapError(f"{self.path} is shorter than it was: remove it and run again")
        return data


def stored_images(path, *, verify=True):
    """Return the images of a file with checksums as `StoredImage`, by name in lower case.

    Parameters
    ----------
    path : str or Path
    verify : bool
        Whether checksums are compared: the file is read once for that.

    Raises
    ------
    MapError
        If it is no FITS file, or has no checksums.
    ValueError, OSError, KeyError
        If it is damaged.
    """
    images, size = {}, Path(path).stat().st_size
    with open(path, "rb") as file:
        if file.read(6) != b"SIMPLE":
            raise MapError(f"{path} is not a FITS file")
        file.seek(0)
        while (start := file.tell()) < size:
            header = fits.Header.fromfile(file)
            begin, length = file.tell(), _data_size(header)
            if "CHECKSUM" not in header:
                raise MapError(f"{path} was not written by skymask")
            if begin + length > size:
                raise ValueError("the file is truncated")
            if verify:
                _verify(file, header, start, begin, length)
            file.seek(begin + length)
            if header.get("ZIMAGE") or (header["NAXIS"] and header.get("XTENSION", "IMAGE") == "IMAGE"):
                images[header["EXTNAME"].lower()] = StoredImage(path, header, begin)
    return images


class ImageWriter:
    """Images of one shape that are written to a file some rows at a time; a context at whose end the file is whole.

    Parameters
    ----------
    path : str or Path
        Where; what is there is written over.
    shape : tuple of int
        Of the whole images: (ny, nx), or (n, ny, nx), whose rows are planes.
    describe : callable
        Takes a header and the name of an image, and adds the cards that say what it is.
    packed : bool or container of str
        Whether images are packed, or the names of those that are.
    anew : bool
        Whether `describe` is called again at the end, when it knows more, but not more cards.
    """

    def __init__(self, path, shape, describe, *, packed=False, anew=False):
        self._path, self._shape, self._describe, self._packed = Path(path), tuple(shape), describe, packed
        self._anew = anew
        self._images, self._rows, self._stack = {}, 0, ExitStack()

    def __enter__(self):
        self._file = self._stack.enter_context(open(self._path, "w+b"))
        return self

    def __exit__(self, kind, value, trace):
        with self._stack:
            if kind is None:
                self._finish()

    def append(self, images):
        """Add rows to all images.

        Parameters
        ----------
        images : dict of str to ndarray, shape (n, nx)
            By name; the same names in the same order every time.
        """
        rows = len(next(iter(images.values())))
        if not self._images:
            self._begin(images, whole=rows == self._shape[0])
        for name, image in images.items():
            self._images[name].append(image)
        self._rows += rows

    @property
    def names(self):
        """The names of the images."""
        return list(self._images)

    def _begin(self, images, whole):
        """Open what every image is written to: the file itself, as far as it is known where an image begins in it."""
        place = 0
        for number, (name, image) in enumerate(images.items()):
            dtype = _narrowest(image) if whole else _narrowest(image[:0])
            if dtype == np.int64 and not whole:
                part = _Undecided(self._scratch(), self._shape[1:])
            else:
                file, begin = (self._scratch(), 0) if place is None else (self._file, place)
                part = self._part(name, file, begin, dtype, first=number == 0)
            self._images[name] = part
            place = None if place is None or part.size is None else place + part.size

    def _part(self, name, file, begin, dtype, *, first):
        packed = self._packed if isinstance(self._packed, bool) else name in self._packed
        kind = _Packed if packed else _Plain

        def describe(header):
            self._describe(header, name)
            return header

        return kind(file, begin, self._shape, dtype, describe, first=first, anew=self._anew)

    def _scratch(self):
        return self._stack.enter_context(tempfile.TemporaryFile(dir=self._path.parent))

    def _finish(self):
        if self._rows != self._shape[0]:
            raise ValueError(f"{self._rows} rows were written, and the image has {self._shape[0]}")
        for number, (name, part) in enumerate(self._images.items()):
            if isinstance(part, _Undecided):
                part = part.decided(self._part(name, self._scratch(), 0, part.narrowest(), first=number == 0))
            part.finish()
            if part.file is not self._file:
                self._file.seek(0, io.SEEK_END)
                part.file.seek(0)
                while content := part.file.read(CHUNK):
                    self._file.write(content)


class _Part:
    """An HDU that is being written; `size` is its number of bytes, None if it is known at the end only."""

    size = None

    def __init__(self, file, begin, shape, dtype, describe, *, first, anew):
        self.file, self._begin, self._shape, self._dtype = file, begin, shape, dtype
        self._describe, self._first, self._anew = describe, first, anew
        self._header = with_checksums(describe(self._structure()), 0)
        self._data = begin + len(self._header.tostring())
        self._written, self._sum = 0, 0

    def _put(self, data):
        """Write bytes behind those that are there already."""
        self.file.seek(self._data + self._written)
        self.file.write(data)
        self._sum += _sum(data, self._written)
        self._written += data.size

    def finish(self):
        """Write what is known only now: the header, and zeros behind the data."""
        self.file.seek(self._data + self._written)
        self.file.write(bytes(-self._written % BLOCK))
        header = self._describe(self._structure()) if self._anew else self._header
        header = with_checksums(header, self._sum).tostring()
        if len(header) != self._data - self._begin:
            raise ValueError("an image has more cards at the end than when it began")
        self.file.seek(self._begin)
        self.file.write(header.encode("ascii"))


class _Plain(_Part):
    """An image whose rows stand in the file as in memory."""

    def __init__(self, file, begin, shape, dtype, describe, **options):
        super().__init__(file, begin, shape, dtype, describe, **options)
        length = int(np.prod(shape)) * dtype.itemsize
        self.size = self._data - begin + length + -length % BLOCK

    def append(self, rows):
        stored = self._dtype.newbyteorder(">")
        rows = np.ascontiguousarray(rows).reshape(-1)
        for part in tiling.cut(slice(0, rows.size), tiling.BLOCK):
            self._put(rows[part].astype(stored).view(np.uint8))

    def _structure(self):
        kind = fits.PrimaryHDU if self._first else fits.ImageHDU
        return kind(np.broadcast_to(np.zeros((), self._dtype), self._shape)).header


class _Packed(_Part):
    """An image in a table, with a compressed row in each of its rows; behind an empty HDU if it is the first."""

    def __init__(self, file, begin, shape, dtype, describe, *, first, anew):
        self._pack = _rice if dtype.kind == "i" and dtype.itemsize < 8 else _gzip
        self._sizes = []
        if first:
            primary = fits.PrimaryHDU().header
            file.write(with_checksums(primary, 0).tostring().encode("ascii"))
            begin = file.tell()
        # Sizes are known at the end only.
        super().__init__(file, begin, shape, dtype, describe, first=False, anew=True)
        self._written = 2 * DESCRIPTOR.itemsize * shape[0]

    def append(self, rows):
        for packed in self._pack(np.ascontiguousarray(rows, dtype=self._dtype)):
            self._sizes.append(packed.size)
            self._put(packed)

    def finish(self):
        sizes = np.array(self._sizes)
        table = np.column_stack([sizes, np.cumsum(sizes) - sizes]).astype(DESCRIPTOR).reshape(-1).view(np.uint8)
        end, self._written = self._written, 0
        self._put(table)
        self._written = end
        super().finish()

    def _structure(self):
        sizes, axes = self._sizes or [0], self._shape[::-1]
        header = fits.BinTableHDU.from_columns([fits.Column("COMPRESSED_DATA", f"1QB({max(sizes)})")]).header
        header["NAXIS1"], header["NAXIS2"], header["PCOUNT"] = 2 * DESCRIPTOR.itemsize, self._shape[0], sum(sizes)
        header["ZIMAGE"] = (True, "a compressed image")
        header["ZTENSION"] = "IMAGE"
        header["ZBITPIX"], header["ZNAXIS"] = fits.DTYPE2BITPIX[self._dtype.name], len(axes)
        for axis, length in enumerate(axes, start=1):
            header[f"ZNAXIS{axis}"] = length
        for axis, length in enumerate(axes, start=1):
            header[f"ZTILE{axis}"] = length if axis < len(axes) else 1
        header["ZCMPTYPE"] = "RICE_1" if self._pack is _rice else "GZIP_2"
        if self._pack is _rice:
            header["ZNAME1"], header["ZVAL1"] = "BLOCKSIZE", RICE_BLOCK
            header["ZNAME2"], header["ZVAL2"] = "BYTEPIX", self._dtype.itemsize
        return header


class _Undecided:
    """Integers of 64 bits, of which only the end shows whether 32 are enough."""

    size = None

    def __init__(self, file, shape):
        self.file, self._shape, self._range = file, shape, (0, 0)

    def append(self, rows):
        self._range = min(self._range[0], int(rows.min())), max(self._range[1], int(rows.max()))
        self.file.write(np.ascontiguousarray(rows, dtype=np.int64))

    def narrowest(self):
        return _narrowest(np.array(self._range))

    def decided(self, part):
        """Hand all rows to a part of a file, and return it."""
        row = 8 * int(np.prod(self._shape))
        self.file.seek(0)
        while content := self.file.read(row * max(1, CHUNK // row)):
            part.append(np.frombuffer(content, np.int64).reshape(-1, *self._shape))
        return part


def append_table(path, table):
    """Append a table to a FITS file, with checksums."""
    table.add_checksum(when=CHECKSUM_OF)
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(content)
    with open(path, "ab") as file:
        file.write(content.getvalue()[BLOCK:])


def with_checksums(header, sum_of_data):
    """Return a header with the cards DATASUM and CHECKSUM, of data whose words have that sum (FITS 4.0, appendix J)."""
    datasum = _with_carries(sum_of_data)
    header["CHECKSUM"] = ("0" * 16, f"checksum {CHECKSUM_OF}")
    header["DATASUM"] = (str(datasum), "checksum of the data")
    words = np.frombuffer(header.tostring().encode("ascii"), np.uint8)
    header["CHECKSUM"] = _encoded(0xFFFFFFFF ^ _with_carries(_sum(words) + datasum))
    return header


def _verify(file, header, start, begin, length):
    """Compare the checksums of an HDU with its bytes."""
    file.seek(start)
    total = _sum(np.frombuffer(file.read(begin - start), np.uint8))
    of_data = 0
    for offset in range(0, length, CHUNK):
        of_data += _sum(np.frombuffer(file.read(min(CHUNK, length - offset)), np.uint8))
    if _with_carries(total + of_data) not in (0, 0xFFFFFFFF):
        raise ValueError(f"Checksum verification failed for HDU {header.get('EXTNAME', '')}")
    if int(header["DATASUM"]) != _with_carries(of_data):
        raise ValueError(f"Datasum verification failed for HDU {header.get('EXTNAME', '')}")


def _sum(data, before=0):
    """The sum of bytes as words of four, of which the first begins `before` bytes before them."""
    before %= 4
    if before or data.size % 4:
        data = np.pad(data, (before, -(before + data.size) % 4))
    return int(data.view(">u4").sum(dtype=np.uint64))


def _with_carries(total):
    """A sum in 32 bits, to which carries are added at the other end."""
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _encoded(value):
    """32 bits as 16 letters and digits, whose sum as words is that of as many zeros and the value."""
    text = [0] * 16
    for place, byte in enumerate(value.to_bytes(4, "big")):
        letters = [byte // 4 + ord("0") + (byte % 4 if number == 0 else 0) for number in range(4)]
        while any(letter in _NO_LETTERS for letter in letters):
            for pair in (0, 2):
                if letters[pair] in _NO_LETTERS or letters[pair + 1] in _NO_LETTERS:
                    letters[pair] += 1
                    letters[pair + 1] -= 1
        text[place::4] = letters
    # The value of the card begins three bytes after a whole word.
    return bytes(text[-1:] + text[:-1]).decode("ascii")


def _data_size(header):
    """The number of bytes behind a header."""
    axes = [header[f"NAXIS{axis}"] for axis in range(1, header["NAXIS"] + 1)]
    values = int(np.prod(axes, dtype=object)) + header.get("PCOUNT", 0) if axes else 0
    length = abs(header["BITPIX"]) // 8 * values
    return length + -length % BLOCK


def _image_header(table):
    """The header of an image that is packed in a table."""
    axes = [table[f"ZNAXIS{axis}"] for axis in range(table["ZNAXIS"], 0, -1)]
    dtype = np.dtype(fits.BITPIX2DTYPE[table["ZBITPIX"]])
    header = fits.ImageHDU(np.broadcast_to(np.zeros((), dtype), axes)).header
    header.extend([card for card in table.cards if not _OF_TABLE.fullmatch(card.keyword)], update=True)
    return header


def _narrowest(image):
    """The smallest type that FITS, and arithmetic on it, has for the values of an image."""
    if image.dtype == bool:
        return np.dtype(np.uint8)
    if image.dtype == np.int64 and image.size and image.min() >= -(2**31) and image.max() < 2**31:
        return np.dtype(np.int32)
    return image.dtype.newbyteorder("=")


def _gzip(rows):
    """Rows compressed by GZIP_2: the first bytes of all numbers, then the second ones, and so on."""
    stored = rows.dtype.newbyteorder(">")
    for row in rows:
        planes = row.reshape(-1).astype(stored).view(np.uint8).reshape(-1, stored.itemsize).T
        pack = zlib.compressobj(LEVEL, wbits=GZIP)
        yield np.frombuffer(pack.compress(np.ascontiguousarray(planes)) + pack.flush(), np.uint8)


def _un_gzip(packed, table, dtype, shape):
    """Rows as they were before `_gzip`, from the bytes of all and their descriptors."""
    image = np.empty(shape, dtype)
    for row, (size, begin) in zip(image, table.tolist(), strict=True):
        content = zlib.decompress(packed[begin : begin + size], GZIP)
        planes = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1)
        row[...] = np.ascontiguousarray(planes.T).view(dtype.newbyteorder(">")).reshape(row.shape)
    return image


def _rice(rows):
    """Rows compressed by RICE_1, which astropy does in a file in memory."""
    hdu = fits.CompImageHDU(rows, compression_type="RICE_1", tile_shape=(1, *rows.shape[1:]))
    file = io.BytesIO()
    hdu.writeto(file)
    content = np.frombuffer(file.getbuffer(), np.uint8)
    file.seek(BLOCK)
    header = fits.Header.fromfile(file)
    table = content[file.tell() :][: header["NAXIS1"] * len(rows)].view(">i4").reshape(-1, 2)
    heap = content[file.tell() + header["NAXIS1"] * len(rows) :]
    for size, begin in table.tolist():
        yield heap[begin : begin + size]


def _un_rice(packed, table, dtype, shape):
    """Rows as they were before `_rice`."""
    hdu = fits.CompImageHDU(np.zeros((1, *shape[1:]), dtype), compression_type="RICE_1", tile_shape=(1, *shape[1:]))
    file = io.BytesIO()
    hdu.writeto(file)
    file.seek(BLOCK)
    header = fits.Header.fromfile(file)
    header["NAXIS2"], header["ZNAXIS2"], header["PCOUNT"] = shape[0], shape[0], packed.size
    file.seek(BLOCK)
    file.write(header.tostring().encode("ascii"))
    file.write(table.astype(">i4"))
    file.write(packed)
    file.write(bytes(-file.tell() % BLOCK))
    file.seek(0)
    with fits.open(file) as hdus:
        return hdus[1].data.astype(dtype)
