"""A bad file fails alone, also for a reason that nobody thought of."""

import errno
import json
import sys

import numpy as np
import pytest
from conftest import KERNELS, REPOSITORY, field_with_source, sky_header, write_config, write_map

from skymask.cli import check
from skymask.errors import MapError, SkymaskError, failing_alone

sys.path.insert(0, str(REPOSITORY / "scripts"))
from bin_events import write_counts
from prepare_dataset import prepare_dataset


def test_what_nobody_expected_names_the_file_and_says_so(capfd):
    line = (
        r"^a\.fits cannot be used, for a reason that was not expected here \(ZeroDivisionError: division by zero; see "
        r"the log\): please report it"
    )
    with pytest.raises(MapError, match=line), failing_alone(["a.fits"]):
        1 / 0  # noqa: B018
    assert "Traceback" in capfd.readouterr().err


def test_many_files_are_not_all_named():
    line = r"^0, 1, 2 and 7 more files cannot be used, .* \(KeyError: 'x'\)"
    with pytest.raises(MapError, match=line), failing_alone(range(10), in_job=False):
        {}["x"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOSPC, "No space left on device"),
        SkymaskError("was replaced"),
        KeyboardInterrupt(),
    ],
)
def test_what_another_try_may_not_meet_again_is_no_fault_of_the_file(error):
    with pytest.raises(type(error)), failing_alone(["a.fits"]):
        raise error


def surprise(*arguments, **options):
    raise RuntimeError("nobody knew\nof this")


def test_a_dataset_whose_files_surprise_the_reader_is_inspected_as_failed(tmp_path, monkeypatch):
    monkeypatch.setattr("prepare_dataset.inspect", surprise)
    files = {"counts": write_map(tmp_path / "a.fits", field_with_source())}
    output = {name: tmp_path / name for name in ("counts", "acceptance", "exclusion_mask", "inspection")}
    settings = {**KERNELS, "exclusion_regions": [], "min_acceptance_fraction": 0}
    prepare_dataset(dataset="a", notes=[], files=files, runs={}, settings=settings, output=output)
    reason = json.loads(output["inspection"].read_text())["reason"]
    assert reason.startswith(
        f"{files['counts']} cannot be used, for a reason that was not expected here (RuntimeError: "
    )
    assert "\n" not in reason


def test_events_that_surprise_the_reader_leave_their_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("bin_events.bin_events", surprise)
    geometry = {"as": write_map(tmp_path / "a.fits", np.ones((9, 9), int), sky_header((9, 9)))}
    settings = {"events": ["e.fits"], "geometry": geometry, "cuts": {}}
    write_counts(settings=settings, counts=tmp_path / "counts.fits", binning=tmp_path / "binning.json")
    assert json.loads((tmp_path / "binning.json").read_text())["reason"].startswith("e.fits cannot be used, ")


def test_check_tells_a_surprise_in_one_line_and_goes_on(tmp_path, monkeypatch):
    for name in "ab":
        write_map(tmp_path / f"{name}.fits", field_with_source())
    monkeypatch.chdir(tmp_path)
    write_config("c.yaml", datasets={name: {"counts": f"{name}.fits"} for name in "ab"})
    real = check._dataset
    monkeypatch.setattr(check, "_dataset", lambda entry: (surprise if entry["counts"] == "a.fits" else real)(entry))
    lines, errors = check.forecast("c.yaml")
    assert [error.split(" (")[0] for error in errors] == [
        "a: a.fits cannot be used, for a reason that was not expected here"
    ]
    assert "b" in lines
