"""Sky positions: grids of pixels, reprojection, regions and kernels in angles."""
