#!/usr/bin/env bash
# The same entity described twice in a PROV document, with another value of one attribute.
# Guess: the later value counts, or it is refused.
# Hurts: whoever records that a file was made again with another setting.
