#!/usr/bin/env bash
# A profile whose default-resources has mem_mb_per_cpu, and a rule that asks for mem_mb, with the Slurm plugin.
# Guess: what the rule asks for beats a default.
# Hurts: whoever runs a workflow on a cluster that counts memory per core.
