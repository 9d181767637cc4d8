"""The configuration: every mistake named in one line, defaults filled, nothing modified."""

import copy
import math
import time
from pathlib import Path

import pytest
import yaml

from skymask import units
from skymask.config import configuration, validation
from skymask.config.configuration import ConfigurationError, dataset_settings
from skymask.config.tables import read_table
from skymask.io import file_names

ROOT = Path(__file__).parent.parent
SCHEMA = configuration.load_schema(ROOT / "workflow" / "schemas" / "config.schema.yaml")

SIMULATION = {"seed": 1, "width": ["2 deg", "1 deg"], "pixel_size": "0.1 deg", "background": 1}
CONFIG = {
    "datasets": {"crab": {"simulate": SIMULATION}},
    "source_kernel": {"shape": "disk", "radius": "0.1 deg"},
    "background_kernel": {"shape": "ring", "inner_radius": "0.3 deg", "width": "0.2 deg"},
    "dilation_radius": "0.1 deg",
}
GROWTH = {"law": "king", "sigma": "0.1 deg", "gamma": 2, "level": 1, "max_radius": "1 deg"}


CIRCLE = {"shape": "circle", "center": ["1 deg", "2 deg"], "radius": "0.1 deg"}
ELLIPSE = {
    "shape": "ellipse",
    "center": ["1 deg", "2 deg"],
    "semi_axes": ["2 deg", "1 deg"],
    "position_angle": "-30 deg",
}


#: A field for events.
GEOMETRY = {"center": ["83.6 deg", "22 deg"], "width": ["2 deg", "1 deg"], "pixel_size": "0.1 deg"}


def settings_of(**changes):
    """Return complete settings, with lengths in words."""
    return units.in_words(dataset_settings({**copy.deepcopy(CONFIG), **changes}, SCHEMA))


def adaptive_ring(**changes):
    """Return the settings of an adaptive ring with changes."""
    ring = {"shape": "adaptive_ring", "inner_radius": "0.3 deg", "width": "0.2 deg", **changes}
    return {"background_kernel": ring}


def crab(**changes):
    """Return the datasets with changes to the one there is."""
    return {"crab": {"simulate": SIMULATION, **changes}}


def lines_of(error):
    return str(error.value).splitlines()


def test_configuration_without_a_mistake_gives_its_datasets():
    assert list(settings_of()) == ["crab"]


# Every row: what is changed, and the one line that is said.
MISTAKES = {
    "unknown key": ({"thresold": 3}, "thresold is no known key (did you mean threshold?)"),
    "unknown key like no other": ({"xyzzy": 3}, "xyzzy is no known key (known here: source_kernel,"),
    "unknown key of a dataset": (
        {"datasets": crab(treshold=3)},
        "datasets.crab.treshold is no known key (did you mean threshold?)",
    ),
    "unknown key within a key": (
        {"convergence": {"max_iteration": 3}},
        "convergence.max_iteration is no known key (did you mean max_iterations?)",
    ),
    "unknown key of a source": (
        {
            "datasets": crab(
                simulate={
                    **SIMULATION,
                    "sources": [{"offset": ["0 deg"] * 2, "counts": 1, "sigma": ["1 deg"] * 2, "name": "a"}],
                }
            )
        },
        "datasets.crab.simulate.sources.0.name is no known key",
    ),
    "no datasets": ({"datasets": {}}, "datasets must not be empty"),
    "datasets without content": ({"datasets": None}, "datasets must be a mapping or text, got None"),
    "datasets as a list": ({"datasets": ["crab"]}, "datasets must be a mapping or text, got ['crab']"),
    "dataset without content": ({"datasets": {"crab": None}}, "datasets.crab must be a mapping, got None"),
    "length without a unit": (
        {"dilation_radius": "0.3"},
        "dilation_radius must be a length with its unit, such as '0.3 deg' or '5 px', got '0.3': no unit",
    ),
    "length as a number": ({"dilation_radius": 0.3}, "dilation_radius must be a length with its unit,"),
    "length of another unit": (
        {"dilation_radius": "0.3 m"},
        "got '0.3 m': 'm' is none of deg, arcmin, arcsec, rad, px",
    ),
    "negative length": ({"dilation_radius": "-0.3 deg"}, "dilation_radius must be a length with its unit,"),
    "length that is none": ({"dilation_radius": "wide"}, "dilation_radius must be a length with its unit,"),
    "kernel length without a unit": (
        {"source_kernel": {"shape": "disk", "radius": "1"}},
        "source_kernel.radius must be a length with its unit,",
    ),
    "centre in pixels": (
        {"datasets": crab(simulate={**SIMULATION, "center": ["1 px", "0 deg"]})},
        "datasets.crab.simulate.center.0 must be an angle with its unit, such as '-5.3 deg', got '1 px': 'px' is none",
    ),
    "centre in hours": (
        {"datasets": crab(simulate={**SIMULATION, "center": ["5h34m32s", "0 deg"]})},
        "got '5h34m32s': hours and sexagesimal numbers are not taken",
    ),
    "threshold of zero": ({"threshold": 0}, "threshold must be more than 0, got 0"),
    "negative threshold": ({"threshold": -1}, "threshold must be more than 0, got -1"),
    "threshold that is no number": ({"threshold": float("nan")}, "threshold must be a finite number, got nan"),
    "infinite threshold": ({"threshold": float("inf")}, "threshold must be a finite number, got inf"),
    "threshold as text": ({"threshold": "five"}, "threshold must be a number, got 'five'"),
    "threshold as a truth value": ({"threshold": True}, "threshold must be a number, got True"),
    "threshold beyond all sense": ({"threshold": 1001}, "threshold must be at most 1000, got 1001"),
    "undefined number of a dataset": (
        {"datasets": crab(threshold=float("nan"))},
        "datasets.crab.threshold must be a finite number, got nan",
    ),
    "lower threshold above the threshold": (
        {"threshold": 4, "threshold_low": 4.5},
        "datasets.crab.threshold_low must be at most the threshold 4, got 4.5",
    ),
    "lower threshold of zero": ({"threshold_low": 0}, "threshold_low must be more than 0, got 0"),
    "lower threshold as text": ({"threshold_low": "3 %"}, "threshold_low must be a number or null, got '3 %'"),
    "widths as a number": ({"threshold_in_widths": 2}, "threshold_in_widths must be true or false, got 2"),
    "regions of no pixels": ({"min_pixels": 0}, "min_pixels must be at least 1, got 0"),
    "fraction of pixels": ({"min_pixels": 2.5}, "min_pixels must be a whole number, got 2.5"),
    "negative holes": ({"max_hole_pixels": -1}, "max_hole_pixels must be at least 0, got -1"),
    "kernels of the mask by name": (
        {"mask_source_kernels": {"wide": {"shape": "disk", "radius": "0.3 deg"}}},
        "mask_source_kernels must be a list, got {'wide':",
    ),
    "kernel of the mask without a unit": (
        {"mask_source_kernels": [{"shape": "disk", "radius": "0.3"}]},
        "mask_source_kernels.0.radius must be a length with its unit,",
    ),
    "kernel of the mask that is for backgrounds": (
        {"mask_source_kernels": [{"shape": "field_of_view"}]},
        "mask_source_kernels.0.shape must be one of disk, ring, gaussian, array, got 'field_of_view'",
    ),
    "ring of the mask in two units": (
        {"mask_source_kernels": [{"shape": "ring", "inner_radius": "0.3 deg", "width": "2 px"}]},
        "datasets.crab.mask_source_kernels.0: inner_radius and width must both be angles or both px",
    ),
    "kernel of the mask without its file": (
        {"mask_source_kernels": [{"shape": "array", "path": "missing.fits"}]},
        "datasets.crab.mask_source_kernels.0.path: missing.fits does not exist",
    ),
    "tilt as text": (
        {"background_kernel": {"shape": "field_of_view", "tilt": "a bit"}},
        "background_kernel.tilt must be true or false, got 'a bit'",
    ),
    "tilt of a ring": (
        {"background_kernel": {"shape": "ring", "inner_radius": "0.3 deg", "width": "0.2 deg", "tilt": True}},
        "background_kernel.tilt is no known key (known here: shape, inner_radius, width)",
    ),
    "growth as a number": ({"region_growth": 3}, "region_growth must be a mapping or null, got 3"),
    "growth without a law": ({"region_growth": {"factor": 1}}, "region_growth lacks the key law"),
    "growth by no law there is": (
        {"region_growth": {"law": "gauss"}},
        "region_growth.law must be one of king, size, got 'gauss'",
    ),
    "growth with a key of the other law": (
        {"region_growth": {**GROWTH, "factor": 1}},
        "region_growth.factor is no known key (known here: law, sigma, gamma, level, max_radius)",
    ),
    "growth without a key of its law": (
        {"region_growth": {"law": "size", "factor": 1}},
        "region_growth lacks the key max_radius",
    ),
    "growth by too long tails": (
        {"region_growth": {**GROWTH, "gamma": 1}},
        "region_growth.gamma must be more than 1, got 1",
    ),
    "growth of no width": (
        {"region_growth": {**GROWTH, "sigma": "0 deg"}},
        "datasets.crab.region_growth.sigma must be more than 0",
    ),
    "growth in two kinds of units": (
        {"region_growth": {**GROWTH, "sigma": "2 px"}},
        "datasets.crab.region_growth: sigma and max_radius must both be angles or both px",
    ),
    "growth down to more than the edge": (
        {"region_growth": {**GROWTH, "level": 3.5}, "threshold_low": 3},
        "datasets.crab.region_growth.level must be at most the significance 3 at the edge of regions, got 3.5",
    ),
    "fraction of iterations": (
        {"convergence": {"max_iterations": 2.5}},
        "convergence.max_iterations must be a whole number, got 2.5",
    ),
    "no iterations": ({"convergence": {"max_iterations": 0}}, "convergence.max_iterations must be at least 1, got 0"),
    "negative tolerance": (
        {"convergence": {"changed_pixels": -1}},
        "convergence.changed_pixels must be at least 0, got -1",
    ),
    "choice that is none": ({"statistic": "lima"}, "statistic must be one of wstat, cash, got 'lima'"),
    "choice within a key": (
        {"convergence": {"on_cycle": "mean"}},
        "convergence.on_cycle must be one of union, last, fail, got 'mean'",
    ),
    "kernel of no shape there is": (
        {"source_kernel": {"shape": "disc", "radius": "1 deg"}},
        "source_kernel.shape must be one of disk, ring, gaussian, array, got 'disc'",
    ),
    "kernel without a shape": ({"source_kernel": {"radius": "0.1 deg"}}, "source_kernel lacks the key shape"),
    "kernel as text": ({"source_kernel": "disk"}, "source_kernel must be a mapping, got 'disk'"),
    "kernel with a key of another shape": (
        {"source_kernel": {"shape": "disk", "radius": "0.1 deg", "width": "0.2 deg"}},
        "source_kernel.width is no known key (known here: shape, radius)",
    ),
    "kernel without a key of its shape": (
        {"background_kernel": {"shape": "ring", "width": "0.2 deg"}},
        "background_kernel lacks the key inner_radius",
    ),
    "ring in two kinds of units": (
        {"background_kernel": {"shape": "ring", "inner_radius": "0.3 deg", "width": "2 px"}},
        "datasets.crab.background_kernel: inner_radius and width must both be angles or both px",
    ),
    "confidence level in percent": (
        {"limits": {"confidence_level": 95}},
        "limits.confidence_level must be less than 1, got 95",
    ),
    "confidence level of a coin": (
        {"limits": {"confidence_level": 0.5}},
        "limits.confidence_level must be more than 0.5, got 0.5",
    ),
    "fewer simulations than none": (
        {"null_simulations": {"number": -1}},
        "null_simulations.number must be at least 0, got -1",
    ),
    "quality key that is none": (
        {"quality": {"off_source_men": 0.1}},
        "quality.off_source_men is no known key (did you mean off_source_mean?)",
    ),
    "adaptive ring as a source kernel": (
        {"source_kernel": {"shape": "adaptive_ring", "inner_radius": "0.3 deg", "width": "0.2 deg"}},
        "source_kernel.shape must be one of disk, ring, gaussian, array, got 'adaptive_ring'",
    ),
    "adaptive ring in two kinds of units": (
        adaptive_ring(inner_radius="10 px", width="5 px"),
        "inner_radius, width, step and max_outer_radius must all be angles or all px",
    ),
    "adaptive ring that does not grow": (
        adaptive_ring(step="0 deg"),
        "datasets.crab.background_kernel.step must be more than 0",
    ),
    "adaptive ring larger than the largest": (
        adaptive_ring(max_outer_radius="29 arcmin"),
        "max_outer_radius must be at least inner_radius + width, got 29 arcmin for 0.3 deg + 0.2 deg",
    ),
    "adaptive ring that keeps nothing": (
        adaptive_ring(keep="outer_radius"),
        "background_kernel.keep must be one of width, inner_radius, got 'outer_radius'",
    ),
    "adaptive ring without alpha": (
        adaptive_ring(alpha_max=0),
        "background_kernel.alpha_max must be more than 0, got 0",
    ),
    "adaptive ring of excluded pixels": (
        adaptive_ring(excluded_fraction_max=1.5),
        "background_kernel.excluded_fraction_max must be at most 1, got 1.5",
    ),
    "further kernel that reaches into the ring": (
        {"further_source_kernels": {"wide": {"shape": "disk", "radius": "20 arcmin"}}},
        "datasets.crab.further_source_kernels.wide reaches into background_kernel, whose inner_radius is 0.3 deg",
    ),
    "further Gaussian that reaches into the ring": (
        {"further_source_kernels": {"wide": {"shape": "gaussian", "sigma": "0.08 deg"}}},
        "datasets.crab.further_source_kernels.wide reaches into background_kernel, whose inner_radius is 0.3 deg",
    ),
    "further kernel that is no name of a folder": (
        {"further_source_kernels": {"a/b": {"shape": "disk", "radius": "1 px"}}},
        "datasets.crab.further_source_kernels.a/b: unsafe name 'a/b'",
    ),
    "further kernels that differ in case": (
        {"further_source_kernels": {name: {"shape": "disk", "radius": "1 px"} for name in ("wide", "Wide")}},
        "datasets.crab.further_source_kernels.wide: the name differs from Wide in case only",
    ),
    "further kernel of no shape there is": (
        {"further_source_kernels": {"wide": {"shape": "disc"}}},
        "further_source_kernels.wide.shape must be one of disk, ring, gaussian, array, got 'disc'",
    ),
    "further kernel in two kinds of units": (
        {"further_source_kernels": {"wide": {"shape": "ring", "inner_radius": "1 px", "width": "1 deg"}}},
        "datasets.crab.further_source_kernels.wide: inner_radius and width must both be angles or both px",
    ),
    "missing further kernel": (
        {"further_source_kernels": {"wide": {"shape": "array", "path": "none.fits"}}},
        "datasets.crab.further_source_kernels.wide.path: none.fits does not exist",
    ),
    "too few limits": ({"plots": {"significance_limits": [1]}}, "plots.significance_limits must have 2 items, got 1"),
    "no counts": (
        {"datasets": {"crab": {}}},
        "datasets.crab must have either counts or simulate or events or runs or observations or healpix",
    ),
    "counts and a simulation": (
        {"datasets": crab(counts=str(ROOT / "config.yaml"))},
        "datasets.crab must have either counts or simulate or events or runs or observations or healpix",
    ),
    "acceptance beside a simulation": (
        {"datasets": crab(acceptance=str(ROOT / "config.yaml"))},
        "datasets.crab.acceptance cannot stand beside simulate",
    ),
    "background beside a simulation": (
        {"datasets": crab(background=str(ROOT / "config.yaml"))},
        "datasets.crab.background cannot stand beside simulate",
    ),
    "additive background beside a simulation": (
        {"datasets": crab(additive_background=str(ROOT / "config.yaml"))},
        "datasets.crab.additive_background cannot stand beside simulate",
    ),
    "missing counts": (
        {"datasets": {"crab": {"counts": "none.fits"}}},
        "datasets.crab.counts: none.fits does not exist (looked in ",
    ),
    "missing file with the name of an image": (
        {"datasets": {"crab": {"counts": "none.fits[COUNTS]"}}},
        "datasets.crab.counts: none.fits does not exist",
    ),
    "missing mask": (
        {"datasets": crab(exclusion_mask="none.fits")},
        "datasets.crab.exclusion_mask: none.fits does not exist",
    ),
    "missing kernel": (
        {"source_kernel": {"shape": "array", "path": "none.fits"}},
        "datasets.crab.source_kernel.path: none.fits does not exist",
    ),
    "missing coverage": ({"datasets": crab(coverage="none.fits")}, "datasets.crab.coverage: none.fits does not exist"),
    "missing region file": (
        {"exclusion_regions": [CIRCLE, {"file": "none.reg"}]},
        "datasets.crab.exclusion_regions.1.file: none.reg does not exist",
    ),
    "missing catalogue": (
        {"datasets": crab(exclusion_regions=[{"table": "none.fits[STARS]", "radius": "1 deg"}])},
        "datasets.crab.exclusion_regions.0.table: none.fits does not exist",
    ),
    "region of no kind there is": (
        {"exclusion_regions": [{"center": ["1 deg", "2 deg"]}]},
        "exclusion_regions.0 lacks one of the keys shape, file, table",
    ),
    "region of no shape there is": (
        {"exclusion_regions": [CIRCLE | {"shape": "square"}]},
        "exclusion_regions.0.shape must be one of circle, ellipse, got 'square'",
    ),
    "region with an unknown key": (
        {"exclusion_regions": [CIRCLE | {"radios": "1 deg"}]},
        "exclusion_regions.0.radios is no known key (did you mean radius?)",
    ),
    "region without a radius": (
        {"datasets": crab(exclusion_regions=[{"shape": "circle", "center": ["1 deg", "2 deg"]}])},
        "datasets.crab.exclusion_regions.0 lacks the key radius",
    ),
    "region in pixels": (
        {"exclusion_regions": [CIRCLE | {"radius": "2 px"}]},
        "exclusion_regions.0.radius must be a len",
    ),
    "region of another frame": (
        {"exclusion_regions": [CIRCLE | {"frame": "fk4"}]},
        "exclusion_regions.0.frame must be one of icrs, galactic, got 'fk4'",
    ),
    "region with half a centre": (
        {"exclusion_regions": [CIRCLE | {"center": ["1 deg"]}]},
        "exclusion_regions.0.center must have 2 items, got 1",
    ),
    "region beyond the pole": (
        {"exclusion_regions": [CIRCLE | {"center": ["1 deg", "91 deg"]}]},
        "datasets.crab.exclusion_regions.0.center.1 must be a latitude, got 91 deg",
    ),
    "region without an extent": (
        {"exclusion_regions": [CIRCLE | {"radius": "0 deg"}]},
        "datasets.crab.exclusion_regions.0.radius must be more than 0 and at most 180 deg, got 0 deg",
    ),
    "ellipse without an extent": (
        {"exclusion_regions": [ELLIPSE | {"semi_axes": ["1 deg", "0 deg"]}]},
        "datasets.crab.exclusion_regions.0.semi_axes.1 must be more than 0",
    ),
    "ellipse without an angle": (
        {"exclusion_regions": [{key: ELLIPSE[key] for key in ELLIPSE if key != "position_angle"}]},
        "exclusion_regions.0 lacks the key position_angle",
    ),
    "region file with a frame of its own": (
        {"exclusion_regions": [{"file": str(ROOT / "config.yaml"), "frame": "icrs"}]},
        "exclusion_regions.0.frame is no known key (known here: file)",
    ),
    "catalogue without a radius": (
        {"exclusion_regions": [{"table": str(ROOT / "config.yaml")}]},
        "exclusion_regions.0 lacks the key radius",
    ),
    "catalogue with one radius of nothing": (
        {"exclusion_regions": [{"table": str(ROOT / "config.yaml"), "radius": "0 deg"}]},
        "datasets.crab.exclusion_regions.0.radius must be more than 0",
    ),
    "regions as a mapping": ({"exclusion_regions": CIRCLE}, "exclusion_regions must be a list, got {"),
    "all of the acceptance": ({"min_acceptance_fraction": 1}, "min_acceptance_fraction must be less than 1, got 1"),
    "negative acceptance": ({"min_acceptance_fraction": -0.1}, "min_acceptance_fraction must be at least 0, got -0.1"),
    "path that is empty": ({"datasets": {"crab": {"counts": ""}}}, "datasets.crab.counts must not be empty"),
    "simulation without a seed": (
        {"datasets": crab(simulate={key: SIMULATION[key] for key in SIMULATION if key != "seed"})},
        "datasets.crab.simulate lacks the key seed",
    ),
    "names that differ in case": (
        {"datasets": {"crab": {"simulate": SIMULATION}, "Crab": {"simulate": SIMULATION}}},
        "datasets.Crab: the name differs from crab in case only",
    ),
    "missing table": ({"datasets": "none.csv"}, "datasets: the table none.csv cannot be read (No such file"),
}


@pytest.mark.parametrize(("changes", "line"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_one_line_that_names_its_key(changes, line):
    with pytest.raises(ConfigurationError) as error:
        settings_of(**changes)
    (said,) = lines_of(error)
    assert line in said


def test_configuration_without_datasets_is_refused():
    config = {name: value for name, value in CONFIG.items() if name != "datasets"}
    with pytest.raises(ConfigurationError, match="the configuration lacks the key datasets"):
        dataset_settings(config, SCHEMA)


@pytest.mark.parametrize("key", validation.REQUIRED_KEYS)
def test_analysis_key_without_a_default_must_be_given_somewhere(key):
    config = {name: value for name, value in CONFIG.items() if name != key}
    with pytest.raises(ConfigurationError, match=f"datasets.crab has no {key}, and there is none for all datasets"):
        dataset_settings(config, SCHEMA)


@pytest.mark.parametrize("key", validation.REQUIRED_KEYS)
def test_analysis_key_without_a_default_may_be_given_for_the_dataset_alone(key):
    config = {name: value for name, value in CONFIG.items() if name != key}
    config["datasets"] = crab(**{key: CONFIG[key]})
    assert units.in_words(dataset_settings(config, SCHEMA)["crab"][key]) == CONFIG[key]


@pytest.mark.parametrize("name", ["../crab", "a/b", "a b", ".crab", "-crab", "", "a" * 101, "crab\n", "crâb", "a{b}"])
def test_unsafe_name_is_refused(name):
    with pytest.raises(ConfigurationError, match="unsafe name"):
        settings_of(datasets={name: {"simulate": SIMULATION}})


@pytest.mark.parametrize("name", ["crab", "0", "Crab-1.2_b+c", "a" * 100])
def test_safe_name_is_taken(name):
    assert list(settings_of(datasets={name: {"simulate": SIMULATION}})) == [name]


def test_number_as_a_name_becomes_text():
    assert list(settings_of(datasets={4: {"simulate": SIMULATION}})) == ["4"]


def test_several_mistakes_are_a_line_each():
    with pytest.raises(ConfigurationError) as error:
        settings_of(threshold=0, statistic="lima", dilation_radius="3", xyzzy=1)
    assert sorted(line.split()[0] for line in lines_of(error)) == ["dilation_radius", "statistic", "threshold", "xyzzy"]


# Defaults, and what a dataset overrides.


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("statistic", "wstat"),
        ("background_systematic", 0),
        ("threshold", 5),
        ("threshold_low", None),
        ("threshold_in_widths", False),
        ("min_pixels", 1),
        ("max_hole_pixels", 0),
        ("region_growth", None),
        ("mask_update", "replace"),
        ("starved_pixels", "keep"),
        ("exclusion_regions", []),
        ("further_source_kernels", {}),
        ("mask_source_kernels", []),
        ("min_acceptance_fraction", 0),
    ],
)
def test_default_is_filled_in(key, default):
    assert settings_of()["crab"][key] == default


def test_defaults_of_convergence_are_filled_in_beside_what_is_given():
    assert settings_of(convergence={"on_cycle": "last"})["crab"]["convergence"] == {
        "max_iterations": 50,
        "changed_pixels": 0,
        "on_cycle": "last",
        "on_max_iterations": "last",
        "max_excluded_fraction": 0.9,
    }


def test_defaults_of_an_adaptive_ring_are_those_of_hess():
    assert settings_of(**adaptive_ring(alpha_max=0.1))["crab"]["background_kernel"] == {
        "shape": "adaptive_ring",
        "inner_radius": "0.3 deg",
        "width": "0.2 deg",
        "step": "0.08 deg",
        "max_outer_radius": "1.7 deg",
        "alpha_max": 0.1,
        "excluded_fraction_max": 0.5,
        "keep": "width",
    }


def test_largest_adaptive_ring_may_be_the_smallest():
    assert settings_of(**adaptive_ring(max_outer_radius="30 arcmin"))


def test_defaults_of_a_simulation_are_filled_in():
    simulation = settings_of()["crab"]["simulate"]
    assert (simulation["frame"], simulation["center"], simulation["sources"]) == ("galactic", ["0 deg", "0 deg"], [])


def test_defaults_of_the_figures_are_filled_in():
    assert configuration.plot_settings({"plots": {"dpi": 90}}, SCHEMA) == {
        "dpi": 90,
        "paper_dpi": 300,
        "significance_limits": [-5, 15],
    }


def test_setting_of_a_dataset_overrides_that_of_all():
    settings = settings_of(threshold=4, datasets={**crab(threshold=3), "other": {"simulate": SIMULATION}})
    assert (settings["crab"]["threshold"], settings["other"]["threshold"]) == (3, 4)


def test_kernel_of_a_dataset_replaces_the_global_one_as_a_whole():
    kernel = {"shape": "gaussian", "sigma": "0.2 deg"}
    assert settings_of(datasets=crab(background_kernel=kernel))["crab"]["background_kernel"] == kernel


def test_further_kernels_of_a_dataset_add_to_the_global_ones():
    small, large = ({"shape": "disk", "radius": radius} for radius in ("1 px", "2 px"))
    settings = settings_of(
        further_source_kernels={"a": small, "b": small},
        datasets=crab(further_source_kernels={"b": large, "c": large}),
    )
    assert settings["crab"]["further_source_kernels"] == {"a": small, "b": large, "c": large}


def test_further_kernel_may_reach_into_the_ring_where_the_background_is_known():
    wide = {"wide": {"shape": "disk", "radius": "1 deg"}}
    assert settings_of(further_source_kernels=wide, statistic="cash")["crab"]["further_source_kernels"] == wide


def test_further_kernel_may_end_where_the_ring_begins():
    assert settings_of(further_source_kernels={"wide": {"shape": "disk", "radius": "17.9 arcmin"}})


def test_regions_of_a_dataset_replace_the_global_ones_as_a_whole():
    settings = settings_of(
        exclusion_regions=[CIRCLE], datasets={**crab(exclusion_regions=[ELLIPSE]), "other": {"simulate": SIMULATION}}
    )
    assert settings["crab"]["exclusion_regions"] == [ELLIPSE]
    assert settings["other"]["exclusion_regions"] == [CIRCLE]


def test_files_of_regions_are_those_of_the_dataset():
    regions = [CIRCLE, {"file": "a.reg"}, {"table": "b.fits[STARS]", "radius": "1 deg"}]
    names = file_names.file_names({"counts": "c.fits", "exclusion_regions": regions})
    assert names == {
        "counts": "c.fits",
        "exclusion_regions.1.file": "a.reg",
        "exclusion_regions.2.table": "b.fits[STARS]",
    }


@pytest.mark.parametrize(
    ("text", "expected"), [("0.3 deg", True), ("5arcmin", True), ("0.3", False), ("5 px", False), ("Conf_95", False)]
)
def test_angle_is_told_from_a_column(text, expected):
    assert units.is_angle(text) is expected


def test_growth_of_a_dataset_replaces_the_global_one_as_a_whole():
    growth = {"law": "size", "factor": 0.5, "max_radius": "1 deg"}
    settings = settings_of(
        region_growth=GROWTH, datasets={**crab(region_growth=growth), "other": {"simulate": SIMULATION}}
    )
    assert (settings["crab"]["region_growth"], settings["other"]["region_growth"]) == (growth, GROWTH)


def test_convergence_of_a_dataset_adds_to_the_global_one():
    settings = settings_of(
        convergence={"max_iterations": 7, "on_cycle": "last"}, datasets=crab(convergence={"max_iterations": 9})
    )
    convergence = settings["crab"]["convergence"]
    assert (convergence["max_iterations"], convergence["on_cycle"]) == (9, "last")


def test_settings_of_one_dataset_hold_nothing_of_the_workflow():
    assert not {"datasets", "plots", "checkpoint_groups"} & set(settings_of(plots={"dpi": 90})["crab"])


def test_configuration_is_not_modified():
    config = {**copy.deepcopy(CONFIG), "convergence": {"on_cycle": "last"}}
    config["datasets"][7] = {"simulate": copy.deepcopy(SIMULATION), "convergence": {"max_iterations": 3}}
    before = copy.deepcopy(config)
    dataset_settings(config, SCHEMA)
    assert config == before


def test_schema_is_not_modified():
    before = copy.deepcopy(SCHEMA)
    settings_of()
    assert before == SCHEMA


def test_datasets_keep_their_order():
    names = ["c", "a", "b"]
    assert list(settings_of(datasets={name: {"simulate": SIMULATION} for name in names})) == names


# The repository's own configuration.


def stated(config, schema):
    """Yield every key that a configuration states and its schema has a default for: name, value, default."""
    while "$ref" in schema:
        schema = {
            **SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]],
            **{k: v for k, v in schema.items() if k != "$ref"},
        }
    for key, value in config.items():
        below = schema.get("properties", {}).get(key)
        if below is None:
            continue
        while "$ref" in below:
            below = SCHEMA["$defs"][below["$ref"].rsplit("/", 1)[1]]
        if "default" in below:
            yield key, value, below["default"]
        elif isinstance(value, dict):
            yield from stated(value, below)


def test_repositorys_configuration_states_the_schemas_defaults():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    found = list(stated({key: value for key, value in config.items() if key not in ("datasets", "figures")}, SCHEMA))
    assert {key for key, *_ in found} >= {"threshold", "statistic", "max_iterations", "on_cycle", "dpi"}
    for key, value, default in found:
        assert value == default, key


def test_repositorys_configuration_has_no_mistake():
    configuration.check_file(ROOT / "config.yaml")
    assert dataset_settings(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")), SCHEMA)


# Tables.


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "datasets.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_table_gives_a_dataset_per_row(tmp_path):
    path = table(
        tmp_path, "dataset,counts,threshold,source_kernel.shape,source_kernel.radius\na,a.fits,4.5,disk,2 px\n"
    )
    assert read_table(path) == {
        "a": {"counts": "a.fits", "threshold": "4.5", "source_kernel": {"shape": "disk", "radius": "2 px"}}
    }


def test_keys_of_a_table_that_have_dots_stay_whole(tmp_path):
    text = 'dataset,counts,scan.source_kernel.radius,scan.threshold\na,a.fits,"[2 px, 3 px]","[4, 5]"\n'
    scan = {"source_kernel.radius": "[2 px, 3 px]", "threshold": "[4, 5]"}
    assert read_table(table(tmp_path, text)) == {"a": {"counts": "a.fits", "scan": scan}}


def test_empty_cells_of_a_table_are_keys_not_given(tmp_path):
    assert read_table(table(tmp_path, "dataset,counts,threshold\na,a.fits,\nb,b.fits, \n")) == {
        "a": {"counts": "a.fits"},
        "b": {"counts": "b.fits"},
    }


def test_paths_of_a_table_stay_text(tmp_path):
    assert read_table(table(tmp_path, "dataset,counts,background_kernel.path\n1,2024,7\n")) == {
        "1": {"counts": "2024", "background_kernel": {"path": "7"}}
    }


@pytest.mark.parametrize(
    ("text", "encoding"), [("dataset,counts\r\na,b\r\n", "utf-8"), ("dataset,counts\na,b", "utf-8-sig")]
)
def test_table_of_a_spreadsheet_is_read(tmp_path, text, encoding):
    assert read_table(table(tmp_path, text, encoding)) == {"a": {"counts": "b"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'dataset'"),
        ("name,counts\na,b\n", "has no column 'dataset', only name, counts"),
        ("dataset,counts\na,b\na,c\n", r"names the dataset 'a' twice \(line 3\)"),
        ("dataset,counts\na,b\nc\n", "line 3 of .* has not as many cells as the header"),
        ("dataset,counts\na,b,c\n", "line 2 of .* has not as many cells as the header"),
        ("dataset,counts,counts\na,b,c\n", "counts"),
        ("dataset,threshold,threshold.low\na,5,6\n", "the columns 'threshold' and 'threshold.low' exclude each other"),
        ("dataset,limits.confidence_level,limits\na,0.9,{}\n", "the column 'limits' and those that begin with it"),
        ("dataset,threshold,threshold \na,5,6\n", "has the column 'threshold' twice"),
    ],
)
def test_table_with_a_mistake_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigurationError, match=message):
        read_table(table(tmp_path, text))


def test_table_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"datasets\.csv cannot be read"):
        read_table(table(tmp_path, "dataset,counts\na,ü\n", "latin-1"))


def test_table_without_rows_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="datasets must not be empty"):
        settings_of(datasets=table(tmp_path, "dataset,counts\n"))


def test_row_without_a_name_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="unsafe name ''"):
        settings_of(datasets=table(tmp_path, f"dataset,counts\n,{ROOT / 'config.yaml'}\n"))


def test_column_that_is_no_key_is_refused_by_name(tmp_path):
    text = f"dataset,counts,treshold\na,{ROOT / 'config.yaml'},4\n"
    with pytest.raises(ConfigurationError, match=r"datasets\.a\.treshold is no known key \(did you mean threshold"):
        settings_of(datasets=table(tmp_path, text))


# Files.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("threshold: 3\nthreshold: 4\n", r"threshold stands twice in .* \(line 2\)"),
        ("datasets:\n  a: {}\n  b: {}\n  a: {}\n", r"datasets\.a stands twice in .* \(line 4\)"),
        ("datasets: {1: {}, '1': {}}\n", r"datasets\.1 stands twice"),
        ("datasets:\n  a:\n    simulate:\n      sources:\n        - {counts: 1, counts: 2}\n", "counts stands twice"),
        ("a: [{b: 1}, {b: 1, c: [], b: 2}]\n", r"a\.1\.b stands twice"),
        ("a: &x {b: 1}\nb: *x\na: *x\n", r"a stands twice in .* \(line 3\)"),
        ("? [a, b]\n: 1\nc: 2\nc: 3\n", "c stands twice"),
    ],
    ids=["top", "nested", "number and text", "in a list", "in its second item", "by its other name", "after a list"],
)
def test_key_that_stands_twice_is_refused(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        configuration.check_file(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000 + "x"], ids=["[", "{", "-"])
def test_a_file_that_is_nested_too_deeply_is_refused(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"config.yaml is nested in more than 100 levels \(line 1\)"):
        configuration.read_configuration(path)


@pytest.mark.parametrize("text", ["", "a: {x: 1}\nb: {x: 1}\n", "- {x: 1}\n- {x: 2}\n", "? [a, a]\n: [x, x]\n"])
def test_key_that_stands_once_in_each_place_is_no_mistake(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert configuration.check_file(path) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.fits", ("a.fits", None)),
        ("a.fits[COUNTS]", ("a.fits", "COUNTS")),
        ("dir[1]/a.fits", ("dir[1]/a.fits", None)),
        ("dir[1]/a.fits[B]", ("dir[1]/a.fits", "B")),
        ("[A]", ("[A]", None)),
    ],
)
def test_name_of_an_image_is_split_from_its_file(name, expected):
    assert file_names.split_name(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.3 deg", (0.3, "deg")), ("5px", (5.0, "px")), (" .5  arcmin ", (0.5, "arcmin")), ("-1e-3 rad", (-1e-3, "rad"))],
)
def test_text_is_split_into_value_and_unit(text, expected):
    assert units.split_unit(text) == expected


@pytest.mark.parametrize(
    "text", ["0.15 deg", "9 arcmin", "540 arcsec", " 9e0 arcmin", "0.150deg", f"{math.pi / 1200} rad"]
)
def test_the_same_angle_is_the_same_number_of_degrees(text):
    assert units.parse_length(text) == (0.15, "deg")


@pytest.mark.parametrize("text", ["0.3 deg", "83.633 deg", "10 arcmin", "1 arcsec", "2.5 px", "-83.6331234 deg"])
def test_length_is_told_in_the_unit_in_which_it_is_short(text):
    assert units.in_words(units.parse_length(text)) == text


@pytest.mark.parametrize("unit", ["arcmin", "arcsec"])
def test_lengths_in_other_words_are_the_same_settings(unit):
    def config(length):
        ring = {"shape": "adaptive_ring", "inner_radius": length, "width": length, "step": length}
        holes = [{"offset": [length, length], "radius": length}]
        sources = [
            {"offset": [length, length], "counts": 1, "sigma": [length, length]},
            {"offset": [length, length], "counts": 1, "shape": "ridge", "sigma": length},
        ]
        simulate = {**SIMULATION, "pixel_size": length, "holes": holes, "sources": sources}
        regions = [{"shape": "circle", "center": [length, length], "radius": length}]
        regions += [{"table": str(ROOT / "config.yaml"), "radius": length}]
        changes = {
            "datasets": crab(simulate=simulate),
            "source_kernel": {"shape": "disk", "radius": length},
            "background_kernel": ring,
            "dilation_radius": length,
            "statistic": "cash",
            "further_source_kernels": {"large": {"shape": "gaussian", "sigma": length}},
            "mask_source_kernels": [{"shape": "disk", "radius": length}],
            "energy_kernels": [{"source_kernel": {"shape": "disk", "radius": length}}],
            "region_growth": {"law": "size", "factor": 1, "max_radius": length},
            "exclusion_regions": regions,
            "scan": {"dilation_radius": [length]},
        }
        return dataset_settings({**copy.deepcopy(CONFIG), **changes}, SCHEMA)

    in_degrees, in_others = config("0.15 deg"), config("9 arcmin" if unit == "arcmin" else "540 arcsec")
    assert in_degrees == in_others
    assert unit not in str(in_others)
    assert "0.15 deg" not in str(in_others)


# Groups.

NAMES = [f"field-{number}" for number in range(40)]


def test_few_datasets_are_a_group_each():
    assert configuration.groups(NAMES[:10], 10) == {name: name for name in NAMES[:10]}


def test_many_datasets_share_no_more_groups_than_allowed():
    groups = configuration.groups(NAMES, 10)
    assert list(groups) == NAMES
    # Forty hashes into ten: the chance to miss five or more of them is below 1e-3, and the names are fixed.
    assert 5 < len(set(groups.values())) <= 10


def test_dataset_stays_in_its_group_when_others_come_and_go():
    few, many = configuration.groups(NAMES[20:35], 10), configuration.groups(NAMES, 10)
    assert few == {name: many[name] for name in few}


SIMULATION = {"seed": 1, "width": ["2 deg", "1 deg"], "pixel_size": "0.1 deg", "background": 1}
SOURCE = {"offset": ["0 deg", "0 deg"], "counts": 10, "sigma": ["0.1 deg", "0.1 deg"]}
SHELL = {"shape": "shell", "offset": ["0 deg", "0 deg"], "counts": 10, "inner_radius": "0.1 deg", "width": "0.1 deg"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"pixel_size": "0 deg"}, r"simulate.pixel_size must be more than 0"),
        (
            {"pixel_size": "2 px"},
            r"simulate.pixel_size must be .*, got '2 px': 'px' is none of deg, arcmin, arcsec, rad$",
        ),
        ({"pixel_size": "0.1 mas"}, r"simulate.pixel_size must be a length with its unit"),
        ({"pixel_size": "0.01 arcsec"}, r"simulate.width is 7.2e\+05 x 3.6e\+05 pixels of pixel_size"),
        ({"width": ["0.01 deg", "1 deg"]}, r"simulate.width is 0.1 x 10 pixels of pixel_size"),
        ({"sources": [SOURCE | {"sigma": ["0.1 deg", "0 deg"]}]}, r"simulate.sources.0.sigma.1 must be more than 0"),
        ({"sources": [SHELL | {"width": "0 deg"}]}, r"simulate.sources.0.width must be more than 0"),
        (
            {"sources": [SHELL | {"shape": "shel"}]},
            r"simulate.sources.0.shape must be one of gaussian, point, shell, ridge",
        ),
        ({"sources": [{"offset": ["0 deg"] * 2, "counts": 1}]}, r"simulate.sources.0 lacks the key sigma"),
        ({"sources": [SOURCE | {"shape": "point"}]}, r"simulate.sources.0.sigma is no known key"),
        ({"sources": [SOURCE | {"shape": "ridge", "sigma": "0 deg"}]}, r"simulate.sources.0.sigma must be more than 0"),
        ({"holes": [{"offset": ["0 deg", "0 deg"]}]}, r"simulate.holes.0 lacks the key radius"),
        (
            {"acceptance_gradient": [0.5, -0.5]},
            r"simulate.acceptance_gradient must have sizes of less than 1 together, got 1",
        ),
        ({"acceptance_gradient": [0.5]}, r"simulate.acceptance_gradient must have 2 items, got 1"),
    ],
)
def test_an_impossible_simulation_is_refused(changes, line):
    with pytest.raises(ConfigurationError, match=rf"^datasets.sky.{line}"):
        settings_of(datasets={"sky": {"simulate": SIMULATION | changes}})


def test_the_order_of_keys_in_a_file_does_not_matter():
    turned = dict(reversed(SIMULATION.items()))
    one, other = (settings_of(datasets={"sky": {"simulate": entry}}) for entry in (SIMULATION, turned))
    assert repr(one) == repr(other)


@pytest.mark.parametrize("name", ["report.html", "Summary.csv", "figures"])
def test_a_name_of_the_results_own_files_is_refused(name):
    with pytest.raises(ConfigurationError, match="the name is taken by a file of the results"):
        settings_of(datasets={name: {"simulate": SIMULATION}})


@pytest.mark.parametrize("limits", [[15, -5], [3, 3]])
def test_limits_of_the_colour_scale_must_grow(limits):
    with pytest.raises(ConfigurationError, match="significance_limits must grow"):
        configuration.plot_settings({"plots": {"significance_limits": limits}}, SCHEMA)


def event_mistakes(**entry):
    """Return what is said of a dataset of events; their files need not exist."""
    with pytest.raises(ConfigurationError) as error:
        settings_of(datasets={"crab": {"events": "no.fits", "geometry": GEOMETRY, **entry}})
    return [line for line in lines_of(error) if "does not exist" not in line]


# Every row: keys of a dataset of events, and the one line that is said of them.
EVENT_MISTAKES = {
    "counts and events": (
        {"counts": "c.fits"},
        "datasets.crab must have either counts or simulate or events or runs or observations or healpix",
    ),
    "no centre": (
        {"geometry": {key: GEOMETRY[key] for key in ("width", "pixel_size")}},
        "datasets.crab.geometry lacks the key center",
    ),
    "map and centre": (
        {"geometry": {"as": "m.fits", "center": ["0 deg", "0 deg"]}},
        "datasets.crab.geometry.center is no known key (known here: as)",
    ),
    "projection that is none": (
        {"geometry": {**GEOMETRY, "projection": "AIT"}},
        "datasets.crab.geometry.projection must be one of TAN, CAR, got 'AIT'",
    ),
    "frame that is none": (
        {"geometry": {**GEOMETRY, "frame": "fk5"}},
        "datasets.crab.geometry.frame must be one of icrs, galactic, got 'fk5'",
    ),
    "unknown key of a geometry": (
        {"geometry": {**GEOMETRY, "projektion": "TAN"}},
        "datasets.crab.geometry.projektion is no known key (did you mean projection?)",
    ),
    "pixels of no size": (
        {"geometry": {**GEOMETRY, "pixel_size": "0 deg"}},
        "datasets.crab.geometry.pixel_size must be more than 0",
    ),
    "too many pixels": (
        {"geometry": {**GEOMETRY, "pixel_size": "0.1 arcsec"}},
        "datasets.crab.geometry.width is 7.2e+04 x 3.6e+04 pixels of pixel_size: it must be 1 to 20000 on each side",
    ),
    "centre beyond the pole": (
        {"geometry": {**GEOMETRY, "center": ["0 deg", "91 deg"]}},
        "datasets.crab.geometry.center.1 must be a latitude, got 91 deg",
    ),
    "file that stands twice": (
        {"events": ["no.fits", "other.fits", "no.fits"]},
        "datasets.crab.events: no.fits stands there twice",
    ),
    "no files": ({"events": []}, "datasets.crab.events must not be empty"),
    "energies without a unit": (
        {"cuts": {"energy": ["0.5", "10 TeV"]}},
        "datasets.crab.cuts.energy.0 must be an energy with its unit, such as '0.5 TeV', got '0.5'",
    ),
    "energy as a number": (
        {"cuts": {"energy": [0.5, "10 TeV"]}},
        "datasets.crab.cuts.energy.0 must be an energy with its unit, such as '0.5 TeV', got 0.5",
    ),
    "energies that fall": (
        {"cuts": {"energy": ["1 TeV", "500 GeV"]}},
        "datasets.crab.cuts.energy must grow, got 1 TeV, 500 GeV",
    ),
    "one energy": ({"cuts": {"energy": ["1 TeV"]}}, "datasets.crab.cuts.energy must have 2 items, got 1"),
    "no limit": ({"cuts": {"energy": [None, None]}}, "datasets.crab.cuts.energy has no limit: leave it out"),
    "no date": (
        {"cuts": {"time": ["yesterday", None]}},
        "datasets.crab.cuts.time.0 must be a date such as '2004-12-04T22:00:00', or a modified Julian date as a number"
        ", got 'yesterday'",
    ),
    "day that is none": ({"cuts": {"time": ["2004-02-31", None]}}, "datasets.crab.cuts.time: '2004-02-31' is no date"),
    "times that fall": (
        {"cuts": {"time": ["2004-12-05", 53343]}},
        "datasets.crab.cuts.time must grow, got 2004-12-05, 53343",
    ),
    "zenith angles that fall": (
        {"cuts": {"zenith": ["60 deg", "0 deg"]}},
        "datasets.crab.cuts.zenith must grow, got 60 deg, 0 deg",
    ),
    "offset without a unit": (
        {"cuts": {"offset": "2"}},
        "datasets.crab.cuts.offset must be a length with its unit, such as '0.3 deg', got '2': no unit",
    ),
    "unknown cut": (
        {"cuts": {"enrgy": ["1 TeV", None]}},
        "datasets.crab.cuts.enrgy is no known key (did you mean energy?)",
    ),
    "no cuts": ({"cuts": {}}, "datasets.crab.cuts must not be empty"),
}


@pytest.mark.parametrize(("entry", "line"), EVENT_MISTAKES.values(), ids=EVENT_MISTAKES)
def test_a_mistake_about_events_is_one_line(entry, line):
    assert event_mistakes(**entry) == [line]


def test_events_need_a_geometry():
    with pytest.raises(ConfigurationError, match=r"crab has events, and no geometry that says on which pixels"):
        settings_of(datasets={"crab": {"events": "no.fits"}})


@pytest.mark.parametrize("key", ["geometry", "cuts"])
def test_geometry_and_cuts_need_events(key):
    value = {"geometry": GEOMETRY, "cuts": {"offset": "2 deg"}}[key]
    beside = {"geometry": "events, runs or observations", "cuts": "events"}[key]
    with pytest.raises(ConfigurationError, match=f"datasets.crab.{key} stands beside {beside} only"):
        settings_of(datasets=crab(**{key: value}))


def test_every_file_of_events_must_exist(tmp_path):
    geometry = {"as": str(tmp_path / "map.fits")}
    cuts = {"good_time_intervals": str(tmp_path / "gti.fits") + "[GTI]"}
    entry = {"events": [str(tmp_path / "a.fits")], "geometry": geometry, "cuts": cuts}
    with pytest.raises(ConfigurationError) as error:
        settings_of(datasets={"crab": entry})
    keys = ["events.0", "geometry.as", "cuts.good_time_intervals"]
    assert [line.split(":")[0] for line in lines_of(error)] == [f"datasets.crab.{key}" for key in keys]


def test_dates_that_yaml_makes_of_texts_are_texts_again(tmp_path):
    path = tmp_path / "events.fits"
    path.write_bytes(b"")
    cuts = yaml.safe_load("{time: [2004-12-04, 2004-12-04T22:00:00+01:00]}")
    entry = {"events": str(path), "geometry": GEOMETRY, "cuts": cuts}
    assert settings_of(datasets={"crab": entry})["crab"]["cuts"]["time"] == ["2004-12-04", "2004-12-04T21:00:00"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"c.yaml is no YAML: .*line 1"),
        ("- a\n", "c.yaml holds no keys"),
        ("", "c.yaml holds no keys"),
        ("a: 1\na: 2\n", "a stands twice"),
    ],
)
def test_configuration_that_is_none_is_refused(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        configuration.read_configuration(tmp_path / "c.yaml")


def test_a_configuration_is_what_snakemake_reads():
    path = ROOT / "config.yaml"
    assert configuration.read_configuration(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


def test_schema_is_found_without_being_named():
    assert configuration.load_schema() == SCHEMA


RUN_MISTAKES = {
    "acceptance beside runs": (
        {"acceptance": "a.fits"},
        "datasets.crab.acceptance cannot stand beside runs: every run has its own",
    ),
    "same counts": (
        {"runs": [{"run": "a", "counts": "c.fits"}, {"run": "b", "counts": "c.fits"}]},
        "datasets.crab.runs: c.fits stands there twice",
    ),
    "same name": (
        {"runs": [{"counts": "c.fits"}, {"counts": "d/c.fits"}]},
        "datasets.crab.runs: c is the name of two runs: give each its own key run",
    ),
    "no counts": ({"runs": [{"acceptance": "c.fits"}]}, "datasets.crab.runs.0 lacks the key counts"),
    "no runs": ({"runs": []}, "datasets.crab.runs must not be empty"),
    "unknown key": (
        {"runs": [{"counts": "c.fits", "acceptence": "c.fits"}]},
        "datasets.crab.runs.0.acceptence is no known key (did you mean acceptance?)",
    ),
    "counts and runs": (
        {"counts": "c.fits"},
        "datasets.crab must have either counts or simulate or events or runs or observations or healpix",
    ),
    "unknown stacking": (
        {"stacking": "counts"},
        "datasets.crab.stacking must be one of variance, counts_off, got 'counts'",
    ),
    "kernel of a bin": (
        {"energy_kernels": [{"background_kernel": {"shape": "ring", "inner_radius": "3 px", "width": "1 deg"}}]},
        "datasets.crab.energy_kernels.0.background_kernel: inner_radius and width must both be angles or both px",
    ),
    "unknown kernel of a bin": (
        {"energy_kernels": [{"radius": "3 px"}]},
        "datasets.crab.energy_kernels.0.radius is no known key (known here: source_kernel, background_kernel)",
    ),
}


@pytest.mark.parametrize(("entry", "line"), RUN_MISTAKES.values(), ids=RUN_MISTAKES)
def test_a_mistake_about_runs_is_one_line(tmp_path, monkeypatch, entry, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    for name in ("a.fits", "c.fits", "d/c.fits"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConfigurationError) as error:
        settings_of(datasets={"crab": {"runs": [{"counts": "c.fits"}]} | entry})
    assert lines_of(error) == [line]


def test_runs_may_stand_in_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.fits", "b.fits.gz", "acceptance.fits"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "runs.csv").write_text("run,counts,acceptance\n7,a.fits,acceptance.fits[A]\n,b.fits.gz,\n")
    runs = settings_of(datasets={"crab": {"runs": "runs.csv"}})["crab"]["runs"]
    assert runs == [
        {"run": "7", "counts": "a.fits", "acceptance": "acceptance.fits[A]"},
        {"run": "b", "counts": "b.fits.gz"},
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("counts\n", "datasets.crab.runs: the table runs.csv has no rows"),
        ("run\n1\n", "datasets.crab.runs: the table runs.csv has no column 'counts', only run"),
        ("counts,run\na.fits\n", "datasets.crab.runs: line 2 of runs.csv has not as many cells as the header"),
        (None, "datasets.crab.runs: the table runs.csv cannot be read"),
    ],
)
def test_bad_table_of_runs_is_one_line(tmp_path, monkeypatch, table, message):
    monkeypatch.chdir(tmp_path)
    if table is not None:
        (tmp_path / "runs.csv").write_text(table)
    with pytest.raises(ConfigurationError, match=message):
        settings_of(datasets={"crab": {"runs": "runs.csv"}})


@pytest.mark.parametrize("name", ["a{b}.fits", "a}.fits", "<results>/a.fits"])
def test_a_path_that_snakemake_takes_for_a_pattern_is_refused(name):
    with pytest.raises(
        ConfigurationError, match=r"^datasets.crab.counts: Snakemake takes .* for its own: rename the file"
    ):
        settings_of(datasets={"crab": {"counts": name}})


@pytest.mark.parametrize(("ahead", "text"), [(90, "90 s"), (3600, "60 min"), (8 * 3600, "8 h"), (864000, "10 days")])
def test_a_file_whose_time_lies_in_the_future_is_refused(tmp_path, monkeypatch, ahead, text):
    (tmp_path / "a.fits").touch()
    monkeypatch.setattr(time, "time", lambda: (tmp_path / "a.fits").stat().st_mtime - ahead)
    with pytest.raises(ConfigurationError) as error:
        settings_of(datasets={"crab": {"counts": str(tmp_path / "a.fits")}})
    (line,) = lines_of(error)
    assert line.startswith(f"datasets.crab.counts: the time of {tmp_path}/a.fits lies {text} in the future")
    assert "`touch` the file" in line


def test_a_clock_may_be_half_a_second_late(tmp_path, monkeypatch):
    (tmp_path / "a.fits").touch()
    monkeypatch.setattr(time, "time", lambda: (tmp_path / "a.fits").stat().st_mtime - 0.5)
    settings_of(datasets={"crab": {"counts": str(tmp_path / "a.fits")}})


def test_shards_part_the_datasets_but_never_a_group():
    groups = configuration.groups([f"field-{k}" for k in range(100)], 7)
    shards = [configuration.shard(groups, f"{k}/3") for k in (1, 2, 3)]
    assert sorted(name for shard in shards for name in shard) == sorted(groups)
    members = [set(shard.values()) for shard in shards]
    assert sum(map(len, members)) == len(set().union(*members)) == 7


def test_no_shard_is_everything():
    assert configuration.shard({"a": "a"}, None) == {"a": "a"}
