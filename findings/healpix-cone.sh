#!/usr/bin/env bash
# The pixels of a cone by astropy-healpix and of a disc by healpy, called without options.
# Guess: the same pixels.
# Seen: healpy takes pixels whose centres lie within, astropy-healpix all that the cone touches: a quarter more at a
#   radius of five pixels.
# With: astropy-healpix 2.0.1, healpy 1.20.1.
# Hurts: whoever draws the same exclusion with both.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check astropy-healpix==2.0.1 healpy==1.20.1
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
import healpy as hp
import numpy as np
from astropy_healpix import HEALPix

cone = HEALPix(nside=64, order="ring").cone_search_lonlat(40 * u.deg, 10 * u.deg, radius=5 * u.deg)
disc = hp.query_disc(64, hp.ang2vec(40, 10, lonlat=True), np.radians(5))
print(f"pixels within 5 deg: {len(cone)} by astropy-healpix, {len(disc)} by healpy")
assert set(disc) < set(cone) and len(cone) > 1.2 * len(disc)
EOF
