#!/usr/bin/env bash
# A minus region on the first line of a DS9 file, read by pyregion.
# Guess: what it excludes stays excluded, wherever its line stands.
# Seen: a minus region takes away from the lines above it alone: on the first line it does nothing.
# With: pyregion 2.3.0, astropy 8.0.2, numpy 2.4.6.
# Hurts: whoever sorts region files or joins several.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check pyregion==2.3.0 astropy==8.0.2 numpy==2.4.6
venv/bin/python -W ignore - <<'EOF'
import pyregion
from astropy.io import fits

header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 83.0, "CRVAL2": 22.0, "CRPIX1": 51.0,
                      "CRPIX2": 51.0, "CDELT1": -0.1, "CDELT2": 0.1})
large, hole = "circle(83,22,2)", "-circle(83,22,1)"
last, first = (
    pyregion.parse("fk5\n" + "\n".join(lines)).get_mask(header=header, shape=(101, 101)).sum()
    for lines in ((large, hole), (hole, large))
)
print(f"pixels of a ring: {last} with the minus region last, {first} with it first")
assert last < 1000 and first > 1200
EOF
