#!/usr/bin/env bash
# A circle on the sky as a region of a gammapy CAR map at high latitude.
# Guess: WcsGeom.region_mask marks the pixels whose centres lie within the radius of its centre.
# Hurts: whoever excludes circles on all-sky maps.
