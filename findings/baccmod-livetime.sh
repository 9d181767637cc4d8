#!/usr/bin/env bash
# A background model that BAccMod makes of a run with dead time, and gammapy's background of the same run with it.
# Guess: as many events as the run has.
# Seen: BAccMod divides by the live time, and gammapy multiplies by the time on the sky, as the format has it: with a
#   fifth of dead time a quarter too many.
# With: baccmod 0.4.1, gammapy 2.1, regions 0.11, astropy 7.2.0.
# Hurts: whoever fits spectra with such a model, or compares runs of different dead times.
# Date: 2026-11-29.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
cd "$folder"
venv/bin/pip install -qq --no-compile --disable-pip-version-check \
  baccmod==0.4.1 gammapy==2.1 regions==0.11 astropy==7.2.0
venv/bin/python -W ignore - <<'EOF'
import astropy.units as u
import numpy as np
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.table import Table
from astropy.time import Time
from baccmod import RadialAcceptanceMapCreator
from gammapy.data import EventList, FixedPointingInfo, GTI, Observation, ObservationMetaData, Observations
from gammapy.irf import EffectiveAreaTable2D
from gammapy.makers.utils import make_map_background_irf
from gammapy.maps import MapAxis, WcsGeom

start, centre, random = Time("2020-01-01", scale="tt"), SkyCoord(83, 22, unit="deg"), np.random.default_rng(0)
radius, angle = np.sqrt(random.uniform(0, 4, 20000)) * u.deg, random.uniform(0, 360, 20000) * u.deg
sky = centre.directional_offset_by(angle, radius)
events = Table({"RA": sky.ra, "DEC": sky.dec, "ENERGY": 10 ** random.uniform(0, 1, 20000) * u.TeV})
events["TIME"] = start + np.linspace(1, 999, 20000) * u.s
energy, true = (MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=4, name=f"energy{end}") for end in ("", "_true"))
offset = MapAxis.from_edges([0, 0.5, 1, 1.5, 2] * u.deg, name="offset")
geom = WcsGeom.create(skydir=centre, width=3, binsz=0.05, axes=[energy])

def background(dead):
    run = Observation(
        obs_id=1,
        meta=ObservationMetaData(deadtime_fraction=dead),
        aeff=EffectiveAreaTable2D([true, offset], np.ones((4, 4)), unit="m2"),
        events=EventList(events),
        gti=GTI.create([0] * u.s, [1000] * u.s, start),
        pointing=FixedPointingInfo(fixed_icrs=centre),
        location=EarthLocation.from_geodetic(0, 28),
    )
    model = RadialAcceptanceMapCreator(energy, offset).create_model(Observations([run]))
    return make_map_background_irf(run.pointing, run.observation_time_duration, model, geom, start).data.sum()

alive, dead = background(0), background(0.2)
print(f"background for the same events: {alive:.0f} without dead time, {dead:.0f} with a fifth of it")
assert abs(dead / alive - 1.25) < 1e-6
EOF
