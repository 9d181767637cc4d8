#!/usr/bin/env bash
# A partial HEALPix mask of small integers, read by healpy.
# Guess: pixels that are not in the file are 0, or the map is masked there.
# Seen: the map is of floats, -1.6e30 where the file says nothing, even if dtype=bool is asked for: as a mask nearly
#   all of the sky is True.
# With: healpy 1.20.1, astropy 8.0.2, numpy 2.4.6.
# Hurts: whoever shares exclusion masks as partial HEALPix files.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check healpy==1.20.1 astropy==8.0.2 numpy==2.4.6
venv/bin/python -W ignore - <<'EOF'
import healpy as hp
import numpy as np
from astropy.io import fits

columns = [fits.Column("PIXEL", "J", array=np.arange(100)), fits.Column("MASK", "B", array=np.arange(100) >= 50)]
table = fits.BinTableHDU.from_columns(columns)
table.header.update(PIXTYPE="HEALPIX", ORDERING="RING", NSIDE=64, INDXSCHM="EXPLICIT", OBJECT="PARTIAL", COORDSYS="C")
table.writeto("mask.fits")
mask = hp.read_map("mask.fits", dtype=bool)
print(f"50 True and 50 False pixels in the file: {mask.astype(bool).sum()} True of {mask.size}, type {mask.dtype}")
assert mask.dtype == float and mask.min() < -1.6e30 and mask.astype(bool).sum() == mask.size - 50
EOF
