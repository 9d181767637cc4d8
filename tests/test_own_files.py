"""What is removed is what we made, by its name, and never through a link."""

import numpy as np
import pytest
from conftest import field_with_source, sky_header, write_map

from skymask.io import maps
from skymask.io.atomic import written_whole
from skymask.io.own_files import is_own_file, remove_named, remove_own_products
from skymask.loop.out_of_core import iterate_strips


def ours(path):
    """Write a product as the workflow does, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    maps.write(path, {"counts": np.ones((3, 3), np.int32)}, sky=sky_header((3, 3)))
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder of a dataset, with two products and one of a kernel."""
    for name in ("significance.fits", "excess_errn.fits", "further/wide/significance.fits"):
        ours(tmp_path / "results" / "a" / name)
    return tmp_path / "results" / "a"


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_only_what_is_named_is_removed(folder):
    assert remove_own_products(folder, ["excess_errn.fits", "catalogue.ecsv"]) == ["excess_errn.fits"]
    assert files(folder) == ["further/wide/significance.fits", "significance.fits"]


def test_a_star_means_every_folder_but_none_behind_a_link(folder, tmp_path):
    elsewhere = ours(tmp_path / "elsewhere" / "significance.fits")
    (folder / "further" / "own").symlink_to(elsewhere.parent)
    assert remove_own_products(folder, ["further/*/significance.fits"]) == ["further/wide/significance.fits"]
    assert elsewhere.exists()


@pytest.mark.parametrize("name", ["further/own/significance.fits", "linked/significance.fits", "significance.fits"])
def test_nothing_is_removed_through_a_link(folder, tmp_path, name):
    elsewhere = ours(tmp_path / "elsewhere" / "significance.fits")
    (folder / "significance.fits").unlink()
    (folder / "linked").symlink_to(elsewhere.parent)
    (folder / "further" / "own").symlink_to(elsewhere.parent)
    (folder / "significance.fits").symlink_to(elsewhere)
    assert remove_own_products(folder, [name]) == []
    assert elsewhere.exists()


def test_the_folder_itself_may_be_a_link(folder, tmp_path):
    (tmp_path / "scratch").symlink_to(folder)
    assert remove_own_products(tmp_path / "scratch", ["significance.fits"]) == ["significance.fits"]


def test_a_users_own_map_under_a_name_of_ours_stays(folder):
    write_map(folder / "significance.fits", field_with_source())
    assert remove_own_products(folder, ["significance.fits"]) == []


def test_a_product_that_was_cut_short_is_ours(folder):
    (folder / "significance.fits").write_bytes(b"")
    assert remove_own_products(folder, ["significance.fits"]) == ["significance.fits"]


@pytest.mark.parametrize("name", ["../a/significance.fits", "/etc/passwd", "further", "further/wide", "nothing/x.fits"])
def test_no_name_leads_out_of_the_folder_or_to_another_one(folder, name):
    before = files(folder)
    assert remove_own_products(folder, [name]) == []
    assert files(folder) == before


def test_a_packed_product_is_ours(folder, tmp_path):
    ours(folder / "counts.fits")
    assert is_own_file(folder / "counts.fits")
    assert not is_own_file(folder / "further")


def test_what_matches_in_part_or_is_a_link_stays(tmp_path):
    for name in ("mask-1.bits", "mask-1.bits.old", "my-mask-1.bits"):
        (tmp_path / name).touch()
    (tmp_path / "mask-2.bits").symlink_to(tmp_path / "my-mask-1.bits")
    remove_named(tmp_path, r"mask-\d+\.bits")
    assert files(tmp_path) == ["mask-1.bits.old", "mask-2.bits", "my-mask-1.bits"]


def test_left_overs_of_a_killed_process_go_and_other_hidden_files_stay(tmp_path):
    gone, stays = ".a.fits.node-12.part", [".a.fits.notes.part", ".b.fits.node-12.part", ".a.fits.node-12.part.txt"]
    for name in (gone, *stays):
        (tmp_path / name).touch()
    with written_whole(tmp_path / "a.fits") as temporary:
        temporary.touch()
    assert files(tmp_path) == sorted([*stays, "a.fits"])


def test_files_of_ones_own_stay_in_a_folder_of_strips(tmp_path):
    (tmp_path / "mine.bits").touch()
    (tmp_path / "strip-notes.pickle").touch()
    kernels = {"source_kernel": np.ones((3, 3)), "dilation_kernel": np.ones((1, 1))}
    ring = np.ones((9, 9))
    ring[2:7, 2:7] = 0
    iterate_strips(field_with_source(), folder=tmp_path, rows=24, background_kernel=ring, **kernels)
    assert {"mine.bits", "strip-notes.pickle"} <= set(files(tmp_path))
