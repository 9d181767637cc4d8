#!/usr/bin/env bash
# A Fermi template whose ENERGIES are in GeV, as its TUNIT says, read by gammapy.
# Guess: units are converted, as those of EBOUNDS are.
# Hurts: whoever makes exposures or templates with own scripts.
