#!/usr/bin/env bash
# Pixels that no input covers, in reproject_and_coadd.
# Guess: they are NaN, as reproject_interp makes them.
# Hurts: whoever stacks maps with it before a significance.
