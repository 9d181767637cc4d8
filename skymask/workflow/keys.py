"""Keys of the settings that jobs of several rules need."""

#: What makes a background, and says which source kernels it must be clear of.
KERNEL_KEYS = ("source_kernel", "mask_source_kernels", "background_kernel", "statistic")

#: What makes a mask of a significance map.
MASK_KEYS = (
    "dilation_radius",
    "threshold",
    "threshold_low",
    "threshold_in_widths",
    "min_pixels",
    "max_hole_pixels",
    "region_growth",
    "mask_update",
    "starved_pixels",
)
