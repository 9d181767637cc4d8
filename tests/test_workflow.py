"""The workflow as people run it: whole runs on small maps through the snakemake command."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import QTable
from conftest import (
    KERNELS,
    MODULE,
    REPOSITORY,
    field_with_source,
    products,
    sky_header,
    snakemake,
    write_config,
    write_map,
)
from rule_graph import canonical, in_page

import skymask
from skymask.cli.check import number_of_jobs
from skymask.config import configuration
from skymask.io import maps
from skymask.sky.configured_kernels import background_kernel, dilation_kernel, region_growth, to_pixels
from skymask.workflow.jobs import TOOK

FIGURES = ("counts", "background", "significance", "excess", "mask_growth", "convergence", "off_source")

MAPS = (
    "counts",
    "coverage",
    "background",
    "background_error",
    "counts_off",
    "alpha",
    "significance",
    "excess",
    "excess_errn",
    "excess_errp",
    "excess_upper_limit",
    "exclusion_mask",
)

#: Everything that shapes the regions of a mask.
SHAPING = {
    "threshold_low": 2.5,
    "min_pixels": 4,
    "max_hole_pixels": 6,
    "region_growth": {"law": "king", "sigma": "4.5 arcmin", "gamma": 1.8, "level": 0.5, "max_radius": "0.4 deg"},
}
FURTHER = {
    "small": {"shape": "disk", "radius": "0.05 deg"},
    "smooth": {"shape": "gaussian", "sigma": "1 px"},
    "own": {"shape": "array", "path": "kernel.fits"},
}
OTHER_PRODUCTS = (
    "exclusion_mask_inverse.fits",
    "regions.ecsv",
    "regions.reg",
    "convergence.csv",
    "quality.json",
    "null.json",
    "status.json",
)


#: Products that a dataset with other settings has left.
STALE = ("results/plain/ring_radius.fits", "results/plain/further/gone/excess.fits")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of three datasets: one in files, one simulated, one with everything that a dataset may have.

    The folder holds products of an earlier configuration of the first.
    """
    folder = tmp_path_factory.mktemp("a run")
    counts = field_with_source().astype(float)
    counts[:8] = np.nan
    write_map(folder / "counts.fits", field_with_source().astype(np.int32))
    write_map(folder / "holes.fits.gz", counts)
    y, x = np.mgrid[:60, :60]
    acceptance = 1 + 0.01 * x
    excluded = (y - 45) ** 2 + (x - 15) ** 2 < 30
    image = fits.ImageHDU(acceptance, sky_header(), name="EXPOSURE")
    mask = fits.ImageHDU((~excluded).astype(np.uint8), sky_header(), name="MASK")
    fits.HDUList([fits.PrimaryHDU(), image, mask]).writeto(folder / "more.fits")
    write_map(folder / "background.fits", np.full((60, 60), 2.0))
    write_map(folder / "kernel.fits", skymask.disk(3).astype(float))
    lower_edge = np.ones((50, 60), dtype=np.uint8)
    lower_edge[:4] = 0
    write_map(folder / "edge.fits", lower_edge, sky_header((50, 60), 0.05, ("GLON-TAN", "GLAT-TAN"), (0, 0)))
    for name in STALE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    write_config(
        folder / "config.yaml",
        null_simulations={"number": 20},
        datasets={
            "plain": {"counts": "counts.fits", "further_source_kernels": FURTHER},
            "simulated": {
                "simulate": {
                    "seed": 1,
                    "width": ["3 deg", "2.5 deg"],
                    "pixel_size": "0.05 deg",
                    "background": 2,
                    "acceptance_sigma": "2 deg",
                    "sources": [{"offset": ["0.3 deg", "0 deg"], "counts": 200, "sigma": ["0.1 deg", "0.1 deg"]}],
                },
                "threshold": 4,
                "background_systematic": 0.05,
                "exclusion_mask": "edge.fits",
            },
            "everything": {
                "counts": "holes.fits.gz",
                "acceptance": "more.fits[EXPOSURE]",
                "exclusion_mask": "more.fits[MASK]",
                "background": "background.fits",
                **SHAPING,
            },
        },
    )
    process = snakemake(folder=folder)
    assert process.returncode == 0, process.stdout
    (folder / "output.txt").write_text(process.stdout)
    return folder


def status(folder, dataset):
    return json.loads((folder / f"results/{dataset}/status.json").read_text())


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_there_are_as_many_jobs_as_skymask_check_foretells(run, monkeypatch):
    monkeypatch.chdir(run)
    config = yaml.safe_load((run / "config.yaml").read_text())
    settings = configuration.dataset_settings(config, configuration.load_schema())
    jobs = len(list((run / "logs").rglob("*.log")))
    least, _ = number_of_jobs(settings, 10)
    # Every iteration beyond the first has three jobs, and each dataset decides alone.
    more = sum(4 * (status(run, dataset)["iteration"] - 1) for dataset in settings)
    assert jobs == least + more


def test_every_product_is_made(run):
    for dataset in ("plain", "simulated", "everything"):
        for name in MAPS:
            assert (run / f"results/{dataset}/{name}.fits").is_file()
        for name in OTHER_PRODUCTS:
            assert (run / f"results/{dataset}/{name}").is_file()
        for name in FIGURES:
            assert (run / f"results/{dataset}/plots/{name}.png").is_file()
    assert (run / "results/simulated/plots/truth.png").is_file()


def test_loops_converge(run):
    assert {status(run, name)["state"] for name in ("plain", "simulated", "everything")} == {"converged"}


def test_one_line_per_dataset_and_iteration_and_a_table_of_outcomes(run):
    output = (run / "output.txt").read_text()
    for dataset in ("plain", "simulated", "everything"):
        iterations = status(run, dataset)["iteration"]
        lines = re.findall(rf"^{dataset} +iteration (\d+) +excluded", output, flags=re.MULTILINE)
        assert [int(number) for number in lines] == list(range(1, iterations + 1))
        assert re.search(rf"^{dataset} +converged +{iterations} ", output, flags=re.MULTILINE)


def test_a_second_run_does_nothing(run):
    assert "Nothing to be done" in snakemake(folder=run).stdout


def test_workflow_and_iterate_agree_bit_for_bit(run):
    size = (0.05, 0.05)
    kernels = {
        "source_kernel": to_pixels(KERNELS["source_kernel"], size),
        "background_kernel": background_kernel(
            size,
            source_kernel=KERNELS["source_kernel"],
            background_kernel=KERNELS["background_kernel"],
            statistic="wstat",
        ),
        "dilation_kernel": dilation_kernel(KERNELS["dilation_radius"], size),
    }
    simulation = maps.read_product(run / "results/simulated/simulation.fits")
    more = {
        "simulated": {
            "acceptance": simulation["acceptance"].data,
            "exclusion_mask": maps.read(run / "edge.fits").data,
            "threshold": 4,
            "background_systematic": 0.05,
        },
        "everything": {
            "acceptance": maps.read(f"{run}/more.fits[EXPOSURE]").data,
            "exclusion_mask": maps.read(f"{run}/more.fits[MASK]").data,
            "background": maps.read(run / "background.fits").data,
            **SHAPING,
            "region_growth": region_growth(SHAPING["region_growth"], size),
        },
        "plain": {},
    }
    counts = {
        "simulated": simulation["counts"].data,
        "everything": maps.read(run / "holes.fits.gz").data,
        "plain": maps.read(run / "counts.fits").data,
    }
    for dataset, options in more.items():
        result = skymask.iterate(counts[dataset], **kernels, **options)
        for name, image in {"exclusion_mask": result.exclusion_mask, **result.products.maps()}.items():
            written = maps.read_product(run / f"results/{dataset}/{name}.fits")[name].data
            np.testing.assert_array_equal(written, image, err_msg=f"{dataset} {name}")
        assert status(run, dataset)["iteration"] == result.iterations
        rows = rows_of(run / f"results/{dataset}/convergence.csv")
        assert [row["digest"] for row in rows] == [record["digest"] for record in result.records[1:]]
        assert [row["mean_background"] for row in rows] == [str(r["mean_background"]) for r in result.records[1:]]


def test_products_say_what_was_done(run):
    for name in MAPS:
        header = fits.getheader(run / f"results/everything/{name}.fits")
        assert header["EXTNAME"] == name.upper()
        assert "BUNIT" in header
        assert (header["STATE"], header["NITER"]) == ("converged", status(run, "everything")["iteration"])
        assert header["STATIST"] == "wstat"
        assert header["BKGKERN"] == "ring inner_radius=0.4 deg width=0.25 deg"
        assert header["MASKDEF"] == "1 used, 0 excluded"
        assert (header["THRLOW"], header["MINPIX"], header["MAXHOLE"]) == (2.5, 4, 6)
        assert header["GROWTH"] == "king gamma=1.8 level=0.5 max_radius=0.4 deg sigma=0.075 deg"
        assert header["SHACNTS"] == maps.file_digest(run / "holes.fits.gz")
        assert header["SHABKG"] == maps.file_digest(run / "background.fits")


def test_products_keep_the_sky_coordinates_and_pass_their_checksums(run):
    expected = sky_header()
    for name in MAPS:
        with fits.open(run / f"results/plain/{name}.fits", checksum=True) as hdus:
            assert {key: hdus[0].header[key] for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CDELT1", "CTYPE1")} == {
                key: expected[key] for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CDELT1", "CTYPE1")
            }
            assert "CHECKSUM" in hdus[0].header


def test_pixels_without_coverage_are_nan_and_the_users_mask_is_kept(run):
    significance = fits.getdata(run / "results/everything/significance.fits")
    assert np.isnan(significance[:8]).all()
    assert np.isfinite(significance[8:]).all()
    user_mask = maps.read(f"{run}/more.fits[MASK]").data == 1
    final = fits.getdata(run / "results/everything/exclusion_mask.fits") == 1
    assert not (final & ~user_mask).any()


def test_a_given_background_needs_two_iterations_at_least(run):
    assert status(run, "everything")["iteration"] >= 2


def test_summary_has_a_row_per_dataset(run):
    rows = rows_of(run / "results/summary.csv")
    assert [row["dataset"] for row in rows] == ["plain", "simulated", "everything"]
    assert all(float(row["off_source_width"]) > 0 for row in rows)


def test_limits_name_their_confidence_level_and_lie_around_the_excess(run):
    limit = maps.read_product(run / "results/everything/excess_upper_limit.fits")["excess_upper_limit"]
    assert limit.header["CONFLEV"] == 0.95
    excess, errn, errp = (
        fits.getdata(run / f"results/everything/{name}.fits") for name in ("excess", "excess_errn", "excess_errp")
    )
    defined = ~np.isnan(excess)
    assert np.array_equal(defined, ~np.isnan(limit.data))
    assert (errn[defined] > 0).all()
    # 1.645 standard deviations are more than one.
    assert (limit.data > excess + errp)[defined].all()


def test_inverse_mask_is_the_other_convention_and_says_so(run):
    mask, inverse = (
        maps.read_product(run / f"results/everything/{name}.fits")[name]
        for name in ("exclusion_mask", "exclusion_mask_inverse")
    )
    assert np.array_equal(inverse.data, 1 - mask.data)
    assert inverse.header["MASKDEF"] == "1 excluded, 0 used"


def test_catalogue_holds_every_excluded_pixel_once(run):
    for dataset in ("plain", "simulated", "everything"):
        table = QTable.read(run / f"results/{dataset}/regions.ecsv")
        assert table["pixels"].sum() == status(run, dataset)["excluded"]
        excluded = fits.getdata(run / f"results/{dataset}/exclusion_mask.fits") == 0
        covered = fits.getdata(run / f"results/{dataset}/coverage.fits") == 1
        counts = fits.getdata(run / f"results/{dataset}/counts.fits")
        assert table["counts"].value.sum() == counts[excluded & covered].sum()
        assert table["peak_significance"][0] == status(run, dataset)["highest_significance"]


def test_catalogue_tells_the_users_regions_from_those_found(run):
    table = QTable.read(run / "results/everything/regions.ecsv")
    assert table["user_pixels"][0] == 0
    assert table["user_pixels"][1] == table["pixels"][1] > 0
    assert list(table["iteration"]) == [1, 0]
    # The source at the centre of the map, and the user's disk 15 pixels of 0.05 deg above and to its left.
    assert table["peak_latitude"][0].value == pytest.approx(22, abs=0.1)
    assert table["latitude"][1].value == pytest.approx(22 + 15.5 * 0.05, abs=0.01)


def test_ds9_file_has_an_outline_for_every_region(run):
    lines = (run / "results/everything/regions.reg").read_text().splitlines()
    assert lines[2] == "icrs"
    assert [line.split("(")[0] for line in lines[3:]] == ["polygon", "polygon"]


def test_status_has_errors_trials_and_a_verdict(run):
    for dataset in ("plain", "simulated", "everything"):
        figures = status(run, dataset)
        assert figures["verdict"] == "pass"
        assert 0 < figures["off_source_mean_error"] < 0.2
        assert 0 < figures["off_source_width_error"] < 0.2
        assert figures["trials"] > figures["trials_min"]
        assert figures["post_trial_significance"] < figures["highest_significance"]
    row = rows_of(run / "results/summary.csv")[0]
    for key in ("verdict", "off_source_mean_error", "off_source_width_error", "post_trial_significance"):
        assert row[key] == str(status(run, "plain")[key])


def test_report_links_to_files_that_exist_and_to_no_network(run):
    pages = list((run / "results").rglob("report.html"))
    assert len(pages) == 1 + len(list((run / "results").glob("*/status.json")))
    for path in pages:
        page = path.read_text()
        links = re.findall(r'(?:href|src)="([^"#]+)"', page)
        assert len(links) >= 4
        assert [link for link in links if not (path.parent / link).is_file()] == []
        assert "http" not in page


def test_snakemakes_own_report_carries_the_figures(run):
    process = snakemake("--report", "own.html", folder=run)
    assert process.returncode == 0, process.stdout
    page = (run / "own.html").read_text()
    captions = dict(re.findall(r'"(results/[^"]+)": \{"name": .*?"caption": "([^"]*)"', page))
    figures = {f"results/{name}/plots/{figure}.png" for name in ("plain", "everything") for figure in FIGURES}
    assert figures < set(captions)
    assert {"results/simulated/plots/truth.png", "results/plain/regions.ecsv"} < set(captions)
    assert all(captions.values())


def test_logs_mirror_the_results_and_say_what_jobs_took(run):
    for log in ("iteration-1/compute_significance.log", "compute_products.log"):
        assert TOOK.search((run / "logs/plain" / log).read_text())


def test_the_guide_shows_the_rule_graph(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    # That of the repository's configuration, whose datasets are all simulated.
    config["datasets"] = {"simulated": config["datasets"]["simulated"]}
    (run / "graph.yaml").write_text(yaml.safe_dump(config))
    graph = snakemake("--rulegraph", "mermaid-js", "--configfile", "graph.yaml", folder=run)
    assert graph.returncode == 0, graph.stdout
    assert in_page((REPOSITORY / "docs/guide.md").read_text(encoding="utf-8")) == canonical(graph.stdout)


def test_figures_for_a_paper_are_drawn_with_the_data_behind_them(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "sources.csv").write_text("ra,dec,name\n83.6,22,one\n")
    labels = {"table": "sources.csv"}
    config["figures"] = {
        "maps": {"dataset": "plain", "labels": labels},
        "loop": {"dataset": "plain", "kind": "convergence"},
    }
    (run / "figures.yaml").write_text(yaml.safe_dump(config))
    process = snakemake("--configfile", "figures.yaml", "--", "figures", folder=run)
    assert process.returncode == 0, process.stdout
    report = snakemake("--configfile", "figures.yaml", "--report", "paper.html", "--", "figures", folder=run)
    assert report.returncode == 0, report.stdout
    assert "The figure loop for a paper, of plain (convergence)." in (run / "paper.html").read_text()
    for name in ("maps.pdf", "maps.png", "loop.pdf", "loop.png"):
        assert (run / "results/figures" / name).is_file()
    with fits.open(run / "results/figures/maps.fits") as hdus:
        np.testing.assert_array_equal(hdus["EXCESS"].data, fits.getdata(run / "results/plain/excess.fits"))
        assert hdus["EXCESS"].header["SHAMASK"] == status(run, "plain")["mask_sha256"]
    table = QTable.read(run / "results/figures/loop.ecsv")
    assert list(table["changed"])[-1] == 0
    assert table.meta["dataset"] == "plain"
    # Other tests look at what a run without figures leaves behind.
    shutil.rmtree(run / "results/figures")


def jobs_to_rerun(folder, **changes):
    """Return the rules that would run again after a change of the configuration, and what their jobs say."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for dataset, entry in changes.pop("datasets", {}).items():
        config["datasets"][dataset] |= entry
    (folder / "changed.yaml").write_text(yaml.safe_dump(config | changes))
    process = snakemake("--dry-run", "--quiet", "host", "--configfile", "changed.yaml", folder=folder)
    assert process.returncode == 0, process.stdout
    rules = set(re.findall(r"^(\w+) +\d+$", process.stdout, flags=re.MULTILINE)) - {"total"}
    return rules, set(re.findall(r"^Job \d+: (.*)$", process.stdout, flags=re.MULTILINE))


def test_a_new_threshold_reruns_from_the_first_mask_on(run):
    rules, _ = jobs_to_rerun(run, threshold=6)
    assert "update_exclusion_mask" in rules
    assert rules.isdisjoint({"simulate_counts", "prepare_dataset"})


def test_a_new_dilation_radius_does_not_rerun_the_initial_background(run):
    rules, _ = jobs_to_rerun(run, dilation_radius="0.2 deg")
    assert "estimate_background" not in rules


def test_a_plot_setting_reruns_plots_only(run):
    rules, _ = jobs_to_rerun(run, plots={"dpi": 90})
    assert rules == {"plot_dataset", "plot_dataset_of_simulation", "render_page", "render_report", "all"}


#: One change for each dataset, so that one dry run shows what all of them rerun.
CHANGES = {
    "everything": {"limits": {"confidence_level": 0.99}},
    "simulated": {"null_simulations": {"number": 20, "seed": 4}},
    "plain": {"further_source_kernels": FURTHER | {"new": {"shape": "disk", "radius": "0.2 deg"}}},
}

#: What is about all datasets.
OVERVIEW = {"Summarize all datasets", "Render the report", "Everything is up to date"}


@pytest.fixture(scope="module")
def jobs(run):
    """The jobs of a dry run after these changes, but for those about all datasets."""
    _, jobs = jobs_to_rerun(run, datasets=CHANGES)
    assert jobs > OVERVIEW
    return jobs - OVERVIEW


def jobs_of(jobs, dataset):
    return {job for job in jobs if re.search(rf"\b{dataset}\b", job)}


def test_changes_rerun_jobs_of_their_dataset_only(jobs):
    assert jobs == set().union(*(jobs_of(jobs, dataset) for dataset in CHANGES))


def test_a_new_confidence_level_reruns_the_limits_and_the_record_of_it_only(jobs):
    limits = "Compute errors and upper limits of the excess of everything"
    assert jobs_of(jobs, "everything") == {limits, "Record the status of everything", "Render the page of everything"}


def test_a_new_quality_threshold_reruns_the_verdict_only(run):
    rules, _ = jobs_to_rerun(run, quality={"off_source_mean": 0.001})
    assert rules == {"record_status", "summarize_datasets", "render_page", "render_report", "all"}


def test_new_simulations_rerun_what_shows_them_only(jobs):
    assert jobs_of(jobs, "simulated") == {
        "Simulate the background of simulated without sources",
        "Plot simulated",
        "Record the status of simulated",
        "Render the page of simulated",
    }


def test_another_kernel_reruns_nothing_of_the_loop(jobs):
    assert jobs_of(jobs, "plain") == {
        "Compute the significance of plain under the kernel new",
        "Record the status of plain",
        "Render the page of plain",
    }


def test_a_threshold_that_is_not_met_is_a_warning_and_no_simulations_are_no_errors(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["datasets"]["plain"] |= {"quality": {"off_source_width": 0.0001}, "null_simulations": {"number": 0}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    process = snakemake(folder=folder)
    assert process.returncode == 0, process.stdout
    figures = status(folder, "plain")
    assert figures["verdict"] == "warn"
    assert "are far from 0 and 1" in figures["warnings"][0]
    assert figures["off_source_mean_error"] is None
    assert figures["post_trial_significance_min"] < figures["post_trial_significance_max"]
    page = (folder / "results/plain/report.html").read_text()
    assert '<span class="badge warn">warn</span>' in page
    assert "trials, not simulated" in page


@pytest.mark.parametrize("name", FURTHER)
def test_workflow_and_function_agree_bit_for_bit_on_a_further_kernel(run, name):
    folder = run / "results/plain"
    read = {
        product: maps.read_product(folder / f"{product}.fits")[product].data
        for product in ("counts", "background", "counts_off", "alpha")
    }
    acceptance = maps.read_product(folder / "iteration-0/acceptance.fits")["acceptance"].data
    size = (0.05, 0.05)
    made = skymask.compute_further_significance(
        read["counts"],
        acceptance,
        read,
        to_pixels(KERNELS["source_kernel"], size),
        skymask.disk(3) if name == "own" else to_pixels(FURTHER[name], size),
        to_pixels(KERNELS["background_kernel"], size),
    )
    for product in ("alpha", "significance", "excess", "excess_errn", "excess_errp", "excess_upper_limit"):
        written = maps.read_product(folder / f"further/{name}/{product}.fits")[product].data
        np.testing.assert_array_equal(written, made[product], err_msg=product)


def test_header_names_the_further_kernel_and_that_of_the_loop(run):
    header = fits.getheader(run / "results/plain/further/small/excess_upper_limit.fits")
    assert (header["FURTHER"], header["SRCKERN"]) == ("small", "disk radius=0.05 deg")
    assert (header["LOOPKERN"], header["CONFLEV"]) == ("disk radius=0.12 deg", 0.95)
    assert header["STATE"] == "converged"


@pytest.mark.parametrize("name", STALE, ids=["map of radii", "map of a further kernel"])
def test_maps_do_not_outlive_their_kernel(run, name):
    assert not (run / name).exists()


def test_only_an_adaptive_ring_has_a_figure_of_its_radius(run):
    assert not list(run.glob("results/*/plots/ring_radius.png"))


def test_array_that_reaches_into_the_ring_ends_in_one_line(run):
    write_map(run / "wide.fits", skymask.disk(9).astype(float))
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["datasets"]["plain"]["further_source_kernels"] = {"wide": {"shape": "array", "path": "wide.fits"}}
    (run / "wide.yaml").write_text(yaml.safe_dump(config))
    target = "results/plain/further/wide/excess.fits"
    process = snakemake("--configfile", "wide.yaml", "--", target, folder=run)
    assert process.returncode != 0
    assert "compute_further_significance plain wide: further_source_kernels.wide: it shares" in process.stdout


def test_a_simulated_dataset_keeps_its_exclusion_mask(run):
    assert "3000 covered pixels, 240 excluded by the user" in (run / "output.txt").read_text()
    assert not fits.getdata(run / "results/simulated/exclusion_mask.fits")[:4].any()


@pytest.mark.filterwarnings("default")
def test_gammapy_reads_our_products(gammapy, run):
    from gammapy.maps import Map
    from regions import Regions

    counts = Map.read(run / "counts.fits")
    for name in (*MAPS, "exclusion_mask_inverse"):
        path = run / f"results/plain/{name}.fits"
        sky_map = Map.read(path)
        np.testing.assert_array_equal(sky_map.data, maps.read_product(path)[name].data)
        assert sky_map.geom.center_skydir.separation(counts.geom.center_skydir).deg < 1e-9
    regions = Regions.read(run / "results/plain/regions.reg")
    mask = Map.read(run / "results/plain/exclusion_mask.fits")
    np.testing.assert_array_equal(mask.geom.region_mask(regions, inside=False).data, mask.data == 1)
    assert not mask.data.all()


def test_an_edit_of_the_library_reruns_what_uses_it(clone, tmp_path):
    write_map(tmp_path / "counts.fits", field_with_source())
    write_config(tmp_path / "config.yaml", datasets={"field": {"counts": "counts.fits"}})
    inspection = "results/field/inspection.json"
    first = snakemake(inspection, folder=tmp_path, snakefile=clone / "Snakefile")
    assert first.returncode == 0, first.stdout
    assert "Nothing to be done" in snakemake(inspection, folder=tmp_path, snakefile=clone / "Snakefile").stdout
    library = clone / "skymask" / "core" / "inputs.py"
    source = library.read_text()
    library.write_text(source + "\n# An edit.\n")
    again = snakemake("--dry-run", inspection, "--quiet", "host", folder=tmp_path, snakefile=clone / "Snakefile")
    library.write_text(source)
    assert re.search(r"^prepare_dataset +1$", again.stdout, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def elsewhere(run, clone, tmp_path_factory):
    """A run of the same elsewhere, one job after the other, by a workflow that uses a copy of this one as a module."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in (
        "counts.fits",
        "config.yaml",
        "holes.fits.gz",
        "more.fits",
        "background.fits",
        "kernel.fits",
        "edge.fits",
    ):
        shutil.copy(run / name, folder)
    snakefile = folder / "module.smk"
    snakefile.write_text(MODULE.format(snakefile=str(clone / "Snakefile"), names="sky_*"))
    targets = [
        "results/everything/status.json",
        "results/everything/excess_upper_limit.fits",
        "results/everything/regions.ecsv",
        "results/everything/plots/counts.png",
        "results/simulated/simulation.fits",
    ]
    process = snakemake(*targets, "--cores", "1", folder=folder, snakefile=snakefile)
    assert process.returncode == 0, process.stdout
    return folder


def test_the_loop_runs_in_a_module_with_prefix(elsewhere):
    assert status(elsewhere, "everything")["state"] == "converged"


def test_runs_are_byte_identical_serial_parallel_and_elsewhere(run, elsewhere):
    for pattern in (
        "results/everything/**/*.fits",
        "results/everything/**/*.json",
        "results/everything/regions.*",
        "results/simulated/*.fits",
        "results/*/*.csv",
        "results/**/*.png",
    ):
        made = products(elsewhere, pattern)
        assert made
        assert made == {name: content for name, content in products(run, pattern).items() if name in made}
