#!/usr/bin/env bash
# A circle on the sky as a region of a gammapy CAR map at high latitude.
# Guess: WcsGeom.region_mask marks the pixels whose centres lie within the radius of its centre.
# Seen: it marks a circle of pixels: at latitude 60 half as wide in longitude as the circle on the sky, with half of
#   its area.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever excludes circles on all-sky maps.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
from astropy.coordinates import SkyCoord
from gammapy.maps import WcsGeom
from regions import CircleSkyRegion

geom = WcsGeom.create(proj="CAR", frame="galactic", binsz=1, width=(360, 180))
centre = SkyCoord(120.5, 60.5, unit="deg", frame="galactic")
marked = geom.region_mask([CircleSkyRegion(centre, 10 * u.deg)]).data
within = geom.separation(centre) < 10 * u.deg
print(f"{marked.sum()} pixels are marked, {within.sum()} have their centres within 10 deg")
assert marked.sum() < 0.55 * within.sum() and not (marked & ~within).any()
EOF
