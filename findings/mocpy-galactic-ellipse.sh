#!/usr/bin/env bash
# MOC.from_astropy_regions of an ellipse in galactic coordinates.
# Guess: the same ellipse on the sky, wherever its frame.
# Seen: its angle is taken as one to the celestial north: at the Galactic centre the ellipse is turned by 59 degrees
#   and shares 3 of 10 of its pixels with the right one. In ICRS the same ellipse is right.
# With: mocpy 0.21.0, regions 0.12, astropy 8.0.2.
# Hurts: whoever turns DS9 regions of the Galactic plane into a MOC.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check mocpy==0.21.0 regions==0.12 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from mocpy import MOC
from regions import EllipseSkyRegion

def shared(frame, ctype):
    centre = SkyCoord(0, 0, unit="deg", frame="galactic").transform_to(frame)
    ellipse = EllipseSkyRegion(centre, 10 * u.deg, 2 * u.deg, 0 * u.deg)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cdelt, wcs.wcs.crpix = ctype, [-0.1, 0.1], [101, 101]
    wcs.wcs.crval = [centre.spherical.lon.deg, centre.spherical.lat.deg]
    sky = wcs.pixel_to_world(*np.meshgrid(np.arange(201), np.arange(201)))
    right = ellipse.contains(sky, wcs)
    return MOC.from_astropy_regions(ellipse, max_depth=9).contains_skycoords(sky)[right].mean()

galactic, icrs = shared("galactic", ["GLON-TAN", "GLAT-TAN"]), shared("icrs", ["RA---TAN", "DEC--TAN"])
print(f"share of the ellipse that its MOC covers: {galactic:.2f} if given in galactic, {icrs:.2f} in ICRS")
assert galactic < 0.4 and icrs == 1
EOF
