#!/usr/bin/env bash
# Events between two good time intervals in gammapy's MapDatasetMaker.
# Guess: they are left out of the counts, as the time between the intervals is left out of the livetime.
# Seen: the livetime is that of the intervals, and all events are counted.
# With: gammapy 2.1, regions 0.11, astropy 8.0.2.
# Hurts: whoever edits the GTI table of a run and leaves its events alone.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check gammapy==2.1 regions==0.11 astropy==8.0.2
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.table import Table
from astropy.time import Time
from gammapy.data import EventList, FixedPointingInfo, GTI, Observation
from gammapy.makers import MapDatasetMaker
from gammapy.maps import MapAxis, WcsGeom

start, centre = Time("2020-01-01", scale="tt"), SkyCoord(83, 22, unit="deg")
events = Table({"RA": [83.0] * 3 * u.deg, "DEC": [22.0] * 3 * u.deg, "ENERGY": [2.0] * 3 * u.TeV})
events["TIME"] = start + [500, 1500, 2500] * u.s
run = Observation(
    obs_id=1,
    events=EventList(events),
    gti=GTI.create([0, 2000] * u.s, [1000, 3000] * u.s, start),
    pointing=FixedPointingInfo(fixed_icrs=centre),
    location=EarthLocation.from_geodetic(0, 28),
)
energy = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
counts = MapDatasetMaker.make_counts(WcsGeom.create(skydir=centre, npix=9, binsz=0.1, axes=[energy]), run)
livetime = run.observation_live_time_duration.to_value("s")
print(f"livetime {livetime:.0f} s of 3000 s, counts {counts.data.sum():.0f}, one of them between the intervals")
assert abs(livetime - 2000) < 1 and counts.data.sum() == 3
EOF
