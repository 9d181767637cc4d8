"""Slurm jobs that a killed run left behind are found before the next one; with a command that stands for Slurm's."""

import pytest

from skymask.errors import SkymaskError
from skymask.workflow.slurm import check_accounting, jobs_left_in

RUN = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A folder where Snakemake has submitted jobs, and a queue of lines in a file."""
    programs = tmp_path / "programs"
    programs.mkdir()
    queue = tmp_path / "queue"
    scripts = {"squeue": f"cat {queue}"}
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    (tmp_path / ".snakemake/slurm_logs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return queue


def test_only_jobs_of_snakemake_in_the_same_folder_are_left(slurm, tmp_path):
    others = f"2|{RUN}|{tmp_path}/elsewhere\n3|my-own-job|{tmp_path}\n"
    slurm.write_text(f"1|{RUN}|{tmp_path}\n{others}4|prefix_{RUN}|{tmp_path}\n")
    assert jobs_left_in(tmp_path) == ["1", "4"]


def test_slurm_is_not_asked_where_nothing_was_submitted(slurm, tmp_path):
    slurm.write_text(f"1|{RUN}|{tmp_path}\n")
    (tmp_path / ".snakemake/slurm_logs").rmdir()
    assert jobs_left_in(tmp_path) == []


def test_a_controller_that_does_not_answer_is_one_line(slurm, tmp_path):
    (tmp_path / "programs/squeue").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    with pytest.raises(SkymaskError, match=r"^squeue does not say which .* left: Unable to contact slurm controller$"):
        jobs_left_in(tmp_path)


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
