#!/usr/bin/env bash
# A table with a column called 'RA deg', written as VOTable and read again by astropy.
# Guess: the column has the name that it had.
# Hurts: whoever keeps catalogues as VOTables.
