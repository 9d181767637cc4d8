"""The command `skymask`."""
