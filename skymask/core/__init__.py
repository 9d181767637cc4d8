"""Kernels, sums, background, significance, limits and masks: functions of arrays, which read no file."""
