"""Values of the configuration: numbers, truths and names are read as people write them, or refused with the way to."""

import re

import pytest
import yaml
from conftest import KERNELS, field_with_source, write_config, write_map
from hypothesis import given, settings
from hypothesis import strategies as st

from skymask.config.configuration import (
    dataset_settings,
    figure_settings,
    load_schema,
    option,
    plot_settings,
    read_configuration,
)
from skymask.config.values import _is_clear, check_as_written, typed
from skymask.errors import ConfigurationError

SCHEMA = load_schema()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a map, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_map("a.fits", field_with_source())
    return tmp_path


def read(text):
    """The complete settings of the datasets in a YAML text."""
    with open("c.yaml", "w", encoding="utf-8") as file:
        file.write(yaml.safe_dump(KERNELS) + text)
    return dataset_settings(read_configuration("c.yaml"), SCHEMA)


def settings_of(**changes):
    return dataset_settings({"datasets": {"a": {"counts": "a.fits"}}, **KERNELS, **changes}, SCHEMA)["a"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-2", 0.01), ("1e1", 10), ("5.0e0", 5), ("5.0E0", 5), (".5", 0.5), ("1.", 1), ("5", 5), ("010", 10), ("+3", 3)],
)
def test_the_text_of_a_number_is_the_number(text, number):
    assert typed({"background_systematic": text}, SCHEMA) == {"background_systematic": number}


@pytest.mark.parametrize("text", ["1e-1", "5.0e0", "1e1"])
def test_numbers_that_yaml_takes_for_texts_are_numbers(here, text):
    entry = read(f"threshold: {text}\ndatasets: {{a: {{counts: a.fits}}}}\n")["a"]
    assert entry["threshold"] == float(text)


def test_a_command_gives_texts_of_everything(here):
    entry = settings_of(
        threshold="4",
        threshold_low="null",
        threshold_in_widths="true",
        convergence={"max_iterations": "5", "on_cycle": "last"},
        exclusion_regions="[{shape: circle, center: [83 deg, 22 deg], radius: 1 deg}]",
    )
    assert (entry["threshold"], entry["threshold_low"], entry["threshold_in_widths"]) == (4, None, True)
    assert (entry["convergence"]["max_iterations"], entry["convergence"]["on_cycle"]) == (5, "last")
    assert entry["exclusion_regions"][0]["radius"] == [1.0, "deg"]


def test_whole_floats_are_whole_numbers(here):
    entry = settings_of(min_pixels=3.0, null_simulations={"number": 4.0, "seed": 3.0})
    assert [type(entry["min_pixels"]), type(entry["null_simulations"]["number"])] == [int, int]
    assert repr(option({"checkpoint_groups": 3.0}, SCHEMA, "checkpoint_groups")) == "3"
    assert repr(plot_settings({"plots": {"dpi": "80"}}, SCHEMA)["dpi"]) == "80"
    figures = {1: {"dataset": "a", "kind": "strips", "strips": 2.0}}
    assert repr(figure_settings({"figures": figures}, SCHEMA, ["a"])["1"]["strips"]) == "2"


def test_names_of_kernels_may_be_numbers(here):
    kernels = settings_of(further_source_kernels={1: {"shape": "disk", "radius": "3 px"}})["further_source_kernels"]
    assert list(kernels) == ["1"]


@pytest.mark.parametrize("which", ["0/3", "3", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none_is_told_with_one_that_is(here, which):
    line = rf"^shard must be k/n with k from 1 to n, such as '1/8', or null, got '{re.escape(which)}'$"
    with pytest.raises(ConfigurationError, match=line):
        settings_of(shard=which)


# Names.


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("023501", "the number 10049"),
        ("12:30", "the number 750"),
        ("0x10", "the number 16"),
        ("1_000", "the number 1000"),
        ("1.50", "the number 1.5"),
        ("on", "true"),
        ("No", "false"),
        ("~", "nothing"),
        ("null", "nothing"),
        ("0b11", "the number 3"),
    ],
)
def test_a_name_that_yaml_takes_for_something_else_is_told_to_be_quoted(here, text, read_as):
    line = re.escape(
        f"datasets.{text}: YAML takes this name for {read_as}: write it in quotes, '{text}', in c.yaml (line"
    )
    with pytest.raises(ConfigurationError, match=line):
        read(f"datasets:\n  {text}: {{counts: a.fits}}\n")


@pytest.mark.parametrize("name", ["10049", "1.5", "a1", "2004-03-26", "1e3", "-5"])
def test_a_name_that_is_what_it_says_needs_no_quotes(here, name):
    text = f"datasets:\n  {name}: {{counts: a.fits}}\n"
    if name == "-5":
        with pytest.raises(ConfigurationError, match="unsafe name '-5'"):
            read(text)
    else:
        assert list(read(text)) == [name]


def test_names_that_only_yaml_has_for_the_same_are_a_dataset_each(here):
    entries = read("datasets: {'023501': {counts: a.fits}, 10049: {counts: a.fits}}\n")
    assert sorted(entries) == ["023501", "10049"]


@pytest.mark.parametrize("names", [("1", "'1'"), ("1", "1.0"), ("a", "a"), ("1", "0b1"), ("true", "on")])
def test_names_that_become_one_are_refused(here, names):
    text = "datasets:\n" + "".join(f"  {name}: {{counts: a.fits}}\n" for name in names)
    with pytest.raises(ConfigurationError, match=r"stands twice in c\.yaml|YAML takes this name"):
        read(text)


A = "\ndatasets: {a: {counts: a.fits}}"
RUN = "datasets: {{a: {{runs: [{{run: {}, counts: a.fits}}]}}}}".format

#: Texts of configurations, and what is said of them.
IDENTIFIERS = {
    "run": (
        RUN("020136"),
        "datasets.a.runs.0.run: YAML takes 020136 for the number 8286: write it in quotes, '020136'",
    ),
    "version": (RUN("1.50"), "datasets.a.runs.0.run: YAML takes 1.50 for the number 1.5: write it in quotes, '1.50'"),
    "truth": (RUN("on"), "datasets.a.runs.0.run: YAML takes on for true: write it in quotes, 'on', in c.yaml (line"),
    "obs_ids": (
        "datasets: {a: {observations: {store: s, obs_ids: [020136]}}}",
        "datasets.a.observations.obs_ids.0: YAML takes 020136 for the number 8286: write it in quotes, '020136', if it "
        "is a name, and a number without leading zeros",
    ),
    "angle": (
        f"exclusion_regions: [{{shape: circle, center: [20:00:00, 0 deg], radius: 1 deg}}]{A}",
        "exclusion_regions.0.center.0: YAML takes 20:00:00 for the number 72000: in quotes, '20:00:00', it is a text; "
        "angles are written in degrees, as in '83.63 deg'",
    ),
    "number": (f"threshold: 0x5{A}", "threshold: YAML takes 0x5 for the number 5: write"),
    "seconds": (f"threshold: 1:30{A}", "threshold: YAML takes 1:30 for the number 90: write"),
}


@pytest.mark.parametrize(("text", "line"), IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_what_yaml_reads_otherwise_than_it_is_written_is_told(here, text, line):
    with pytest.raises(ConfigurationError, match=re.escape(line)):
        read(text)


@pytest.mark.parametrize("run", ["20136", "'020136'", '"1.50"', "2004-03-26", "off-axis"])
def test_identifiers_are_as_they_are_written(here, run):
    (found,) = read(f"datasets: {{a: {{runs: [{{run: {run}, counts: a.fits}}]}}}}")["a"]["runs"]
    assert found["run"] == run.strip("'\"")


plain = st.text("0123456789abcdefoxnyesOFtrul~.:_+-", min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(plain)
def test_any_name_is_as_it_is_written_or_told_to_be_quoted(name):
    text = f"datasets:\n  {name}: {{counts: a.fits}}\n"
    try:
        node = yaml.compose(text)
        key = node.value[0][1].value[0][0]
    except (yaml.YAMLError, IndexError, AttributeError, ValueError):
        return
    if getattr(key, "value", None) != name:
        return
    try:
        check_as_written(text, "c.yaml", SCHEMA)
    except ConfigurationError as error:
        quoted = re.search(r"write it in quotes, ('.*'), in c\.yaml", str(error))[1]
        text = text.replace(f"  {name}:", f"  {quoted}:")
        check_as_written(text, "c.yaml", SCHEMA)
    config = typed(yaml.safe_load(text), SCHEMA)
    assert list(config["datasets"]) == [name]


@settings(max_examples=100, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20))
def test_any_number_is_the_same_in_a_file_a_table_and_a_command(number):
    text = repr(number)
    assert typed({"threshold": text}, SCHEMA)["threshold"] == number
    assert typed(yaml.safe_load(f"threshold: {text}"), SCHEMA)["threshold"] == number


# What references can do.


@pytest.mark.parametrize(
    "text", ["a: &x [*x]\n", "a: &x {b: *x}\n", "a: &x\n  b: [1, {c: *x}]\n"], ids=["list", "mapping", "below"]
)
def test_a_collection_that_holds_itself_is_refused(here, text):
    with pytest.raises(ConfigurationError, match=r"^c\.yaml has a collection that holds itself \(line \d+\)$"):
        read(text)


def test_references_that_multiply_are_refused(here):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(
        ConfigurationError, match=r"^c\.yaml makes \d+ values of its references, and 1000000 are possible"
    ):
        read("\n".join(lines))


def test_a_chain_of_references_is_no_deeper_than_what_is_written_out(here):
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2000))]
    with pytest.raises(ConfigurationError, match=r"^c\.yaml is nested in more than 100 levels \(line \d+\)$"):
        read("\n".join(lines))


def test_what_is_said_once_for_several_datasets_may_be_merged(here):
    text = "datasets:\n  a: &a {counts: a.fits, threshold: 1e1}\n  b: {<<: *a, min_pixels: 3}\n"
    assert [entry["threshold"] for entry in read(text).values()] == [10, 10]


# Paths.


def test_a_home_folder_is_filled_in(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    write_map(here / "mask.fits", field_with_source() * 0 + 1)
    entry = settings_of(datasets={"a": {"counts": "~/a.fits", "exclusion_mask": "~/mask.fits[PRIMARY]"}})
    assert (entry["counts"], entry["exclusion_mask"]) == (f"{here}/a.fits", f"{here}/mask.fits[PRIMARY]")


def test_a_home_folder_is_filled_in_in_tables(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    (here / "runs.csv").write_text("counts\n~/a.fits\n")
    (here / "t.csv").write_text("dataset,runs\na,~/runs.csv\n")
    assert settings_of(datasets="~/t.csv")["runs"][0]["counts"] == f"{here}/a.fits"


@pytest.mark.parametrize("name", ["$HOME/a.fits", "${HOME}/a.fits", "data/$RUN.fits"])
def test_variables_are_said_not_to_be_filled_in(here, name):
    with pytest.raises(
        ConfigurationError, match=r"does not exist, and variables such as \$\S+ are not filled in: write"
    ):
        settings_of(datasets={"a": {"counts": name}})


def test_a_file_with_a_dollar_in_its_name_is_a_file(here):
    write_map("$x.fits", field_with_source())
    assert settings_of(datasets={"a": {"counts": "$x.fits"}})["counts"] == "$x.fits"


def test_a_name_that_is_too_long_is_one_line(here):
    with pytest.raises(ConfigurationError, match=r"^datasets\.a\.counts: x+ does not exist \(looked in .*\)$"):
        settings_of(datasets={"a": {"counts": "x" * 300}})


# Tables can say what YAML can.


def test_a_table_says_what_yaml_can(here):
    (here / "t.csv").write_text(
        "dataset,counts,events,geometry.as,cuts.time,cuts.energy,scan.source_kernel.radius,threshold,threshold_in_widths\n"
        'a,a.fits,,,,,"[2 px, 3 px]",5.0E0,TRUE\n'
        'e,,"[a.fits, ""a.fits[EVENTS]""]",a.fits,"[2004-03-26, 53100.5]","[1 TeV, null]",,1e1,no\n'
    )
    entries = dataset_settings({"datasets": "t.csv", **KERNELS}, SCHEMA)
    assert entries["a"]["scan"] == {"source_kernel.radius": [[2.0, "px"], [3.0, "px"]]}
    assert (entries["a"]["threshold"], entries["a"]["threshold_in_widths"]) == (5, True)
    events = entries["e"]
    assert events["events"] == ["a.fits", "a.fits[EVENTS]"]
    assert events["cuts"] == {"time": ["2004-03-26", 53100.5], "energy": ["1 TeV", None]}
    assert (events["threshold"], events["threshold_in_widths"]) == (10, False)


def test_an_energy_bin_of_a_table_is_a_number(here):
    (here / "t.csv").write_text("dataset,counts,energy_bin\na,a.fits,1\n")
    assert dataset_settings({"datasets": "t.csv", **KERNELS}, SCHEMA)["a"]["energy_bin"] == 1


@pytest.mark.parametrize(
    ("cell", "got"), [("1:30", "1:30"), ("0x10", "0x10"), ("1_000", "1_000"), ("5 sigma", "5 sigma")]
)
def test_a_cell_that_is_no_number_is_told_as_it_is_written(here, cell, got):
    (here / "t.csv").write_text(f"dataset,counts,threshold\na,a.fits,{cell}\n")
    with pytest.raises(ConfigurationError, match=f"^datasets.a.threshold must be a number, got '{cell}'$"):
        dataset_settings({"datasets": "t.csv", **KERNELS}, SCHEMA)


def test_the_configuration_of_a_test_is_read_as_it_is_written(here):
    write_config("c.yaml", datasets={"a": {"counts": "a.fits"}})
    assert list(read_configuration("c.yaml")["datasets"]) == ["a"]


@settings(max_examples=100, deadline=None)
@given(plain | st.text("0123456789.:eE+-_xob", min_size=1, max_size=5), st.booleans())
def test_what_is_found_clear_fast_is_read_as_it_is_written(text, is_key):
    whole = f"{text}: a" if is_key else f"a: {text}"
    try:
        node = yaml.compose(whole).value[0][0 if is_key else 1]
        clear = _is_clear(yaml.parse(whole))
    except (yaml.YAMLError, AttributeError, IndexError, TypeError, ValueError):
        return
    if clear and node.id == "scalar":
        assert str(yaml.safe_load(whole)["a"] if not is_key else next(iter(yaml.safe_load(whole)))) == node.value
