#!/usr/bin/env bash
# A file deleted from an RO-Crate with rocrate, the crate written anew to another folder.
# Guess: the file is not in the new folder.
# Seen: it is copied all the same, as every file that the crate does not list: it only is not described.
# With: rocrate 0.16.0.
# Hurts: whoever removes a file that must not be published.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check rocrate==0.16.0
venv/bin/python -W ignore - <<'EOF'
import os
from pathlib import Path
from rocrate.rocrate import ROCrate

for name in ("mask.fits", "private.txt"):
    Path(name).write_text(name)
crate = ROCrate()
for name in ("mask.fits", "private.txt"):
    crate.add_file(name)
crate.write("first")
crate = ROCrate("first")
crate.delete(crate.get("private.txt"))
crate.write("second")
listed = [entity.id for entity in ROCrate("second").data_entities]
print(f"listed: {listed}; in the folder: {sorted(os.listdir('second'))}")
assert listed == ["mask.fits"] and "private.txt" in os.listdir("second")
EOF
