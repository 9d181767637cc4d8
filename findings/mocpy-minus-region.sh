#!/usr/bin/env bash
# MOC.from_astropy_regions of a circle with an excluded circle within.
# Guess: a circle with a hole.
# Hurts: whoever turns DS9 files with minus regions into a MOC.
