#!/usr/bin/env bash
# Configuration in a Snakemake profile, and another key by --config.
# Guess: both are set.
# Hurts: whoever keeps a site's settings in a profile.
