#!/usr/bin/env bash
# A partial HEALPix mask of small integers, read by healpy.
# Guess: pixels that are not in the file are 0, or the map is masked there.
# Hurts: whoever shares exclusion masks as partial HEALPix files.
