"""Slurm jobs that a killed run left behind are cancelled before the next one; with commands that stand for Slurm's."""

import pytest

from skymask.errors import SkymaskError
from skymask.workflow import orphans
from skymask.workflow.orphans import cancel_orphans, check_accounting

RUN = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder where Snakemake has submitted jobs, and a queue of lines in a file from which scancel takes jobs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    queue = tmp_path / "queue"
    scripts = {"squeue": f"cat {queue}", "scancel": f'for job; do sed -i "/^$job|/d" {queue}; done'}
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    (tmp_path / ".snakemake/slurm_logs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return queue


def test_only_jobs_of_snakemake_in_the_same_folder_are_cancelled(slurm, tmp_path):
    others = f"2|{RUN}|{tmp_path}/elsewhere\n3|my-own-job|{tmp_path}\n"
    slurm.write_text(f"1|{RUN}|{tmp_path}\n{others}4|prefix_{RUN}|{tmp_path}\n")
    assert cancel_orphans(tmp_path) == ["1", "4"]
    assert slurm.read_text() == others


def test_nothing_is_cancelled_while_a_run_is_locked(slurm, tmp_path):
    slurm.write_text(f"1|{RUN}|{tmp_path}\n")
    (tmp_path / ".snakemake/locks").mkdir()
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    assert cancel_orphans(tmp_path) == []
    assert slurm.read_text() == f"1|{RUN}|{tmp_path}\n"


def test_a_job_that_does_not_end_is_named(slurm, tmp_path, monkeypatch):
    slurm.write_text(f"1|{RUN}|{tmp_path}\n")
    (tmp_path / "programs/scancel").write_text("#!/bin/sh\n")
    monkeypatch.setattr(orphans, "LOCK_TIMEOUT", 0)
    with pytest.raises(SkymaskError, match=r"^Slurm job 1 of an earlier run in .* does not end: wait until squeue"):
        cancel_orphans(tmp_path)


def test_a_controller_that_does_not_answer_is_one_line(slurm, tmp_path):
    (tmp_path / "programs/squeue").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    with pytest.raises(SkymaskError, match=r"^squeue does not say which .* left: Unable to contact slurm controller$"):
        cancel_orphans(tmp_path)


def test_a_slurm_that_keeps_no_account_of_jobs_is_one_line(slurm, tmp_path):
    sacct = tmp_path / "programs/sacct"
    sacct.write_text("#!/bin/sh\n")
    sacct.chmod(0o755)
    check_accounting()
    sacct.write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n")
    with pytest.raises(
        SkymaskError, match=r"\(Slurm accounting storage is disabled\): add --slurm-status-command squeue"
    ):
        check_accounting()
