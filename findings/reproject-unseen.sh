#!/usr/bin/env bash
# UNSEEN pixels of a HEALPix map in reproject_from_healpix.
# Guess: they become NaN, or footprint 0.
# Seen: they are numbers like any other: -1.6e30 and, beside the covered part, mixtures with it; the footprint is 1
#   throughout.
# With: reproject 0.21.0, healpy 1.20.1, astropy 8.0.2.
# Hurts: whoever brings a partial HEALPix map onto an image.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check reproject==0.21.0 healpy==1.20.1 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import healpy as hp
import numpy as np
from astropy.wcs import WCS
from reproject import reproject_from_healpix

nside = 64
north = hp.pix2ang(nside, np.arange(hp.nside2npix(nside)), lonlat=True)[1] > 0
hp.write_map("north.fits", np.where(north, 1.0, hp.UNSEEN), coord="C", dtype=float)
wcs = WCS(naxis=2)
wcs.wcs.ctype, wcs.wcs.cdelt, wcs.wcs.crpix = ["RA---CAR", "DEC--CAR"], [-0.5, 0.5], [20.5, 20.5]
image, footprint = reproject_from_healpix("north.fits", wcs, shape_out=(40, 40))
mixed = ((image < 0) & (image > hp.UNSEEN * 0.999)).sum()
print(f"smallest value {image.min():.1e}, {mixed} pixels are mixtures, footprint nowhere below {footprint.min():g}")
assert image.min() < -1.6e30 and mixed > 0 and footprint.min() == 1 and not np.isnan(image).any()
EOF
