#!/usr/bin/env bash
# UNSEEN pixels of a HEALPix map in reproject_from_healpix.
# Guess: they become NaN, or footprint 0.
# Hurts: whoever brings a partial HEALPix map onto an image.
