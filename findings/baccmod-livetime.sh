#!/usr/bin/env bash
# A background model that BAccMod makes of a run with dead time, and gammapy's background of the same run with it.
# Guess: as many events as the run has.
# Hurts: whoever fits spectra with such a model, or compares runs of different dead times.
