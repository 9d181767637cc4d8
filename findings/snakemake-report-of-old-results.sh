#!/usr/bin/env bash
# snakemake --report after the configuration was changed and nothing was run.
# Guess: it refuses, or says that results are out of date.
# Hurts: whoever sends a report.
