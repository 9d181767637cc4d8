#!/usr/bin/env bash
# A multi-order (NUNIQ) sky map, read by healpy.read_map.
# Guess: it is refused.
# Hurts: whoever reads gravitational-wave sky maps.
