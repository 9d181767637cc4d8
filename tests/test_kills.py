"""Runs that are killed at random moments and gone on with; `kills.py` does the same many times."""

import signal
import subprocess
import sys
import time

from conftest import REPOSITORY, products
from kills import campaign

#: A checkpoint after which the graph takes long to be updated; the scheduler's lock is held all the while.
SLOW_UPDATE = """
import time
from pathlib import Path

include: {snakefile!r}

def slowly(wildcards):
    checkpoints.begin.get()
    Path("updating").touch()
    time.sleep(2)
    return "begun"

checkpoint begin:
    output: "begun"
    shell: "touch {{output}}"

rule end:
    input: slowly
    output: "ended"
    shell: "touch {{output}}"
"""


def test_ten_kills_at_random_moments_change_no_byte(undisturbed, tmp_path):
    *_, (kills, _) = campaign(tmp_path, 10, products(undisturbed, "results/**/*"), seed=0, longest=5)
    assert kills.total() == 10
    assert not list(tmp_path.rglob("*.part"))


def test_sigterm_ends_a_run_while_its_graph_is_being_updated(undisturbed, tmp_path):
    """Snakemake 9.27 alone hangs for good."""
    (tmp_path / "config.yaml").write_bytes((undisturbed / "config.yaml").read_bytes())
    for path in undisturbed.glob("*.fits"):
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "Snakefile").write_text(SLOW_UPDATE.format(snakefile=str(REPOSITORY / "Snakefile")))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "ended"]
    with open(tmp_path / "output.txt", "w") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
    while not (tmp_path / "updating").exists():
        assert process.poll() is None, (tmp_path / "output.txt").read_text()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(60) == 1
    finally:
        process.kill()
        process.wait()
