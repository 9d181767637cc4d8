#!/usr/bin/env bash
# The inverse of a healsparse mask of one excluded disc.
# Guess: everything but the disc.
# Seen: only the coarse pixels that the disc touches are inverted: the rest of the sky is as False as the disc.
# With: healsparse 1.15.0, astropy 8.0.2, numpy 2.4.6.
# Hurts: whoever keeps exclusion masks as healsparse maps.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check healsparse==1.15.0 astropy==8.0.2 numpy==2.4.6
venv/bin/python -W ignore - <<'EOF'
import healsparse

excluded = healsparse.HealSparseMap.make_empty(8, 64, bool)
excluded |= healsparse.Circle(ra=40.0, dec=10.0, radius=5.0, value=True)
used = ~excluded
far = used.get_values_pos(220.0, -10.0, lonlat=True)
print(f"{excluded.n_valid} pixels are excluded, {used.n_valid} of the other {12 * 64**2 - excluded.n_valid} are used")
assert not far and used.n_valid < 500
EOF
