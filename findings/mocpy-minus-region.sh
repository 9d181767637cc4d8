#!/usr/bin/env bash
# MOC.from_astropy_regions of a circle with an excluded circle within.
# Guess: a circle with a hole.
# Seen: the minus is lost: the excluded circle is added, and there is no hole.
# With: mocpy 0.21.0, regions 0.12, astropy 8.0.2.
# Hurts: whoever turns DS9 files with minus regions into a MOC.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check mocpy==0.21.0 regions==0.12 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
from astropy.coordinates import SkyCoord
from mocpy import MOC
from regions import Regions

ring = Regions.parse("icrs\ncircle(10,20,2)\n-circle(10,20,1)", format="ds9")
moc = MOC.from_astropy_regions(ring, max_depth=9)
filled = moc.contains_skycoords(SkyCoord([10], [20], unit="deg"))[0]
area = moc.sky_fraction * 41252.96
print(f"the centre of the hole is {'in' if filled else 'outside'}; {area:.1f} deg2 instead of about 9.4")
assert filled and area > 12
EOF
