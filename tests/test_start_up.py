"""What a job imports is most of its time on small maps: scripts load no more than they need."""

import subprocess
import sys

import pytest
from conftest import KERNELS, REPOSITORY, field_with_source, write_map

#: Modules whose import is felt.
HEAVY = {
    "numpy",
    "scipy",
    "astropy.io.fits",
    "astropy.units",
    "astropy.wcs",
    "astropy.coordinates",
    "astropy.table",
    "matplotlib",
    "jinja2",
    "jsonschema",
    "regions",
    "yaml",
}

#: Maps and their sky coordinates, which come with tables, and tables with YAML.
SKY = {"numpy", "astropy.io.fits", "astropy.units", "astropy.wcs", "astropy.coordinates", "astropy.table", "yaml"}

#: What each script may import before it has done anything.
ALLOWED = {
    "bin_events": SKY,
    "check_convergence": set(),
    "compare_settings": SKY | {"matplotlib", "jinja2"},
    "compute_energy_bins": SKY,
    "compute_further_significance": SKY,
    "catalogue_regions": SKY,
    "compute_limits": SKY,
    "compute_products": SKY,
    "compute_significance": SKY,
    "cut_field": SKY,
    "draw_curves": SKY | {"matplotlib"},
    "draw_maps": SKY | {"matplotlib"},
    "estimate_background": SKY,
    "join_energy_bins": SKY,
    "make_run_maps": SKY,
    "join_fields": SKY,
    "plot_dataset": SKY,
    "plot_sky": SKY | {"matplotlib"},
    "prepare_dataset": SKY,
    "record_status": set(),
    "render_page": SKY | {"jinja2"},
    "render_report": {"jinja2"},
    "report_failures": set(),
    "simulate_counts": SKY,
    "simulate_null": SKY,
    "summarize_datasets": set(),
    "try_settings": SKY,
    "update_exclusion_mask": SKY,
}

PREAMBLE = """
import sys
sys.path[:0] = ["scripts", "."]
import {script} as job
"""

LOADED = """
print(*sorted(sys.modules.keys() & {heavy!r}))
"""

#: The maps of a loop's scripts, and what they are called with.
LOOP = {
    "prepare_dataset": """job.prepare_dataset(
    dataset="field", notes=[], files={{"counts": "{folder}/map.fits"}}, runs={{}},
    settings={{**kernels, "exclusion_regions": [], "min_acceptance_fraction": 0, "dilation_radius": "0.15 deg",
    "energy_kernels": []}}, output={{"counts": "{folder}/counts.fits", "acceptance": "{folder}/acceptance.fits",
    "exclusion_mask": "{folder}/mask-0.fits", "inspection": "{folder}/inspection.json"}},
)""",
    "estimate_background": """job.write_background(
    iteration=0, counts="{folder}/counts.fits", acceptance="{folder}/acceptance.fits",
    exclusion_mask="{folder}/mask-0.fits", kernels=kernels, stack={{}}, output="{folder}/background-0.fits",
)""",
    "compute_significance": """job.write_significance(
    counts="{folder}/counts.fits", acceptance="{folder}/acceptance.fits", background="{folder}/background-0.fits",
    source_kernels=[kernels["source_kernel"]], options={{"statistic": "wstat"}}, output="{folder}/significance.fits",
)""",
    "update_exclusion_mask": """job.write_exclusion_mask(
    dataset="field", iteration=1, significance="{folder}/significance.fits", acceptance="{folder}/acceptance.fits",
    user_mask="{folder}/mask-0.fits", previous_mask="{folder}/mask-0.fits", dilation_radius="0.15 deg",
    options={{"threshold": 5, "region_growth": None, "mask_update": "replace", "starved_pixels": "keep"}},
    output="{folder}/mask-1.fits", record="{folder}/record.json",
)""",
}


def loaded_by(script, body=""):
    """Return the heavy modules that a script has loaded in a process of its own, after running `body`."""
    code = PREAMBLE.format(script=script) + body + LOADED.format(heavy=HEAVY)
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode == 0, process.stderr
    return set(process.stdout.split())


def test_every_script_is_listed():
    assert {path.stem for path in (REPOSITORY / "scripts").glob("*.py")} == set(ALLOWED)


@pytest.mark.parametrize("allowed", sorted({tuple(sorted(allowed)) for allowed in ALLOWED.values()}))
def test_script_imports_no_more_than_it_needs(allowed):
    # Those that may load the same load it in one process: what any of them loads, all of them have loaded.
    scripts = [script for script in ALLOWED if ALLOWED[script] == set(allowed)]
    first, *others = scripts
    loaded = loaded_by(first, "".join(f"import {script}\n" for script in others))
    assert loaded - set(allowed) == set(), scripts


def test_an_iteration_loads_maps_and_nothing_else_while_it_runs(tmp_path):
    write_map(tmp_path / "map.fits", field_with_source())
    kernels = {key: KERNELS[key] for key in ("source_kernel", "background_kernel")} | {"statistic": "wstat"}
    for script, call in LOOP.items():
        loaded = loaded_by(script, f"kernels = {kernels!r}\n" + call.format(folder=tmp_path))
        assert loaded <= SKY, script
