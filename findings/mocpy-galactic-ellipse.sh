#!/usr/bin/env bash
# MOC.from_astropy_regions of an ellipse in galactic coordinates.
# Guess: the same ellipse on the sky, wherever its frame.
# Hurts: whoever turns DS9 regions of the Galactic plane into a MOC.
