#!/usr/bin/env bash
# Two rules of one temp() file, finished; then the parameter of one is changed.
# Guess: the temporary file is made again, and only the changed rule runs on it.
# Hurts: whoever saves space with temp().
