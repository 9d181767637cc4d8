#!/usr/bin/env bash
# onsuccess and onerror of a Snakemake module.
# Guess: they run with the module's rules.
# Hurts: whoever puts a workflow that tidies or notifies into a larger one.
