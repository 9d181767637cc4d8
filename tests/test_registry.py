"""The registry of products: what headers, outputs and the documentation take from it."""

import warnings

import marked
import product_table
import pytest
from astropy.io import fits

from skymask import registry


@pytest.mark.parametrize("name", registry.MAPS)
def test_name_and_meaning_of_a_map_fit_into_a_card(name):
    meaning = registry.MAPS[name].meaning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fits.Card.fromstring(fits.Card("EXTNAME", name.upper(), meaning).image).comment == meaning


def test_only_masks_are_named_so_that_gammapy_makes_masks_of_them():
    taken = {name for name in registry.MAPS if any(word in name for word in ("mask", "is_ul", "success"))}
    assert taken == {"exclusion_mask", "exclusion_mask_inverse"}


def test_a_dataset_has_the_files_of_what_it_is_and_no_others():
    plain, adaptive = registry.files_of(), registry.files_of([registry.ADAPTIVE])
    assert set(adaptive) - set(plain) == {"ring_radius.fits", "plots/ring_radius.png"}
    assert set(registry.files_of(further_kernels=["large"])) - set(plain) == {
        f"further/large/{name}.fits"
        for name in ("alpha", "significance", "excess", "excess_errn", "excess_errp", "excess_upper_limit")
    }


def test_no_file_is_named_twice():
    files = registry.files_of(registry.TRAITS, ["large"])
    assert len(files) == len(set(files))


def test_a_map_that_is_shown_is_a_product_and_those_in_figures_say_what_their_colours_mean():
    shown = registry.shown_maps(registry.TRAITS)
    assert set(shown) == {name for name, entry in registry.MAPS.items() if entry.look}
    assert set(registry.FIGURES) == {name for name in shown if registry.MAPS[name].look.label}


def test_documentation_lists_the_products_of_the_registry():
    assert marked.part("docs/products.md", "products") == product_table.table(), "run make schema"
