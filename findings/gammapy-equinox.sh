#!/usr/bin/env bash
# A gammapy map whose header says FK5 with EQUINOX 1950.
# Guess: Map.get_coord() and Map.get_by_coord() take the equinox of the header into account, as astropy's own WCS
#   does.
# Seen: the geometry keeps the frame's name alone: its coordinates, and with them separations and all that makers
#   evaluate, are those numbers in equinox 2000, 0.70 degrees off. The header written again says 1950.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever brings maps of old surveys to gammapy.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
from astropy.io import fits
from astropy.wcs import WCS
from gammapy.maps import Map
import numpy as np

header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.0, "CRVAL2": 22.0, "CRPIX1": 6.0,
                      "CRPIX2": 6.0, "CDELT1": -0.1, "CDELT2": 0.1, "RADESYS": "FK5", "EQUINOX": 1950.0})
fits.PrimaryHDU(np.zeros((11, 11)), header).writeto("old.fits")
geom = Map.read("old.fits").geom
right = WCS(header).pixel_to_world(5, 5)
shift = geom.get_coord().skycoord[5, 5].icrs.separation(right.icrs).deg
print(f"centre of the map in gammapy: {shift:.2f} deg from where its header puts it")
assert 0.6 < shift < 0.8 and abs(geom.separation(right)[5, 5].deg - shift) < 0.01
EOF
