#!/usr/bin/env bash
# The WCS of an X-ray event list by astropy.wcs.WCS(header, keysel=['pixel']).
# Guess: a WCS of two axes, those of the columns X and Y, in the frame that RADECSYS and EQUINOX of the header name.
# Seen: the frame is ICRS: RADECSYS and EQUINOX are passed over, as only RADEna and EQUIna of the column count.
#   Positions of an FK4 list are 0.70 degrees off.
# With: astropy 8.0.2.
# Hurts: whoever bins Chandra, XMM or ROSAT events.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
from astropy.coordinates import FK4, SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

events = fits.BinTableHDU.from_columns([fits.Column("X", "E", array=[1.0]), fits.Column("Y", "E", array=[1.0])])
for column, name, pixel, value, step in ((1, "RA---TAN", 512.5, 83.0, -1e-3), (2, "DEC--TAN", 512.5, 22.0, 1e-3)):
    events.header[f"TCTYP{column}"], events.header[f"TCRPX{column}"] = name, pixel
    events.header[f"TCRVL{column}"], events.header[f"TCDLT{column}"] = value, step
    events.header[f"TCUNI{column}"] = "deg"
events.header["RADECSYS"], events.header["EQUINOX"] = "FK4", 1950.0
found = WCS(events.header, keysel=["pixel"]).pixel_to_world(511.5, 511.5)
right = SkyCoord(83, 22, unit="deg", frame=FK4(equinox="B1950"))
shift = found.separation(right.icrs).deg
print(f"frame of the events: {found.frame.name}, {shift:.2f} deg from where the header puts them")
assert found.frame.name == "icrs" and 0.5 < shift < 0.8
EOF
