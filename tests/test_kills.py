"""Runs that are killed at random moments and gone on with; `kills.py` does the same many times."""

from conftest import products
from kills import campaign


def test_ten_kills_at_random_moments_change_no_byte(undisturbed, tmp_path):
    *_, (kills, _) = campaign(tmp_path, 10, products(undisturbed, "results/**/*"), seed=0, longest=5)
    assert kills.total() == 10
    assert not list(tmp_path.rglob("*.part"))
