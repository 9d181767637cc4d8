#!/usr/bin/env bash
# BLANK pixels of a scaled 16-bit image, read by fitsio and by astropy.
# Guess: both give NaN.
# Seen: astropy gives NaN; fitsio gives the scaled value of BLANK, a number like any other.
# With: fitsio 1.4.2, astropy 8.0.2.
# Hurts: whoever changes the reader for its speed.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check fitsio==1.4.2 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import fitsio
import numpy as np
from astropy.io import fits

cards = [("SIMPLE", True), ("BITPIX", 16), ("NAXIS", 2), ("NAXIS1", 2), ("NAXIS2", 1),
         ("BSCALE", 0.5), ("BZERO", 100.0), ("BLANK", -32768)]
stored = np.array([1, -32768], dtype=">i2").tobytes()
with open("blank.fits", "wb") as file:
    file.write(fits.Header(cards).tostring().encode() + stored.ljust(2880, b"\0"))
by_astropy, by_fitsio = fits.getdata("blank.fits")[0], fitsio.read("blank.fits")[0]
print(f"a known pixel and a blank one: astropy {by_astropy}, fitsio {by_fitsio}")
assert np.isnan(by_astropy[1]) and by_fitsio[1] == -16284
EOF
