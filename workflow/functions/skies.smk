"""HEALPix maps: their fields, and what is put together of them.

Needs: SETTINGS, SKIES, SHARD. Makes: functions that the rules of fields and skies name.
"""

from skymask.io import file_names

#: Maps that are put together on the pixels of a HEALPix map.
JOINED = (
    "counts",
    "coverage",
    "background",
    "background_error",
    "counts_off",
    "alpha",
    "significance",
    "excess",
    "excess_errn",
    "excess_errp",
    "excess_upper_limit",
    "exclusion_mask",
    "exclusion_mask_inverse",
)


def healpix_files(wildcards):
    """Return the files of the HEALPix map of which a field is cut out, or whose fields are put together."""
    name = SKIES[wildcards.sky][0] if "sky" in wildcards.keys() else wildcards.dataset
    names = file_names.healpix_names(SETTINGS[name])
    return [file_names.split_name(name)[0] for name in names.values()]


def field_settings(wildcards):
    """Return of which HEALPix map a field is, and which."""
    return {key: SETTINGS[wildcards.dataset][key] for key in ("healpix", "field")}


def sky_settings(wildcards):
    """Return the settings of a HEALPix map."""
    return SETTINGS[SKIES[wildcards.sky][0]]["healpix"]


def fields_of_sky(wildcards):
    """Return the fields of a HEALPix map by the names of their datasets."""
    return {name: SETTINGS[name]["field"] for name in SKIES[wildcards.sky]}


def sky_identity(wildcards):
    """Return name, size and time of every file of a HEALPix map."""
    return identity(file_names.made_of(SETTINGS[SKIES[wildcards.sky][0]]))


def files_of_fields(wildcards):
    """Return the maps of which a sky is put together, of those fields that did not fail, and all statuses."""
    fields = SKIES[wildcards.sky]
    names = ["iteration-0/acceptance.fits", *(f"{name}.fits" for name in JOINED)]
    maps = [f"<results>/{field}/{name}" for field in fields if succeeded(field) for name in names]
    return {"maps": maps, "statuses": [f"<results>/{field}/status.json" for field in fields]}


def joined_of(sky):
    """Return what is put together of the fields of a HEALPix map; a run of a part of all datasets may lack some."""
    if SHARD is not None:
        return []
    names = [f"{name}.fits" for name in JOINED]
    return [f"<results>/{sky}/{name}" for name in (*names, "status.json", "plots/sky.png")]
