#!/usr/bin/env bash
# Interpolating a gammapy map next to a NaN pixel.
# Guess: the value there is NaN, or that of the neighbour that is known.
# Seen: NaN counts as 0: half way to a pixel without value the exposure is halved, and on it it is 0.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever brings an exposure with uncovered pixels to another grid.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from gammapy.maps import Map, WcsGeom

exposure = Map.create(npix=5, binsz=1, dtype=float)
exposure.data[:] = 10.0
exposure.data[2, 3] = np.nan
beside, half, on = exposure.interp_by_pix(([2.0, 2.5, 3.0], [2.0, 2.0, 2.0]))
print(f"towards a NaN pixel: {beside:g}, half way {half:g}, on it {on:g}")
assert (beside, half, on) == (10, 5, 0)
EOF
