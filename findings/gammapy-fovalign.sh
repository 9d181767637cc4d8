#!/usr/bin/env bash
# The same background table with FOVALIGN RADEC and ALTAZ, for a pointing on the meridian south of the zenith.
# Guess: there up is north, so that both give the same map.
# Seen: left and right are exchanged: in both alignments the longitude of the field of view runs against that of its
#   frame, and azimuth runs against right ascension there.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever measures a background in camera coordinates and asks for the simpler alignment.
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
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from gammapy.data import FixedPointingInfo
from gammapy.irf import Background3D
from gammapy.makers.utils import make_map_background_irf
from gammapy.maps import MapAxis, WcsGeom

site, centre = EarthLocation.from_geodetic(0, 28), SkyCoord(83, 22, unit="deg")
day = Time("2020-01-01", scale="tt") + np.arange(0, 86164, 10) * u.s
culmination = day[np.argmax(centre.transform_to(AltAz(obstime=day, location=site)).alt)]
energy = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=2)
lon, lat = (MapAxis.from_edges([-2, -1, 0, 1, 2] * u.deg, name=f"fov_{axis}") for axis in ("lon", "lat"))
rates = np.full((2, 4, 4), 1e-6)
rates[:, 2:] = 3e-6  # three times as much at positive longitude of the field of view
geom = WcsGeom.create(skydir=centre, npix=40, binsz=0.1, axes=[energy])
east = {}
for alignment in ("RADEC", "ALTAZ"):
    table = Background3D([energy, lon, lat], rates, unit="s-1 MeV-1 sr-1", fov_alignment=alignment)
    pointing = FixedPointingInfo(fixed_icrs=centre)
    counts = make_map_background_irf(pointing, 10 * u.s, table, geom, culmination, location=site).data
    east[alignment] = counts[..., :20].sum() / counts.sum()
print(f"share of the background in the eastern half: RADEC {east['RADEC']:.2f}, ALTAZ {east['ALTAZ']:.2f}")
assert east["RADEC"] < 0.3 and east["ALTAZ"] > 0.7
EOF
