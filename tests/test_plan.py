"""The plan of a configuration: what each rule is given, and what its answer depends on."""

import copy
from types import SimpleNamespace

import pytest
from conftest import KERNELS, REPOSITORY, field_with_source, write_map

from skymask.config import configuration
from skymask.workflow import plan, planning, resources

SCHEMA = configuration.load_schema()

#: Another value of every analysis key, with files that `folder` makes.
OTHER = {
    "background_kernel": {"shape": "array", "path": "kernel.fits"},
    "background_systematic": 0.1,
    "convergence": {"max_iterations": 3},
    "dilation_radius": "0.2 deg",
    "exclusion_regions": [{"file": "regions.reg"}],
    "further_source_kernels": {"small": {"shape": "disk", "radius": "0.1 deg"}},
    "limits": {"confidence_level": 0.9},
    "mask_source_kernels": [{"shape": "disk", "radius": "0.1 deg"}],
    "mask_update": "grow",
    "max_hole_pixels": 3,
    "min_acceptance_fraction": 0.1,
    "min_pixels": 2,
    "null_simulations": {"number": 3},
    "quality": {"off_source_mean": 0.5},
    "region_growth": {"law": "size", "factor": 0.5, "max_radius": "1 deg"},
    "scan": {"threshold": [4, 5]},
    "source_kernel": {"shape": "disk", "radius": "0.2 deg"},
    "starved_pixels": "use",
    "statistic": "cash",
    "threshold": 4,
    "threshold_in_widths": True,
    "threshold_low": 3,
}

#: Keys that say nothing of a dataset that has one map.
OF_OTHERS = {"energy_kernels", "energy_masks", "energy_range", "spectral_index", "stacking"}

#: Another value of every key of data that stands beside counts.
DATA = ("acceptance", "additive_background", "background", "coverage", "exclusion_mask")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("counts", "other", "kernel"):
        write_map(f"{name}.fits", field_with_source() if name != "kernel" else [[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    (tmp_path / "regions.reg").write_text("icrs\ncircle(83.6, 22, 0.2)\n")
    return tmp_path


def plan_of(**entry):
    return planning.make_plan({**KERNELS, "datasets": {"a": {"counts": "counts.fits", **entry}}})


def wildcards(**values):
    return SimpleNamespace(**{"dataset": "a", "iteration": "1", **values}, get=lambda key: values.get(key))


def answers(made):
    """Return all that the rules of a dataset depend on, apart from files of other rules."""
    here = wildcards()
    of_rules = {rule: (made.settings_of(rule)(here), made.identity_of(rule)(here)) for rule in plan.NEEDS}
    return {
        **of_rules,
        "prepare_dataset": (*of_rules["prepare_dataset"], made.data_hdus(here), made.run_settings(here)),
        "check_convergence": made.convergence_settings(wildcards(group="a")),
        "record_status": made.whole_entry(here),
        "scan": made.scans,
        "further": made.settings["a"]["further_source_kernels"],
    }


def test_every_analysis_key_has_another_value_here():
    keys = set(SCHEMA["properties"]) & set(configuration.dataset_schema(SCHEMA)["properties"])
    assert keys - OF_OTHERS == set(OTHER)


@pytest.mark.parametrize("key", sorted(OTHER))
def test_a_changed_setting_is_seen_by_a_rule_other_than_the_status(folder, key):
    before, after = answers(plan_of()), answers(plan_of(**{key: OTHER[key]}))
    # The thresholds of quality are those of the verdict, which is in the status.
    seen = [rule for rule in before if before[rule] != after[rule] and (rule != "record_status" or key == "quality")]
    assert seen


@pytest.mark.parametrize("key", DATA)
def test_a_further_file_of_data_is_seen_by_the_rule_that_reads_it(folder, key):
    assert answers(plan_of())["prepare_dataset"] != answers(plan_of(**{key: "other.fits"}))["prepare_dataset"]


@pytest.mark.parametrize(
    ("entry", "file", "rule"),
    [
        ({}, "counts.fits", "prepare_dataset"),
        *(({key: "other.fits"}, "other.fits", "prepare_dataset") for key in DATA),
        ({"background_kernel": OTHER["background_kernel"]}, "kernel.fits", "estimate_background"),
        ({"background_kernel": OTHER["background_kernel"]}, "kernel.fits", "compute_products"),
        ({"source_kernel": OTHER["background_kernel"]}, "kernel.fits", "compute_significance"),
        ({"source_kernel": OTHER["background_kernel"]}, "kernel.fits", "plot_dataset"),
        ({"exclusion_regions": OTHER["exclusion_regions"]}, "regions.reg", "prepare_dataset"),
    ],
)
def test_a_file_that_is_replaced_is_seen_by_the_rule_that_reads_it(folder, entry, file, rule):
    before = plan_of(**entry).identity_of(rule)(wildcards())
    path = folder / file
    path.write_bytes(path.read_bytes() + b" ")
    assert plan_of(**entry).identity_of(rule)(wildcards()) != before
    assert file in plan_of(**entry).files_of(rule)(wildcards())


def test_the_grid_of_runs_is_seen_by_the_rule_that_puts_them_on_it(folder):
    runs = [{"run": "x", "counts": "counts.fits"}]
    entry = {"runs": runs, "geometry": {"as": "other.fits"}}
    made = planning.make_plan({**KERNELS, "datasets": {"a": entry}})
    assert "other.fits" in made.files_of("prepare_dataset")(wildcards())
    assert "geometry.as" in made.identity_of("prepare_dataset")(wildcards())


def test_a_further_source_kernel_sees_its_own_file_and_no_other(folder):
    kernels = {"own": OTHER["background_kernel"], "other": {"shape": "array", "path": "other.fits"}}
    made = plan_of(further_source_kernels=kernels)
    here = wildcards(kernel="own")
    assert "kernel.fits" in made.files_of("compute_further_significance")(here)
    assert "other.fits" not in made.files_of("compute_further_significance")(here)


def test_a_rule_is_given_no_other_settings_than_it_needs(folder):
    found = plan_of().settings_of("update_exclusion_mask")(wildcards())
    assert set(found) == set(plan.MASK_KEYS)


def test_all_errors_are_told_at_once(folder):
    config = {**KERNELS, "threshold": -1, "datasets": {"a": {"counts": "nowhere.fits"}, "b": {"counts": "counts.fits"}}}
    config["plots"] = {"significance_limits": [5, 1]}
    with pytest.raises(configuration.ConfigurationError) as raised:
        planning.make_plan(config)
    assert {"threshold", "plots.significance_limits"} <= {
        line.split(" ")[0].rstrip(":") for line in str(raised.value).splitlines()
    }


def test_jobs_of_a_later_stage_come_first(folder):
    made = plan_of()
    ranks = [made.priority(rule)(wildcards()) for rule in ("prepare_dataset", "compute_products", "render_page")]
    assert ranks == sorted(ranks)


def test_jobs_of_an_earlier_group_come_before_those_of_a_later_one(folder):
    made = planning.make_plan({**KERNELS, "datasets": {name: {"counts": "counts.fits"} for name in "ab"}})
    first, second = (made.priority("prepare_dataset")(wildcards(dataset=name, group=name)) for name in "ab")
    assert first > second + len(resources.STAGES) - 1


def test_memory_told_is_memory_asked_for(folder):
    made = plan_of()
    rule, told = made.largest_job("a")
    assert told == made.memory(rule)(wildcards(), {"masks": ["a", "b", "c"]}, 1)


def test_every_rule_of_a_dataset_has_a_stage_and_every_stage_a_rule():
    text = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    asked = {line.split('"')[1] for line in text.splitlines() if "plan.priority(" in line}
    assert asked == set(resources.STAGES)


def test_a_module_keeps_files_where_its_prefix_puts_them(folder):
    (folder / "sub").mkdir()
    write_map("sub/counts.fits", field_with_source())
    config = {**KERNELS, "datasets": {"a": {"counts": "counts.fits", "coverage": "mask.fits[COVERAGE]"}}}
    made = planning.make_plan(copy.deepcopy(config), moved=lambda path: f"sub/{path}")
    assert made.settings["a"]["counts"] == "sub/counts.fits"
    assert made.settings["a"]["coverage"] == "sub/mask.fits[COVERAGE]"
    # Snakemake adds the prefix to inputs itself.
    assert made.data_files(wildcards()) == {"counts": "counts.fits", "coverage": "mask.fits"}
