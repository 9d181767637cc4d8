"""The workflow on a real Slurm: the same bytes as a local run, whatever happens to jobs, node and controller.

Slurm's own records say that jobs ran there, and how they ended. Tests marked slow are left out of CI (make test-slurm
ARGS=tests/slurm runs them all).
"""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from conftest import (
    REPOSITORY,
    STATUSES,
    field_with_source,
    products,
    snakemake,
    write_config,
    write_map,
    write_two_fields,
)
from kills import ON_SLURM, campaign, jobs_of_runs, write_fields_for
from single_node_slurm import Slurm, obstacle

PROFILE = REPOSITORY / "profiles/slurm"

EVERYTHING = "results/**/*"

#: The loop, the products and their quality, without figures.
STATUS = "results/field/status.json"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A Slurm; without its programs a test is skipped, in CI it fails."""
    reason = obstacle()
    if reason:
        (pytest.fail if os.environ.get("SKYMASK_REQUIRE_SLURM") else pytest.skip)(reason)
    with Slurm(tmp_path_factory.mktemp("slurm")) as slurm:
        yield slurm
        Run.end_all()


@pytest.fixture
def ready(slurm):
    """The Slurm, empty, with its node taking jobs."""
    yield slurm
    Run.end_all()
    resume(slurm)
    for job in slurm.queue():
        slurm.command("scancel", job)


def write_fields(folder, *names, **config):
    """Write maps and their configuration into a folder."""
    for seed, name in enumerate(names):
        write_map(folder / f"{name}.fits", field_with_source(seed))
    write_config(folder / "config.yaml", datasets={name: {"counts": f"{name}.fits"} for name in names}, **config)
    return folder


#: A loop that ends after its first iteration: every job costs seconds, and every step in it.
SHORT = {"convergence": {"max_iterations": 1}, "null_simulations": {"number": 0}}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a local run of one dataset makes."""
    folder = write_fields(tmp_path_factory.mktemp("local"), "field")
    process = snakemake(STATUS, folder=folder)
    assert process.returncode == 0, process.stdout
    return products(folder, EVERYTHING)


class Run:
    """Snakemake in a folder, submitting to Slurm, with what it says in a file."""

    started: ClassVar = []

    def __init__(self, folder, *arguments):
        self.folder = folder
        command = [sys.executable, "-m", "snakemake", *ON_SLURM, "--snakefile", REPOSITORY / "Snakefile", *arguments]
        with open(folder / "output.txt", "a") as output:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=folder, stdout=output, stderr=output, start_new_session=True
            )

        Run.started.append(self.process)

    @classmethod
    def end_all(cls):
        """End what a test that failed left running."""
        for process in cls.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def submitted(self):
        """Return the numbers of the jobs that were submitted, in order."""
        return re.findall(r"SLURM jobid (\d+)", (self.folder / "output.txt").read_text())

    def wait_for(self, condition, seconds=120):
        """Wait until a condition holds while Snakemake runs."""
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, (self.folder / "output.txt").read_text()
            assert time.monotonic() < end, (self.folder / "output.txt").read_text()
            time.sleep(0.05)

    def finish(self, seconds=400):
        """Return the exit code, and what was said."""
        code = self.process.wait(seconds)
        return code, (self.folder / "output.txt").read_text()


def drain(slurm):
    slurm.command("scontrol", "update", f"NodeName={slurm.node}", "State=DRAIN", "Reason=test")


def resume(slurm):
    """Let a drained node take jobs; a controller that has just started refuses that for a moment."""

    def resumed():
        if slurm.command("sinfo", "-h", "-o", "%T").startswith("drain"):
            subprocess.run(["scontrol", "update", f"NodeName={slurm.node}", "State=RESUME"], check=False)
            return False
        return True

    slurm.wait(resumed, "its node stays drained")


def records_of(slurm, folder):
    """Return Slurm's records of the jobs that were submitted from a folder, by number."""
    return {record["JobId"]: record for record in slurm.completed() if record["WorkDir"] == str(folder)}


def ends_of(slurm, folder, jobs):
    """Return how jobs ended, once Slurm has written it down."""
    slurm.wait(lambda: set(jobs) <= set(records_of(slurm, folder)), "jobs have not ended")
    return [records_of(slurm, folder)[job]["JobState"] for job in jobs]


def time_of(record, key):
    return datetime.fromisoformat(record[key])


@pytest.fixture(scope="module")
def undisturbed_short(tmp_path_factory):
    """A local run of a short loop, which is begun here and waited for when its files are asked for."""
    folder = write_fields(tmp_path_factory.mktemp("short"), "field", **SHORT)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", REPOSITORY / "Snakefile", STATUS]
    with open(folder / "output.txt", "w") as output:
        process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=output, stderr=output)

    def files():
        assert process.wait(120) == 0
        return products(folder, EVERYTHING)

    return files


def cancel(slurm, job):
    """Cancel a job, and wait until it has left the queue."""
    slurm.command("scancel", job)
    slurm.wait(lambda: job not in slurm.queue(), "the job does not end")


@pytest.fixture(scope="module")
def eventful(slurm, undisturbed_short, tmp_path_factory):
    """A run to which much happens: the node is drained, the controller restarted, Snakemake killed, a job cancelled."""
    folder = write_fields(tmp_path_factory.mktemp("eventful"), "field", **SHORT)
    drain(slurm)
    first = Run(folder, STATUS)
    first.wait_for(first.submitted)
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait(10)
    (orphan,) = first.submitted()
    slurm.stop_controller()
    slurm.start_controller()
    assert slurm.queue() == [orphan]
    assert snakemake("--unlock", folder=folder).returncode == 0
    refused = Run(folder, STATUS)
    output = refused.finish()[1]
    cancel(slurm, orphan)
    second = Run(folder, STATUS)
    second.wait_for(lambda: len(second.submitted()) == 2)
    resume(slurm)
    second.wait_for(lambda: len(second.submitted()) == 3)
    cancelled = second.submitted()[-1]
    second.wait_for(lambda: slurm.queue("--states", "RUNNING") == [cancelled])
    slurm.command("scancel", cancelled)
    code, later = second.finish()
    assert code == 0, later
    return folder, second.submitted(), output


def test_every_product_of_an_eventful_run_is_that_of_a_local_run(eventful, undisturbed_short):
    folder, _, _ = eventful
    assert products(folder, EVERYTHING) == undisturbed_short()
    assert not list(folder.rglob("*.part"))


def test_slurms_own_records_say_how_every_job_ended(eventful, slurm):
    folder, jobs, _ = eventful
    # The orphan, the inspection, the iteration cancelled and tried again, and the products.
    ends = ["CANCELLED", "COMPLETED", "CANCELLED", "COMPLETED", "COMPLETED"]
    assert ends_of(slurm, folder, jobs) == ends
    assert set(records_of(slurm, folder)) == set(jobs)


def test_a_run_beside_an_orphan_is_refused_with_what_to_do(eventful, slurm):
    _, jobs, output = eventful
    assert f"wait for them, or cancel them by `scancel {jobs[0]}`, and run again" in output
    assert "Traceback" not in output


def test_jobs_ask_for_time_and_one_processor_each(eventful, slurm):
    folder, jobs, _ = eventful
    asked = records_of(slurm, folder)[jobs[1]]
    # Inspection of a small map: 6 min, and a little more than 550 MB.
    assert asked["TimeLimit"] == "6"
    assert asked["Tres"] == "cpu=1,mem=551M,node=1,billing=1"


@pytest.mark.slow
def test_the_default_configuration_gives_the_bytes_of_a_local_run(ready, tmp_path_factory):
    local, remote = tmp_path_factory.mktemp("local"), tmp_path_factory.mktemp("remote")
    for folder in (local, remote):
        (folder / "config.yaml").write_bytes((REPOSITORY / "config.yaml").read_bytes())
    process = snakemake(folder=local)
    assert process.returncode == 0, process.stdout
    run = Run(remote)
    code, output = run.finish(900)
    assert code == 0, output
    assert products(remote, EVERYTHING) == products(local, EVERYTHING)
    # Of each dataset: making and inspecting the map, every iteration, products, the page.
    jobs = run.submitted()
    iterations = len(list((remote / "results").glob("*/iteration-[1-9]*")))
    assert len(jobs) == iterations + 3 * len(list((remote / "results").glob("*/status.json")))
    assert ends_of(ready, remote, jobs) == ["COMPLETED"] * len(jobs)


def script_of(folder, name):
    """Return the process that runs a script of the workflow in a folder, if there is one."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = (process.info["cmdline"] or [])[:2]
        if process.info["cwd"] == str(folder) and any(word.endswith(f".{name}.py") for word in words):
            return process
    return None


def test_a_name_that_a_shell_would_run_is_refused_before_anything_is_submitted(ready, tmp_path):
    run = Run(write_two_fields(tmp_path), *STATUSES)
    code, output = run.finish()
    assert code != 0
    assert re.search(r"^datasets\.b\.counts: .*cannot be given to jobs that are submitted", output, flags=re.MULTILINE)
    assert run.submitted() == []
    assert not list(tmp_path.rglob("hacked"))


def test_a_slurm_that_keeps_no_account_of_jobs_and_is_asked_for_it_is_refused(ready, tmp_path):
    run = Run(write_fields(tmp_path, "field"), STATUS, "--slurm-status-command", "sacct")
    code, output = run.finish()
    assert code == 1
    assert "sacct does not tell which jobs have ended" in output
    assert "Traceback" not in output
    assert run.submitted() == []


@pytest.mark.slow
def test_a_job_whose_script_is_killed_is_tried_again(ready, undisturbed, tmp_path):
    run = Run(write_fields(tmp_path, "field"), STATUS)
    run.wait_for(lambda: script_of(tmp_path, "compute_significance"))
    script_of(tmp_path, "compute_significance").kill()
    code, output = run.finish()
    assert code == 0, output
    assert products(tmp_path, EVERYTHING) == undisturbed
    assert ends_of(ready, tmp_path, run.submitted()).count("FAILED") == 1


def kill(slurm, job, script):
    script.kill()


def exceed_the_time(slurm, job, script):
    """Keep a script from ending, and let the time of its job end in two seconds."""
    script.suspend()
    slurm.command("scontrol", "update", f"JobId={job}", "EndTime=now+2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("blow", "words", "end"), [(kill, "it left no message", "FAILED"), (exceed_the_time, "TIME LIMIT", "TIMEOUT")]
)
def test_a_job_that_fails_twice_is_told_with_the_step_that_did(ready, tmp_path, blow, words, end):
    run = Run(write_fields(tmp_path, "field"), STATUS)
    for attempt in (1, 2):
        run.wait_for(lambda number=1 + attempt: len(run.submitted()) == number)
        run.wait_for(lambda: script_of(tmp_path, "compute_significance"))
        blow(ready, run.submitted()[-1], script_of(tmp_path, "compute_significance"))
    code, output = run.finish()
    assert code != 0
    assert re.search(rf"^compute_significance field 1 crashed: .*{words}", output, flags=re.MULTILINE)
    assert re.search(r"^field +crashed$", output, flags=re.MULTILINE)
    assert ends_of(ready, tmp_path, run.submitted()) == ["COMPLETED", end, end]


@pytest.mark.slow
def test_a_job_beyond_its_time_is_killed_and_tried_again(ready, undisturbed, tmp_path):
    run = Run(write_fields(tmp_path, "field"), STATUS)
    run.wait_for(lambda: script_of(tmp_path, "compute_significance"))
    job = run.submitted()[-1]
    exceed_the_time(ready, job, script_of(tmp_path, "compute_significance"))
    code, output = run.finish()
    assert code == 0, output
    assert products(tmp_path, EVERYTHING) == undisturbed
    assert ends_of(ready, tmp_path, [job]) == ["TIMEOUT"]


@pytest.mark.slow
def test_a_job_beyond_its_memory_is_killed_and_tried_again_with_more(ready, undisturbed, tmp_path):
    first = ("estimate_background", "compute_significance", "update_exclusion_mask")
    little = [f"{rule}:mem_mb=100 + 900 * (attempt - 1)" for rule in first]
    run = Run(write_fields(tmp_path, "field"), STATUS, "--set-resources", *little)
    code, output = run.finish()
    assert code == 0, output
    assert products(tmp_path, EVERYTHING) == undisturbed
    jobs = run.submitted()
    (killed,) = [job for job, end in zip(jobs, ends_of(ready, tmp_path, jobs), strict=True) if end == "FAILED"]
    (log,) = (tmp_path / ".snakemake/slurm_logs").rglob(f"{killed}.log")
    assert "exceeded memory limit" in log.read_text()


@pytest.mark.slow
def test_a_node_drained_and_resumed_and_a_controller_restarted_in_mid_run_lose_nothing(ready, undisturbed, tmp_path):
    run = Run(write_fields(tmp_path, "field"), STATUS)
    run.wait_for(lambda: script_of(tmp_path, "compute_significance"))
    drain(ready)
    ready.stop_controller()
    time.sleep(3)
    ready.start_controller()
    run.wait_for(lambda: len(run.submitted()) == 3)
    assert ready.queue("--states", "PENDING") == run.submitted()[-1:]
    resume(ready)
    code, output = run.finish()
    assert code == 0, output
    assert products(tmp_path, EVERYTHING) == undisturbed
    assert set(ends_of(ready, tmp_path, run.submitted())) == {"COMPLETED"}


@pytest.mark.slow
def test_snakemake_killed_while_a_job_runs_goes_on_without_doing_it_twice_at_once(ready, undisturbed, tmp_path):
    run = Run(write_fields(tmp_path, "field"), STATUS)
    run.wait_for(lambda: script_of(tmp_path, "compute_significance"))
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait(10)
    orphan = run.submitted()[-1]
    assert snakemake("--unlock", folder=tmp_path).returncode == 0
    again = Run(tmp_path, STATUS)
    code, output = again.finish()
    assert code == 0, output
    assert products(tmp_path, EVERYTHING) == undisturbed
    records = records_of(ready, tmp_path)
    later = [number for number in again.submitted() if int(number) > int(orphan)]
    assert records[orphan]["JobState"] == "CANCELLED"
    assert time_of(records[orphan], "EndTime") <= time_of(records[later[0]], "SubmitTime")


@pytest.mark.slow
def test_kills_at_random_moments_change_no_byte_and_leave_no_job(ready, tmp_path):
    (tmp_path / "local").mkdir()
    process = snakemake(*STATUSES, folder=write_fields_for(tmp_path / "local", ON_SLURM))
    assert process.returncode == 0, process.stdout
    expected = products(tmp_path / "local", EVERYTHING)
    *_, (kills, _) = campaign(tmp_path, 3, expected, seed=0, longest=40, options=ON_SLURM)
    assert kills.total() == 3
    assert jobs_of_runs(ready, tmp_path)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_leave_no_job_behind(ready, tmp_path, blow):
    run = Run(write_fields(tmp_path, "field"), STATUS)
    run.wait_for(lambda: script_of(tmp_path, "prepare_dataset"))
    os.killpg(run.process.pid, blow)
    run.process.wait(60)
    ready.wait(lambda: not ready.queue(), "a job is left")
    assert ends_of(ready, tmp_path, run.submitted()) == ["CANCELLED"]


@pytest.mark.slow
def test_an_array_of_shards_and_a_run_over_all_make_what_one_run_makes(ready, tmp_path_factory):
    local, remote = (write_fields(tmp_path_factory.mktemp(name), "a", "b", "c") for name in ("local", "shards"))
    assert snakemake(folder=local).returncode == 0
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    options = ["--parsable", "--array=1-2", "--mem=1000", "--cpus-per-task=1", "--output=shard-%a.txt"]
    script = [PROFILE / "shards.sh", "--snakefile", REPOSITORY / "Snakefile"]
    submit = subprocess.run(
        ["sbatch", *options, *script], cwd=remote, env=environment, capture_output=True, text=True, check=True
    )
    ready.wait(lambda: not ready.queue("--jobs", submit.stdout.strip()), "shards do not end", 400)
    records = records_of(ready, remote).values()
    assert [record["JobState"] for record in records] == ["COMPLETED"] * 2
    assert not (remote / "results/summary.csv").exists()
    process = snakemake(folder=remote)
    assert process.returncode == 0, process.stdout
    assert not re.search("check_convergence|iteration 1", process.stdout)
    assert products(remote, EVERYTHING) == products(local, EVERYTHING)
