"""The pictures of the documentation: all there, small, drawn alike each time."""

import re
import sys

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "docs"))
import illustrations

PAGE = (REPOSITORY / "docs/features-illustrated.md").read_text(encoding="utf-8")
FOLDER = REPOSITORY / "docs/images/features"


def test_every_picture_stands_on_the_page_and_in_its_folder():
    shown = re.findall(r"\(images/features/([a-z-]+)\.png\)", PAGE)
    assert sorted(shown) == sorted(illustrations.PICTURES)
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(illustrations.PICTURES)


def test_pictures_are_small():
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert {name: size for name, size in sizes.items() if size > 60_000} == {}


@pytest.mark.parametrize("name", ["hysteresis", "user-exclusions"])
def test_picture_drawn_twice_is_the_same(name, tmp_path):
    for path in (tmp_path / "once.png", tmp_path / "twice.png"):
        illustrations.save(illustrations.PICTURES[name](), path)
    assert (tmp_path / "once.png").read_bytes() == (tmp_path / "twice.png").read_bytes()


def test_page_names_keys_that_exist():
    schema = (REPOSITORY / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8")
    keys = set(re.findall(r"`([a-z_]+)(?=[`:])", PAGE))
    assert keys
    assert {key for key in keys if f"  {key}:" not in schema} == set()
