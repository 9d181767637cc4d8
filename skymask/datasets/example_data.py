"""Fetch public maps to try skymask with: Fermi-LAT's 3FHL Galactic centre, from the gammapy-data repository.

Their terms are CC BY-NC-SA 4.0. Run as `python -m skymask.datasets.example_data`, or `make data`.
"""

import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

from skymask.errors import SkymaskError
from skymask.io.atomic import written_whole

#: Where the files are, at a commit that does not change.
BASE = "https://raw.githubusercontent.com/gammapy/gammapy-data/fbafe93016c65778594289fc1127ca25a6e7d742/fermi-3fhl-gc"

#: SHA-256 of the files.
FILES = {
    "README.rst": "504bed9cecb5805231f6cad8fd735a18f51b4653143f3399457655565da92393",
    "LICENCE.rst": "1349a4b6148492b44f629e64eed676612e234fe9a839e4f3b277c1482c8849f1",
    "fermi-3fhl-gc-counts.fits.gz": "6da311f7d4a78ee1cde94fb0102d0ee2ed01df9e98cbe2e82f490def56961c85",
    "fermi-3fhl-gc-background.fits.gz": "3e3406e6455405b0b15d69bd8dd62c498984a85dd241196276d6a8e2413d7db8",
    "fermi-3fhl-gc-exposure.fits.gz": "c152fd79fd81958ca733c4ead22da2bb4c40ccf28b8226beee5de50d584b08d2",
    "fermi-3fhl-gc-events.fits.gz": "634a6e814ee90b34941fb551008ea7ffd023a0110c9b946746249069a5cf6f49",
}

#: Seconds after which a server counts as unreachable.
TIMEOUT = 60


def fetch(folder, *, base=BASE, files=None):
    """Fetch files into a folder; those that are there already, with the right checksum, are left alone.

    Parameters
    ----------
    folder : str or Path
    base : str
        Address of the folder that holds them.
    files : dict of str to str
        SHA-256 by name; `FILES` if not given.

    Raises
    ------
    SkymaskError
        If a file cannot be fetched, or is another one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in (FILES if files is None else files).items():
        path = folder / name
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            continue
        try:
            with urllib.request.urlopen(f"{base}/{name}", timeout=TIMEOUT) as response:
                content = response.read()
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise SkymaskError(
                f"{base}/{name} cannot be fetched ({getattr(reason, 'strerror', None) or reason})"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise SkymaskError(f"{base}/{name} has the SHA-256 {found}, expected {digest}: it is not kept")
        with written_whole(path) as temporary:
            temporary.write_bytes(content)


if __name__ == "__main__":
    try:
        fetch("data")
    except SkymaskError as error:
        sys.exit(str(error))
