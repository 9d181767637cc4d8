#!/usr/bin/env bash
# A gammapy map whose header says FK5 with EQUINOX 1950.
# Guess: Map.get_coord() and Map.get_by_coord() take the equinox of the header into account, as astropy's own WCS
#   does.
# Hurts: whoever brings maps of old surveys to gammapy.
