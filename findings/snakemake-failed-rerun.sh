#!/usr/bin/env bash
# A rule that fails when it runs again, whose output of the first run was good.
# Guess: the good file of the first run is kept until a new one is there.
# Hurts: whoever changes a setting that turns out wrong.
