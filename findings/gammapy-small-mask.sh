#!/usr/bin/env bash
# An exclusion mask that does not reach to the edge of the counts, in gammapy's RingBackgroundMaker.
# Guess: pixels beyond the mask's edge are used (or left out); either way only rings that reach there are touched.
# Seen: counts and acceptance under the ring are NaN in every pixel of the map, and mask_safe calls them all safe.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever takes a mask from a smaller map.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from gammapy.datasets import MapDataset
from gammapy.makers import RingBackgroundMaker
from gammapy.maps import Map, MapAxis, WcsGeom

energy = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
geom = WcsGeom.create(npix=101, binsz=0.05, axes=[energy])
smaller = WcsGeom.create(npix=99, binsz=0.05, axes=[energy])
ones = Map.from_geom(geom, data=np.ones(geom.data_shape))
safe = Map.from_geom(geom, data=np.ones(geom.data_shape, dtype=bool))
mask = Map.from_geom(smaller, data=np.ones(smaller.data_shape, dtype=bool))
dataset = MapDataset(counts=ones, background=ones, mask_safe=safe)
result = RingBackgroundMaker(r_in="0.5 deg", width="0.3 deg", exclusion_mask=mask).run(dataset)
undefined, called_safe = np.isnan(result.counts_off.data).mean(), result.mask_safe.data.mean()
print(f"one pixel missing round the mask: off counts NaN in {undefined:.0%} of the map, {called_safe:.0%} called safe")
assert undefined == 1 and np.isnan(result.acceptance_off.data).all() and called_safe == 1
EOF
