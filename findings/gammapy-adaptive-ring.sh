#!/usr/bin/env bash
# Ring sizes of gammapy's AdaptiveRingBackgroundMaker round a large exclusion.
# Guess: where the ring lies within the exclusion, it grows until acceptance over acceptance_off under the correlation
#   radius theta falls below threshold_alpha.
# Seen: theta has no effect, and the acceptance is that of one pixel: with threshold_alpha 0.1 a ring is taken for
#   large enough as soon as ten pixels of it are left.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever uses it for extended sources.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
import numpy as np
from gammapy.datasets import MapDataset
from gammapy.makers import AdaptiveRingBackgroundMaker
from gammapy.maps import Map, MapAxis, WcsGeom

geom = WcsGeom.create(npix=101, binsz=0.05, axes=[MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)])
ones = Map.from_geom(geom, data=np.ones(geom.data_shape))
safe = Map.from_geom(geom, data=np.ones(geom.data_shape, dtype=bool))
mask = Map.from_geom(geom, data=geom.separation(geom.center_skydir)[np.newaxis] > 1 * u.deg)
dataset = MapDataset(counts=ones, background=ones, mask_safe=safe)
sizes = {"r_in": "0.3 deg", "r_out_max": "2 deg", "width": "0.2 deg", "stepsize": "0.1 deg"}
small, large = (
    AdaptiveRingBackgroundMaker(**sizes, theta=theta, threshold_alpha=0.1, exclusion_mask=mask).run(dataset)
    for theta in ("0.05 deg", "0.5 deg")
)
disc = (geom.separation(geom.center_skydir) <= 0.5 * u.deg).sum()
least = np.nanmin(large.acceptance_off.data)
print(f"theta of 0.05 and 0.5 deg: the same rings; smallest acceptance_off {least:.0f}, under theta {disc} pixels")
assert np.array_equal(small.acceptance_off.data, large.acceptance_off.data, equal_nan=True)
assert np.allclose(large.acceptance.data, 1) and disc / least > 0.1
EOF
