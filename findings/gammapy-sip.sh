#!/usr/bin/env bash
# A map with SIP distortion, read and written by gammapy.
# Guess: the distortion is kept, or refused on reading.
# Seen: pixels are placed without it, by a third of a degree here, and without a word.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever uses masks made on optical images.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from gammapy.maps import Map

header = fits.Header({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": 83.0, "CRVAL2": 22.0,
                      "CRPIX1": 51.0, "CRPIX2": 51.0, "CDELT1": -0.1, "CDELT2": 0.1, "A_ORDER": 2, "B_ORDER": 2,
                      "A_2_0": 1e-3, "B_0_2": 1e-3})
fits.PrimaryHDU(np.zeros((101, 101)), header).writeto("sip.fits")
right = WCS(header).pixel_to_world(0, 0)
shift = Map.read("sip.fits").geom.get_coord().skycoord[0, 0].icrs.separation(right).deg
print(f"corner of the map in gammapy: {shift:.2f} deg from where its header puts it")
assert shift > 0.2
EOF
