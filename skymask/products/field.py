"""What the page and the figures of a dataset show: its maps, in as many pixels as a page has room for."""

from typing import NamedTuple

import numpy as np

from skymask.products.blocks import block_size, in_blocks
from skymask.registry import MAPS


class Field(NamedTuple):
    """What the figures of a dataset show, in as many pixels as its page has.

    Attributes
    ----------
    header : Header
        Of the products: sky coordinates, the dataset's name, how its loop ended.
    shape : (int, int)
        Of the maps in the files, (ny, nx).
    block : int
        Every pixel of the images below stands for block x block pixels, see `skymask.products.blocks.in_blocks`.
    images : dict of str to ndarray
        Maps that have a look, by their names, see `skymask.registry.MAPS`.
    coverage, exclusion_mask : ndarray of bool
        Where there is data, and which pixels are used; a block with an excluded pixel is excluded.
    masks : list of ndarray of bool
        Exclusion masks of iterations 0 (the user's), 1, ...
    """

    header: object
    shape: tuple
    block: int
    images: dict
    coverage: np.ndarray
    exclusion_mask: np.ndarray
    masks: list

    def in_blocks(self, n):
        """Return the field with n x n pixels in one."""
        return self._replace(
            block=self.block * n,
            images={name: in_blocks(image, n, MAPS[name].look.of_block) for name, image in self.images.items()},
            coverage=in_blocks(self.coverage, n, "max"),
            exclusion_mask=in_blocks(self.exclusion_mask, n, "min"),
            masks=[in_blocks(mask, n, "min") for mask in self.masks],
        )


def field_of(images, masks, header):
    """Return what is shown of maps.

    Parameters
    ----------
    images : dict of str to ndarray, shape (ny, nx)
        `coverage` and other maps that have a look; or anything of which rows can be had, see
        `skymask.products.blocks.in_blocks`: of a large map, no more than some rows are in memory then.
    masks : iterable of ndarray
        Exclusion masks of iterations 0 (the user's), 1, ..., and the final one.
    header : Header
        Of a product.
    """
    shape = tuple(images["coverage"].shape)
    block = block_size(shape)
    shown = {name: in_blocks(image, block, MAPS[name].look.of_block) for name, image in images.items()}
    *masks, exclusion_mask = (in_blocks(mask, block, "min") == 1 for mask in masks)
    coverage = shown.pop("coverage") == 1
    return Field(header, shape, block, shown, coverage, exclusion_mask, masks)
