#!/usr/bin/env bash
# A background table with an empty bin, between bins in gammapy.
# Guess: half way between a full and an empty bin the rate is half of the full one.
# Seen: the logarithm of the rate is interpolated, and a zero counts as the smallest number that there is: half way
#   the rate is 1e-154 of the full one, so that half of each neighbouring bin is empty, too.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever makes background tables from few events.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
import numpy as np
from gammapy.irf import Background2D
from gammapy.maps import MapAxis

energy = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=2)
offset = MapAxis.from_edges([0, 1, 2, 3] * u.deg, name="offset")
rates = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
background = Background2D(axes=[energy, offset], data=rates, unit="s-1 MeV-1 sr-1")
full, between = background.evaluate(energy=2 * u.TeV, offset=[1.5, 1.6] * u.deg).value.ravel()
print(f"rate {full:g} in the middle of a bin beside an empty one, {between:.0e} a tenth of a bin further on")
assert abs(full - 1) < 1e-6 and 0 < between < 1e-20
EOF
