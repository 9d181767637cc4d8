#!/usr/bin/env bash
# The threads of a rule under Snakemake's SGE plugin.
# Guess: as many slots are asked for, and the memory is shared among them.
# Hurts: whoever runs rules with threads under Grid Engine.
