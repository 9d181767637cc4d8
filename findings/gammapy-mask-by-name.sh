#!/usr/bin/env bash
# Counts in an HDU called COUNTS_MASKED, read by gammapy.
# Guess: the name of an HDU changes nothing of its numbers.
# Seen: with 'mask' (or 'is_ul', 'success') anywhere in its name an image is read as True and False.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever names an image after what was done to it.
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
from gammapy.maps import Map, WcsGeom

header = WcsGeom.create(npix=10, binsz=0.1).to_header()
images = [fits.ImageHDU(np.full((10, 10), 7), header, name=name) for name in ("COUNTS", "COUNTS_MASKED")]
fits.HDUList([fits.PrimaryHDU(), *images]).writeto("counts.fits")
plain, masked = (Map.read("counts.fits", hdu=name).data for name in ("COUNTS", "COUNTS_MASKED"))
print(f"the same image, 700 counts: {plain.sum()} as COUNTS, {masked.sum()} ({masked.dtype}) as COUNTS_MASKED")
assert plain.sum() == 700 and masked.dtype == bool
EOF
