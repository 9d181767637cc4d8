#!/usr/bin/env bash
# A file deleted from an RO-Crate with rocrate, the crate written anew to another folder.
# Guess: the file is not in the new folder.
# Hurts: whoever removes a file that must not be published.
