#!/usr/bin/env bash
# One named input and one named parameter changed by 'use rule ... with'.
# Guess: in both, the names that are not given keep what the module says.
# Hurts: whoever builds on a module.
