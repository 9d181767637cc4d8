#!/usr/bin/env bash
# Cutting a bad interval out of the middle of a good one with gammapy's GTI.delete_interval.
# Guess: two good intervals are left, before and after the bad one, and time_sum falls by the length of the bad one.
# Seen: one interval is left, from the end of the bad one to its beginning: 1000 s less 100 s make -100 s.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever removes lightning, clouds or a flare from a run.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
from gammapy.data import GTI

gti = GTI.create([0] * u.s, [1000] * u.s, "2020-01-01")
start = gti.time_start[0]
left = gti.delete_interval([start + 400 * u.s, start + 500 * u.s])
print(f"{len(left.table)} interval is left, its duration is {left.time_sum:.0f}")
assert len(left.table) == 1 and abs(left.time_sum.to_value("s") + 100) < 1e-3
EOF
