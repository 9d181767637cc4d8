"""How long `skymask status` takes over many datasets: trees of small files, made up, half of them still in their loops.

python benchmarks/status_time.py [NUMBER ...]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def make_tree(folder, number):
    kernel = {"shape": "disk", "radius": "0.1 deg"}
    names = [f"field-{k:05d}" for k in range(number)]
    datasets = "".join(f"  {name}: {{counts: maps/{name}.fits}}\n" for name in names)
    (folder / "config.yaml").write_text(f"source_kernel: {json.dumps(kernel)}\ndatasets:\n{datasets}")
    for k, name in enumerate(names):
        for iteration in range(5):
            for rule in ("compute_significance", "update_exclusion_mask", "estimate_background"):
                log = folder / f"logs/{name}/iteration-{iteration}/{rule}.log"
                log.parent.mkdir(parents=True, exist_ok=True)
                log.touch()
            (folder / f"results/{name}/iteration-{iteration}").mkdir(parents=True)
        if k % 2:
            status = {"state": "converged", "period": 0, "iteration": 4, "reason": None}
            (folder / f"results/{name}/status.json").write_text(json.dumps(status))


def main(numbers):
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            make_tree(Path(folder), number)
            before, start = os.times(), time.perf_counter()
            command = [sys.executable, "-m", "skymask", "status"]
            environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
            subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
            after = os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system
            print(f"{number} datasets: {time.perf_counter() - start:.2f} s, {cpu:.2f} s of CPU")


if __name__ == "__main__":
    main(list(map(int, sys.argv[1:])) or [1000])
