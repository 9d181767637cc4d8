#!/usr/bin/env bash
# A Fermi template whose ENERGIES are in GeV, as its TUNIT says, read by gammapy.
# Guess: units are converted, as those of EBOUNDS are.
# Seen: the unit of ENERGIES is passed over: its numbers are taken as MeV. That of EBOUNDS is read.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever makes exposures or templates with own scripts.
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

header, columns = WcsGeom.create(npix=3, binsz=1).to_header(), fits.BinTableHDU.from_columns
nodes = fits.Column("Energy", "D", unit="GeV", array=[0.1, 1, 10])
edges = [fits.Column("E_MIN", "D", unit="GeV", array=[0.1, 1]), fits.Column("E_MAX", "D", unit="GeV", array=[1, 10])]
files = {"fgst-template": (3, columns([nodes], name="ENERGIES")), "fgst-ccube": (2, columns(edges, name="EBOUNDS"))}
first = {}
for kind, (planes, table) in files.items():
    fits.HDUList([fits.PrimaryHDU(np.ones((planes, 3, 3)), header), table]).writeto(f"{kind}.fits")
    axis = Map.read(f"{kind}.fits", format=kind).geom.axes[0]
    first[kind] = (axis.edges if kind == "fgst-ccube" else axis.center)[0].to_value("GeV")
print("0.1 GeV is read as {fgst-ccube:g} GeV from EBOUNDS and as {fgst-template:g} GeV from ENERGIES".format(**first))
assert np.allclose([first["fgst-ccube"], first["fgst-template"]], [0.1, 0.0001])
EOF
