"""Files that cannot be written: a full disk, a file system for reading only, a folder of somebody else's."""

import os
import subprocess

import numpy as np
import pytest
from conftest import sky_header

from skymask.errors import SkymaskError
from skymask.io import maps
from skymask.io.atomic import check_writable

#: More than the disk holds.
LARGE = np.zeros((300, 300))


@pytest.fixture
def disk(tmp_path):
    """A disk of 128 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "none", folder], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(disk):
    with pytest.raises(SkymaskError, match=r"counts\.fits cannot be written: No space left on device") as error:
        maps.write(disk / "counts.fits", {"counts": LARGE}, sky=sky_header(LARGE.shape))
    assert "\n" not in str(error.value)
    assert not os.listdir(disk)


def test_a_full_disk_leaves_the_last_file_as_it_was(disk):
    path = disk / "counts.fits"
    maps.write(path, {"counts": LARGE[:10, :10]}, sky=sky_header((10, 10)))
    before = path.read_bytes()
    with pytest.raises(SkymaskError, match="No space left on device"):
        maps.write(path, {"counts": LARGE}, sky=sky_header(LARGE.shape))
    assert path.read_bytes() == before
    assert os.listdir(disk) == ["counts.fits"]


def test_results_on_a_disk_for_reading_only_are_refused(disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(SkymaskError, match=r"results: nothing can be written there, because .* is not writable"):
        check_writable(disk / "results")


def test_a_file_that_becomes_one_for_reading_only_is_one_line(disk):
    path = disk / "counts.fits"
    maps.write(path, {"counts": LARGE[:10, :10]}, sky=sky_header((10, 10)))
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(SkymaskError, match=r"counts\.fits cannot be written: Read-only file system"):
        maps.write(path, {"counts": LARGE[:10, :10]}, sky=sky_header((10, 10)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_map_that_may_not_be_read_is_one_line(tmp_path):
    path = tmp_path / "counts.fits"
    maps.write(path, {"counts": LARGE}, sky=sky_header(LARGE.shape))
    path.chmod(0)
    with pytest.raises(SkymaskError, match=r"counts\.fits cannot be read: permission denied"):
        maps.read(path)
