"""Every setting of the configuration, defined once: make schema.

From here come the schema that checks a configuration, the defaults that complete it, the commented keys of config.yaml
and the page of all keys (see `settings_files.py`). Where the library has an option of the same name, its default and
its words are read from there.

A setting is an entry of a JSON schema, made by the functions below. Two keys more are for config.yaml alone: `comment`
is what stands beside it there, `example` its value there if it is not the default. The format `length` makes numbers
of texts such as "9 arcmin" (see `skymask.units.parse_length`), wherever a text is one; the format `path` fills in home
folders (~).
"""

import inspect
from dataclasses import fields

from skymask import registry, units
from skymask.core import kernels, limits
from skymask.datasets import exposures
from skymask.loop import null_simulations
from skymask.loop.options import CHOICES, Options
from skymask.products.colour_scales import scale_of
from skymask.sky.exclusion_regions import DEFAULT_FRAME

#: Defaults of the loop's options.
OPTIONS = {field.name: field.default for field in fields(Options)}

#: What in a schema the short words of these functions stand for.
BOUNDS = {"least": "minimum", "most": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"}

NUMBER = r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"


def default_of(function, name):
    """Return the default of a parameter of a function of the library."""
    return inspect.signature(function).parameters[name].default


def entry(kind, description, **more):
    """Return a setting of a type of JSON, or of several."""
    return {"description": description, "type": kind, **{BOUNDS.get(key, key): value for key, value in more.items()}}


def number(description, **more):
    """Return a setting that is a number."""
    return entry("number", description, **more)


def integer(description, **more):
    """Return a setting that is a whole number."""
    return entry("integer", description, **more)


def truth(description, **more):
    """Return a setting that is true or false."""
    return entry("boolean", description, **more)


def text(description, **more):
    """Return a setting that is a text."""
    return entry("string", description, minLength=1, **more)


def path(description, **more):
    """Return a setting that is the path of a file or a folder."""
    return text(description, format="path", **more)


def choice(description, words, **more):
    """Return a setting that is one of some words."""
    return {"description": description, "enum": list(words), **more}


def option(name, description, **more):
    """Return a setting that is one of the words that an option of the loop may have."""
    return choice(description, CHOICES[name], default=OPTIONS.get(name, CHOICES[name][0]), **more)


def mapping(description, keys, *, required=(), **more):
    """Return a setting with keys of its own."""
    needed = {"required": list(required)} if required else {}
    return entry("object", description, additionalProperties=False, **needed, properties=keys, **more)


def items(description, of, **more):
    """Return a setting that is a list of entries of a kind."""
    return entry("array", description, items=of, **more)


def pair(description, of, **more):
    """Return a setting that is a list of two entries of a kind."""
    return items(description, of, minItems=2, maxItems=2, **more)


def case(key, value, keys, *, required=()):
    """Return what keys a mapping has if one of them has a value, or, without a value, if it is there."""
    having = {"required": [key], **({} if value is None else {"properties": {key: {"const": value}}})}
    needed = {"required": list(required)} if required else {}
    keys = keys if value is None else {key: True, **keys}
    return {"if": having, "then": {"additionalProperties": False, **needed, "properties": keys}}


def of_kind(kind, description, **more):
    """Return a setting of a kind with a description of its own."""
    return {**kind, "description": description, **more}


def with_unit(known, sign=r"\+"):
    """Return the pattern of a number with one of some units."""
    return rf"^\s*{sign}?{NUMBER}\s*({'|'.join(known)})\s*$"


# Kinds, which several settings share.

PATH = path('Path of a FITS file; with several images in it, followed by the name of one, as in "maps.fits[COUNTS]".')

ANGLE = entry(
    "string",
    "A length on the sky with its unit (deg, arcmin, arcsec, rad), or in pixels (px).",
    pattern=with_unit([*units.ANGLES, "px"]),
    format="length",
)
SKY_ANGLE = entry(
    "string",
    "A length on the sky with its unit (deg, arcmin, arcsec, rad).",
    pattern=with_unit(units.ANGLES),
    format="length",
)
COORDINATE = entry(
    "string",
    "An angle that may be negative, with its unit (deg, arcmin, arcsec, rad).",
    pattern=with_unit(units.ANGLES, sign="[+-]"),
    format="length",
)
ENERGY = {
    "title": "an energy with its unit, such as '0.5 TeV'",
    "type": "string",
    "pattern": with_unit(units.ENERGIES),
}
POSITION = pair("Longitude and latitude.", COORDINATE)
OFFSET = pair("Distance from the centre in longitude and latitude.", COORDINATE)
FRAME = choice("Frame of the coordinates.", ["icrs", "galactic"], default=DEFAULT_FRAME)
LONGITUDE = text("Column of longitudes; without it a usual name (RA, RAJ2000, GLON, ...), in either case.")
LATITUDE = text("Column of latitudes; as for `longitude`.")
WHERE = text(
    'Only rows that pass a condition: comparisons of columns with numbers or quoted texts, joined by "and", as in '
    "\"Vmag < 6 and Class == 'star'\"; columns with blanks stand in backticks. Rows without the number do not pass."
)

#: Keys of a kernel by its shape; those without a default must be given.
SHAPES = {
    "disk": {"radius": ANGLE},
    "ring": {"inner_radius": ANGLE, "width": ANGLE},
    "gaussian": {"sigma": ANGLE},
    "array": {
        "path": path(
            "Path of a FITS image with odd sides, the image of a single count: the weight above and to the right of "
            "its centre is that of counts below and to the left."
        )
    },
    "field_of_view": {
        "tilt": truth(
            "Whether the norm is a linear function of the position on the map, fitted to all used pixels, instead of "
            "one number.",
            default=default_of(kernels.field_of_view, "tilt"),
        ),
    },
    "adaptive_ring": {
        "inner_radius": of_kind(ANGLE, "Inner radius of the smallest ring."),
        "width": of_kind(ANGLE, "Width of the smallest ring."),
        "step": of_kind(ANGLE, "By how much the outer radius grows from ring to ring.", default="0.08 deg"),
        "max_outer_radius": of_kind(
            ANGLE,
            "Largest outer radius; pixels for which no ring up to it suffices have no background.",
            default="1.7 deg",
        ),
        "alpha_max": number(
            "Largest ratio of on to off acceptance with which a ring suffices.",
            above=0,
            default=default_of(kernels.adaptive_ring, "alpha_max"),
        ),
        "excluded_fraction_max": number(
            "Largest fraction of excluded pixels with which a ring suffices; pixels of the ring outside the map or "
            "without coverage count neither way.",
            least=0,
            most=1,
            default=default_of(kernels.adaptive_ring, "excluded_fraction_max"),
        ),
        "keep": choice(
            "What stays as it is while the ring grows.",
            ["width", "inner_radius"],
            default=default_of(kernels.adaptive_ring, "keep"),
        ),
    },
}


def kernel(description, shapes, **more):
    """Return a setting that is a kernel of some shapes."""
    cases = [
        case("shape", shape, keys, required=[key for key, of_key in keys.items() if "default" not in of_key])
        for shape, keys in SHAPES.items()
    ]
    words = {"shape": {"enum": shapes}}
    return entry("object", description, required=["shape"], allOf=cases, properties=words, **more)


SOURCE_KERNEL = kernel(
    "Under which counts are summed for the significance. A kernel is one of {shape: disk, radius}, {shape: ring, "
    "inner_radius, width}, {shape: gaussian, sigma}, {shape: array, path}; one given for a dataset replaces the global "
    "one as a whole.",
    ["disk", "ring", "gaussian", "array"],
    comment="counts are summed under it",
    example={"shape": "disk", "radius": "0.1 deg"},
)
BACKGROUND_KERNEL = kernel(
    "From which pixels around the background is estimated; a kernel like `source_kernel`, or {shape: adaptive_ring, "
    "inner_radius, width, step, max_outer_radius, alpha_max, excluded_fraction_max, keep}, a ring that grows around "
    "each pixel until it suffices, or {shape: field_of_view, tilt}, the acceptance normalised to all used pixels.",
    ["disk", "ring", "gaussian", "array", "adaptive_ring", "field_of_view"],
    comment="the background is estimated from it",
    example={"shape": "ring", "inner_radius": "0.5 deg", "width": "0.3 deg"},
)
DILATION_RADIUS = of_kind(
    ANGLE,
    "Radius by which every excluded pixel grows.",
    comment="excluded pixels grow by this radius",
    example="0.3 deg",
)
EXCLUSION_REGION = {
    "type": "object",
    "anyOf": [{"required": ["shape"]}, {"required": ["file"]}, {"required": ["table"]}],
    "properties": {"shape": {"enum": ["circle", "ellipse"]}},
    "allOf": [
        case(
            "shape",
            "circle",
            {"center": POSITION, "radius": of_kind(SKY_ANGLE, "Radius of the circle."), "frame": FRAME},
            required=["center", "radius"],
        ),
        case(
            "shape",
            "ellipse",
            {
                "center": POSITION,
                "semi_axes": pair("Half the length along the first axis and across it.", SKY_ANGLE),
                "position_angle": of_kind(COORDINATE, "Angle of the first axis, from the frame's north through east."),
                "frame": FRAME,
            },
            required=["center", "semi_axes", "position_angle"],
        ),
        case(
            "file",
            None,
            {
                "file": path(
                    "Path of a DS9 region file in sky coordinates (its own frames), or of a MOC. What lies in regions "
                    "with a minus sign is taken from the others of the file; points, lines and texts are left out "
                    "with a warning."
                )
            },
        ),
        case(
            "table",
            None,
            {
                "table": path(
                    "Path of a table with one circle per row (.ecsv, .csv or .fits); of a FITS file with several "
                    'tables, followed by the name of one, as in "catalogue.fits[SOURCES]".'
                ),
                "radius": text(
                    "One radius for all rows, an angle with its unit, or a column (in degrees unless it says so).",
                    format="length",
                ),
                "longitude": LONGITUDE,
                "latitude": LATITUDE,
                "frame": FRAME,
                "where": WHERE,
            },
            required=["radius"],
        ),
    ],
}

# Settings of the analysis, for all datasets or for one alone.

ANALYSIS = {
    "source_kernel": SOURCE_KERNEL,
    "further_source_kernels": entry(
        "object",
        "Kernels by name, each like `source_kernel`, under which the final significance, excess and limits are "
        "computed too, from the final background and without running the loop again. Those of a dataset add to the "
        "global ones.",
        additionalProperties=SOURCE_KERNEL,
        default={},
        comment="name -> kernel: final significance, excess and limits under it, too",
    ),
    "mask_source_kernels": items(
        "Further kernels, each like `source_kernel`, that look for sources in every iteration: a pixel is excluded if "
        "its significance under `source_kernel` or any of these says so. The background is the same for all; with the "
        'statistic "wstat", `background_kernel` is cleared of every one. A list given for a dataset replaces the '
        "global one as a whole.",
        SOURCE_KERNEL,
        default=[],
        comment="further ones that look for sources in every iteration",
    ),
    "background_kernel": BACKGROUND_KERNEL,
    "energy_kernels": items(
        "Kernels of the energy bins of a cube, one item for each bin, in order: {source_kernel, background_kernel}. "
        "What an item lacks is the kernel for all bins.",
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"source_kernel": SOURCE_KERNEL, "background_kernel": BACKGROUND_KERNEL},
        },
        default=[],
        comment="kernels of single energy bins of a cube",
    ),
    "energy_masks": choice(
        'Whether the energy bins of a cube have one "common" mask, from the significance of their sum, or "each" a '
        "loop and a mask of its own: the bins are then datasets {name}.bin-0, {name}.bin-1, ..., put together in "
        "{name}/energy.",
        ["common", "each"],
        default="common",
        comment="one common mask for all energy bins, or each its own",
    ),
    "stacking": option(
        "stacking",
        'What the stack of runs or energy bins has from its parts beside the background: the "variance" of the '
        'background, which the significance needs, or the sum of the off counts ("counts_off"), as in gammapy.',
        comment="what a stack conserves: variance or counts_off",
    ),
    "dilation_radius": DILATION_RADIUS,
    "statistic": option(
        "statistic",
        '"wstat" takes the background as measured from the same map (Li & Ma 1983, eq. 17), "cash" as known.',
        comment="wstat (background measured from the map) or cash (background known)",
    ),
    "background_systematic": number(
        "Relative systematic error of the background (0.01 is one per cent), folded into the significance, and so into "
        "the mask, and into errors and upper limits of the excess. Background, its error, off counts, alpha and the "
        "errors of regions are without it. It keeps deep fields from excluding the errors of their acceptance.",
        least=0,
        most=1,
        default=OPTIONS["background_systematic"],
        comment="relative systematic error of the background, within the significance",
    ),
    "threshold": number(
        "Significance, in standard deviations, at and above which a pixel is excluded.",
        above=0,
        most=1000,
        default=OPTIONS["threshold"],
        comment="significance at and above which a pixel is excluded",
    ),
    "threshold_low": entry(
        ["number", "null"],
        "Hysteresis: pixels at or above this significance, in standard deviations, are excluded too if they are "
        "connected with one at or above `threshold`. null for no hysteresis.",
        above=0,
        default=OPTIONS["threshold_low"],
        comment="hysteresis: connected pixels down to this significance are excluded, too",
    ),
    "threshold_in_widths": truth(
        "Whether `threshold` and `threshold_low`, and the level down to which regions grow, count from the mean of the "
        "off-source distribution in units of its width, as measured with the mask of the iteration before, instead of "
        "in standard deviations from 0: fields whose acceptance is not perfect have a width above 1.",
        default=OPTIONS["threshold_in_widths"],
        comment="thresholds count in measured off-source widths, from the off-source mean",
    ),
    "min_pixels": integer(
        "Connected regions of fewer pixels are not excluded (pixels that touch at a corner are connected).",
        least=1,
        default=OPTIONS["min_pixels"],
        comment="smaller connected regions are not excluded",
    ),
    "max_hole_pixels": integer(
        "Holes in excluded regions of up to this many pixels are excluded too. What touches the border of the map or "
        "pixels without coverage is no hole.",
        least=0,
        default=OPTIONS["max_hole_pixels"],
        comment="holes of up to this many pixels are excluded, too",
    ),
    "region_growth": entry(
        ["object", "null"],
        "Growth of each excluded region before the dilation, up to max_radius. {law: king, sigma, gamma, level, "
        "max_radius} by its peak: to where a point source with this King profile in the significance map has fallen "
        "from the threshold (threshold_low, if there is one) to the significance level. {law: size, factor, "
        "max_radius} by its size: factor times the radius of the disk of its area. null for no growth.",
        required=["law"],
        properties={"law": {"enum": ["king", "size"]}},
        allOf=[
            case(
                "law",
                "king",
                {
                    "sigma": ANGLE,
                    "gamma": number("Exponent of the King profile; the smaller, the longer the tails.", above=1),
                    "level": number(
                        "Significance, in standard deviations, down to which the tail of a source is excluded.",
                        above=0,
                    ),
                    "max_radius": ANGLE,
                },
                required=["sigma", "gamma", "level", "max_radius"],
            ),
            case(
                "law",
                "size",
                {
                    "factor": number("Growth over the radius of the disk of the region's area.", above=0),
                    "max_radius": ANGLE,
                },
                required=["factor", "max_radius"],
            ),
        ],
        default=OPTIONS["region_growth"],
        comment="or {law: king, ...} by a region's peak, {law: size, ...} by its size",
    ),
    "mask_update": option(
        "mask_update",
        "Whether a new mask replaces the last one, or the excluded pixels only ever grow.",
        comment="replace, or grow (once excluded, always excluded)",
    ),
    "starved_pixels": option(
        "starved_pixels",
        'What becomes of pixels whose background kernel finds no usable pixel: "keep" their last decision, or "use" '
        "them.",
        comment="keep the last decision where the background is undefined, or use",
    ),
    "convergence": mapping(
        "When the loop ends, and which mask is final.",
        {
            "max_iterations": integer(
                "The loop ends after this many iterations.",
                least=1,
                most=10000,
                default=OPTIONS["max_iterations"],
            ),
            "changed_pixels": integer(
                "Largest number of pixels that may differ from the last mask for the loop to count as converged.",
                least=0,
                default=OPTIONS["changed_pixels"],
                comment="difference from the last mask that counts as converged",
            ),
            "on_cycle": option(
                "on_cycle",
                'Final mask when masks repeat: "union" excludes what any mask of the cycle excludes, "last" takes the '
                'last mask, "fail" ends the dataset as failed.',
                comment="union, last or fail",
            ),
            "on_max_iterations": option(
                "on_max_iterations",
                'What happens when the mask still changes after `max_iterations`; "last" takes the last mask.',
                comment="last or fail",
            ),
            "max_excluded_fraction": number(
                "The loop counts as run away, and ends, when it excludes a larger fraction of the covered pixels that "
                "the user's mask left to it.",
                above=0,
                most=1,
                default=OPTIONS["max_excluded_fraction"],
                comment="beyond it the loop has run away",
            ),
        },
    ),
    "exclusion_regions": items(
        "Regions that are excluded in every iteration, besides those of `exclusion_mask`: pixels whose centres lie in "
        "any of them. A list given for a dataset replaces the global one as a whole. An entry is one of {shape: "
        "circle, center, radius}, {shape: ellipse, center, semi_axes, position_angle}, {file} (DS9 regions), {table, "
        "radius} (a catalogue).",
        EXCLUSION_REGION,
        default=[],
        comment="excluded for ever: circles, ellipses, DS9 files, catalogues",
    ),
    "spectral_index": number(
        "Index of the power law, flux per energy in proportion to energy^(-index), for which exposures at energies are "
        "integrated over energy bins: that of the background.",
        least=-10,
        most=10,
        default=exposures.DEFAULTS.spectral_index,
        comment="of the power law for which exposures at energies are integrated over bins",
    ),
    "energy_range": pair(
        "Energies of counts without an energy axis, for exposures at energies, with units (eV, keV, MeV, GeV, TeV, "
        "PeV); without it those of `cuts.energy`, or of the keywords DSTYP and DSVAL in the header of the counts or "
        "events.",
        ENERGY,
    ),
    "min_acceptance_fraction": number(
        "Pixels whose acceptance is below this fraction of its largest value count as without coverage.",
        least=0,
        below=1,
        default=0,
        comment="below this fraction of the largest acceptance there is no coverage",
    ),
    "limits": mapping(
        "Upper limits of the excess; changing them computes the limits anew and nothing of the loop.",
        {
            "confidence_level": number(
                "Confidence level of the upper limits, one-sided: 0.95 lies 1.645 standard deviations above the best "
                "fit, and 0.97725 is `n_sigma_ul=2` of gammapy.",
                above=0.5,
                below=1,
                default=default_of(limits.compute_limits, "confidence_level"),
                comment="of the upper limits of the excess, one-sided",
            ),
        },
    ),
    "null_simulations": mapping(
        "Simulations of the final background without sources, analysed in one step with the final mask: they give the "
        "errors of the off-source mean and width and the number of trials behind the highest significance.",
        {
            "number": integer(
                "How many, 0 for none; the errors that N of them give have themselves relative errors of 1 / sqrt(2 "
                "N), the number of trials one of 1 / sqrt(N).",
                least=0,
                most=100000,
                default=default_of(null_simulations.simulate_null, "number"),
                comment="0 for none",
            ),
            "seed": integer(
                "Seed of the random numbers.",
                least=0,
                default=default_of(null_simulations.simulate_null, "seed"),
            ),
        },
        comment="of the background alone: errors of quality figures, number of trials",
    ),
    "quality": mapping(
        "A result passes up to these values, and is warned of beyond.",
        {
            "off_source_mean": number(
                "Largest distance of the off-source mean from 0, in standard deviations.",
                above=0,
                default=0.2,
                comment="distance from 0",
            ),
            "off_source_width": number(
                "Largest distance of the off-source width from 1, in standard deviations.",
                above=0,
                default=0.2,
                comment="distance from 1",
            ),
            "starved_fraction": number(
                "Largest fraction of the covered pixels that have no background.",
                least=0,
                most=1,
                default=0.1,
                comment="of the covered pixels: without a background",
            ),
            "few_counts_off_fraction": number(
                "Largest fraction of the covered pixels that have fewer than 10 off counts.",
                least=0,
                most=1,
                default=0.1,
                comment="of the covered pixels: with fewer than 10 off counts",
            ),
        },
        comment="a result passes up to these values, and is warned of beyond",
    ),
}

#: Settings that a scan may have several values of; a key within a key is written with a dot.
SCANNED = {
    **{
        key: ANALYSIS[key]
        for key in (
            "threshold",
            "threshold_low",
            "dilation_radius",
            "statistic",
            "background_systematic",
            "min_pixels",
            "max_hole_pixels",
            "mask_update",
            "starved_pixels",
        )
    },
    **{f"source_kernel.{key}": ANGLE for key in ("radius", "sigma")},
    **{f"background_kernel.{key}": ANGLE for key in ("radius", "sigma", "inner_radius", "width")},
}
ANALYSIS["scan"] = mapping(
    "Settings with several values each: the dataset is analysed with every combination of them too, and `scan.html` "
    "compares the masks and off-source widths (see docs/scans.md). A key within a key is written with a dot. One given "
    "for a dataset replaces the global one as a whole.",
    {key: {"type": "array", "minItems": 1, "items": of_key} for key, of_key in SCANNED.items()},
    default={},
    comment="several values of settings, as in {threshold: [4, 5, 6]}, compared in scan.html",
)

# Where the counts of a dataset come from.

OBSERVATIONS = mapping(
    "Instead of maps, runs of an observation store (DL3, in the open gamma-ray format; needs gammapy): counts and "
    "acceptance of every run are made of its events and of the background model among its response functions. A run is "
    "taken if `obs_ids`, `target` and `cone` all allow it; what is not given excludes nothing.",
    {
        "store": path("Folder with obs-index.fits and hdu-index.fits (or .fits.gz)."),
        "obs_ids": items("Identifiers of runs (OBS_ID).", {"type": "integer"}, minItems=1),
        "target": text("Target of the runs, as OBJECT or TARGET_NAME of the obs-index has it, in either case."),
        "cone": mapping(
            "Where runs point to, at most a radius away from a centre.",
            {
                "center": POSITION,
                "radius": of_kind(SKY_ANGLE, "Largest distance of the pointing from the centre."),
                "frame": FRAME,
            },
            required=["center", "radius"],
        ),
        "energy": pair("Range of the energy, with units (eV, keV, MeV, GeV, TeV, PeV).", ENERGY),
        "energy_bins": integer(
            "Number of energy bins of the maps, equal in the logarithm.", least=1, most=100, default=1
        ),
        "energy_oversampling": integer(
            "Into how many parts every energy bin is divided, equal in the logarithm: in each by itself the background "
            "model is integrated, as a power law between its edges, and it is decided whether its energies are safe.",
            least=1,
            most=1000,
            default=10,
        ),
        "offset_max": of_kind(
            SKY_ANGLE, "Pixels at and beyond this distance from a run's pointing have no coverage in it."
        ),
        "safe_mask": mapping(
            "Which energies of a run are safe; the names are those of gammapy's SafeMaskMaker.",
            {
                "methods": items(
                    '"aeff-default": the limits in the header of the effective area; "aeff-max": from where the '
                    'effective area is above `aeff_percent` of its maximum; "edisp-bias": from where the energy bias '
                    'is below `bias_percent`; "bkg-peak": from the part with the largest expected background. All that '
                    "are given must hold.",
                    {"enum": ["aeff-default", "aeff-max", "edisp-bias", "bkg-peak"]},
                    uniqueItems=True,
                    default=["aeff-default"],
                ),
                "aeff_percent": number("Percentage of the largest effective area.", least=0, below=100, default=10),
                "bias_percent": number("Percentage of the energy.", above=0, most=100, default=10),
                "fixed_offset": of_kind(
                    SKY_ANGLE,
                    'Distance from the pointing at which "aeff-max" and "edisp-bias" look.',
                    default="0 deg",
                ),
            },
            default={},
        ),
    },
    required=["store", "energy", "offset_max"],
)
GEOMETRY = entry(
    "object",
    "The pixels on which events are counted, or runs stacked: those of a map ({as: map.fits}), or a field of square "
    "pixels around a centre ({center, width, pixel_size, projection, frame}).",
    **case("as", None, {"as": of_kind(PATH, "Map whose pixels are taken; its values are not used.")}),
    **{
        "else": {
            "additionalProperties": False,
            "required": ["center", "width", "pixel_size"],
            "properties": {
                "center": POSITION,
                "width": pair("Extent in longitude and latitude.", SKY_ANGLE),
                "pixel_size": of_kind(SKY_ANGLE, "Size of the square pixels."),
                "projection": choice(
                    "TAN (a tangent plane) or CAR (plate carree), with the centre as the reference point.",
                    ["TAN", "CAR"],
                    default="TAN",
                ),
                "frame": FRAME,
            },
        }
    },
)
CUTS = mapping(
    "Which events are counted; all if not given. A pair holds a lower limit, which is included, and an upper one, "
    "which is not; null is no limit.",
    {
        "energy": pair(
            "Limits of the energy, with units (eV, keV, MeV, GeV, TeV, PeV): of the column ENERGY, or of PI by its "
            "unit or the rule of the instrument.",
            {**ENERGY, "type": ["string", "null"]},
        ),
        "time": pair(
            "Limits of the time, in UTC: dates with or without a time of day (2004-12-04T22:00:00), or modified Julian "
            "dates as numbers.",
            {
                "title": "a date such as '2004-12-04T22:00:00', or a modified Julian date as a number",
                "type": ["string", "number", "null"],
                "pattern": r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?$",
            },
        ),
        "zenith": pair(
            "Limits of the zenith angle (column ZENITH_ANGLE, or 90 degrees less the column ALT).",
            {
                "title": "an angle with its unit, such as '60 deg'",
                "type": ["string", "null"],
                "pattern": SKY_ANGLE["pattern"],
                "format": "length",
            },
        ),
        "offset": of_kind(
            SKY_ANGLE,
            "Largest distance from the pointing (RA_PNT and DEC_PNT in the header, or the column THETA).",
        ),
        "good_time_intervals": path(
            "Table with columns START and STOP in a FITS file (its table GTI, or the one named, as in "
            '"gti.fits[STDGTI]"); events outside these intervals are not counted. Event lists are usually made with '
            "theirs already."
        ),
    },
    minProperties=1,
)
HEALPIX = mapping(
    "Instead of a counts map, a HEALPix map of the whole sky or a part of it (RING or NESTED, with or without a column "
    "of pixel numbers). It is divided into overlapping fields, which are datasets of their own, and the results are "
    "put together on the HEALPix pixels again.",
    {
        "counts": of_kind(PATH, "HEALPix counts map; NaN or UNSEEN where there is no data."),
        "counts_column": text("Its column; without it there is one, or all are summed, such as energy channels."),
        "acceptance": of_kind(
            PATH,
            "Expected background per HEALPix pixel up to a factor, at the same NSIDE; 1 everywhere if not given.",
        ),
        "acceptance_column": text("Its column, where it has several."),
        "frame": choice(
            "Frame of the pixels (icrs or galactic), where the header has no COORDSYS.", ["icrs", "galactic"]
        ),
        "field_nside": integer(
            "NSIDE of the division of the sky; there are 12 field_nside^2 fields, of 58.6 / field_nside degrees each "
            "without their overlap, and those without data are left out.",
            least=1,
            default=4,
        ),
        "overlap": of_kind(
            SKY_ANGLE,
            "By how much fields are larger than their part of the sky on each side, at least what the kernels reach in "
            "one iteration; twice that if not given.",
        ),
        "pixel_size": of_kind(
            SKY_ANGLE,
            "Size of the square pixels of fields, no smaller than a HEALPix pixel; 1.5 times that if not given, with "
            "which every pixel holds the centre of at least one.",
        ),
    },
    required=["counts"],
)
SOURCE_COUNTS = number("Expected counts in all, where the acceptance is 1.", least=0, most=1000000000)
SIMULATED_SOURCE = {
    "type": "object",
    "required": ["offset", "counts"],
    "properties": {
        "shape": choice("Shape of the source.", ["gaussian", "point", "shell", "ridge"], default="gaussian")
    },
    "allOf": [
        {
            # The shape may be left out.
            **case(
                "shape",
                "gaussian",
                {
                    "offset": OFFSET,
                    "counts": SOURCE_COUNTS,
                    "sigma": pair("Standard deviation along longitude and latitude, before it is turned.", SKY_ANGLE),
                    "position_angle": of_kind(
                        COORDINATE, "By which the source is turned, from north through east; 0 if not given."
                    ),
                },
                required=["sigma"],
            ),
            "if": {"properties": {"shape": {"const": "gaussian"}}},
        },
        case("shape", "point", {"offset": OFFSET, "counts": SOURCE_COUNTS}),
        case(
            "shape",
            "shell",
            {
                "offset": OFFSET,
                "counts": SOURCE_COUNTS,
                "inner_radius": of_kind(SKY_ANGLE, "Inner radius of the shell."),
                "width": of_kind(SKY_ANGLE, "Its thickness."),
            },
            required=["inner_radius", "width"],
        ),
        case(
            "shape",
            "ridge",
            {
                "offset": OFFSET,
                "counts": of_kind(SOURCE_COUNTS, "Expected counts in the whole field, where the acceptance is 1."),
                "sigma": of_kind(SKY_ANGLE, "Standard deviation in latitude."),
            },
            required=["sigma"],
        ),
    ],
}
SIMULATE = mapping(
    "Instead of files, a simulated sky with known truth.",
    {
        "seed": integer("Seed of the random numbers.", least=0),
        "width": pair("Extent in longitude and latitude.", SKY_ANGLE),
        "pixel_size": of_kind(SKY_ANGLE, "Size of the square pixels."),
        "center": pair("Longitude and latitude of the centre.", COORDINATE, default=["0 deg", "0 deg"]),
        "frame": of_kind(FRAME, "Frame of the coordinates.", default="galactic"),
        "background": number(
            "Expected background counts per pixel, at the peak of the acceptance.", least=0, most=1000000
        ),
        "acceptance_sigma": of_kind(
            SKY_ANGLE, "Standard deviation of a Gaussian acceptance around the centre; flat if not given."
        ),
        "acceptance_gradient": pair(
            "By which fraction the acceptance rises from the centre to the edge of the field, towards larger longitude "
            "and towards larger latitude; their sizes together must be less than 1.",
            {"type": "number"},
            default=[0, 0],
        ),
        "holes": items(
            "Circles without exposure.",
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["offset", "radius"],
                "properties": {"offset": OFFSET, "radius": of_kind(SKY_ANGLE, "Radius of the circle.")},
            },
            default=[],
        ),
        "sources": items(
            "Sources, seen through the acceptance. One is {shape: gaussian, sigma, position_angle}, {shape: point}, "
            "all in one pixel, {shape: shell, inner_radius, width}, the projection of a homogeneous shell, or {shape: "
            "ridge, sigma}, the same at all longitudes of the field; each has an offset and counts.",
            SIMULATED_SOURCE,
            default=[],
        ),
    },
    required=["seed", "width", "pixel_size", "background"],
)
RUN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["counts"],
    "properties": {
        "run": {
            "description": "Name of the run; that of the counts file, without its ending, if not given.",
            "title": "a name",
            "type": "string",
            "pattern": r"^\S.*$",
        },
        "counts": of_kind(PATH, "Counts map of the run; NaN where there is no coverage."),
        "acceptance": of_kind(PATH, "Expected background per pixel up to a factor, which may differ from run to run."),
        "exposure": of_kind(PATH, "Instead of an acceptance, the exposure of the run, as for a dataset."),
        "coverage": of_kind(PATH, "Where the run has data (1) and where it has none (0)."),
        "additive_background": of_kind(
            PATH, "Known background of the run in counts per pixel; what is estimated comes on top of it."
        ),
    },
}
DATA = {
    "counts": of_kind(PATH, "Counts map; NaN where there is no coverage."),
    "acceptance": of_kind(
        PATH, "Expected background per pixel up to a factor (exposure or template); 0 or NaN without coverage."
    ),
    "exposure": of_kind(
        PATH,
        "Instead of an acceptance, an exposure (cm2 s, cm2 or s) on any grid: planes at energies, as of gtexpcube2, "
        "bexpmap, ctexpcube and gammapy, in the bins of the counts, or a single one. It is interpolated in position "
        "and in the logarithm of the energy, integrated over the energy bins of the counts for a power law of "
        "`spectral_index`, and multiplied by the solid angle of the pixels. An `acceptance` whose planes are at "
        "energies is taken as an exposure, too.",
    ),
    "coverage": of_kind(
        PATH,
        "Where there is data (1) and where there is none (0), on the grid of the counts, or as a HEALPix map or a MOC. "
        "Pixels without coverage are no excluded pixels: they never enter a sum, and no product is defined there.",
    ),
    "exclusion_mask": of_kind(
        PATH,
        "User's mask (1 used, 0 excluded); what it excludes stays excluded in every iteration. A mask on another grid "
        "is brought to that of the counts: each pixel takes the value of the mask's pixel in which its centre lies, "
        "and 1 where the mask has none. It may be a HEALPix map, or a MOC, of which what lies in it is 1.",
    ),
    "inverse_exclusion_mask": of_kind(
        PATH,
        "Instead of an exclusion mask, one of the opposite convention, as of ctools and photutils: 1 excluded, 0 used. "
        "All else is as for `exclusion_mask`.",
    ),
    "background": of_kind(PATH, "Initial background in counts per pixel, taken as known in the first iteration."),
    "events": entry(
        ["string", "array"],
        "Instead of a counts map, event lists: the path of a FITS file with a table EVENTS (open gamma-ray format, "
        'Fermi-LAT\'s FT1, X-ray telescopes; of another table, followed by its name, as in "run.fits[MYEVENTS]"), or '
        "a list of such paths; with wildcards (run_*.fits), or an observation list of ctools (.xml). Positions are the "
        "columns RA and DEC, or X and Y with sky coordinates in the header.",
        minLength=1,
        minItems=1,
        items={"type": "string", "minLength": 1, "format": "path"},
        format="path",
    ),
    "runs": entry(
        ["array", "string"],
        "Instead of a counts map, the maps of single runs (observations), or the path of a CSV table of them (columns "
        "`counts` and any of the other keys). Each run has its own footprint on a common grid of pixels; in every "
        "iteration each is estimated by itself with the common mask, and the next mask comes from their stack.",
        minItems=1,
        minLength=1,
        items=RUN,
        format="path",
    ),
    "observations": OBSERVATIONS,
    "energy_bin": integer("The only energy bin that is taken of cubes, counted from 0.", least=0),
    "geometry": GEOMETRY,
    "cuts": CUTS,
    "healpix": HEALPIX,
    "additive_background": of_kind(
        PATH,
        "Known background in counts per pixel of a component that does not follow the acceptance (particles, a diffuse "
        "model), zero or more, on the grid of the counts; what is estimated comes on top of it.",
    ),
    "simulate": SIMULATE,
}

# Settings of the run, for all datasets together.

FIGURE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["dataset"],
    "properties": {
        "dataset": entry("string", "Of which dataset."),
        "kind": choice(
            "Maps side by side; one wide map, such as that of a survey, in strips one above the other; the "
            "distribution of significances; excluded and changed pixels by iteration; or the iteration at which every "
            "pixel was first excluded.",
            ["maps", "strips", "significance", "convergence", "mask_evolution"],
            default="maps",
        ),
        "layers": items(
            "Which maps, in order, for the kind `maps`; for `strips` one, the significance if not given.",
            {"enum": list(registry.FIGURES)},
            minItems=1,
            uniqueItems=True,
            default=list(registry.FIGURES),
        ),
        "width": choice("A journal's column (3.5 inches) or page (7.2 inches).", ["column", "page"], default="page"),
        "cut": mapping(
            "The part of the maps that is shown; all of them if not given.",
            {
                "center": of_kind(POSITION, "Longitude and latitude in the map's own frame."),
                "width": pair("Extent along x and y.", SKY_ANGLE),
            },
            required=["center", "width"],
        ),
        "stretch": choice(
            "Of the colours of counts; log is linear below one count.", ["linear", "sqrt", "log"], default="sqrt"
        ),
        "contours": items("Significances at which contours are drawn over the maps.", {"type": "number"}, default=[]),
        "strips": integer("Into how many strips a map is cut, for the kind `strips`.", least=1, most=20, default=3),
        "labels": {
            **mapping(
                "A table of positions and names (.ecsv, .csv or .fits) that are marked on maps; null for none.",
                {
                    "table": path("Its path; of a FITS file with several tables, followed by the name of one."),
                    "name": text(
                        "Column of names; without it a usual one (name, source_name, common_name, main_id, ...), or "
                        "row numbers."
                    ),
                    "longitude": LONGITUDE,
                    "latitude": LATITUDE,
                    "frame": FRAME,
                    "where": WHERE,
                },
                required=["table"],
                default=None,
            ),
            "type": ["object", "null"],
        },
    },
}
RUN_SETTINGS = {
    "plots": mapping(
        "How figures look; changing it redraws figures and nothing else.",
        {
            "significance_limits": pair(
                "Ends of the colour scale of significance maps, in standard deviations; where a map goes beyond the "
                "upper one, the scale goes on to its peak as an inverse hyperbolic sine.",
                {"type": "number"},
                default=list(default_of(scale_of, "significance_limits")),
                comment="ends of the colour scale",
            ),
            "dpi": integer("Resolution of the figures, in pixels per inch.", least=50, most=600, default=120),
            "paper_dpi": integer(
                "Resolution of the PNG of figures for a paper, and of the images within their PDF, in pixels per inch.",
                least=50,
                most=1200,
                default=300,
                comment="of figures for a paper",
            ),
        },
    ),
    "figures": entry(
        "object",
        "Figures for a paper, by name; `snakemake figures` draws them from the products into `figures/`, as PDF and "
        "PNG with the numbers behind them beside them. Changing one redraws it and nothing else.",
        additionalProperties=FIGURE,
        default={},
        comment="for a paper, drawn by `snakemake figures` into results/figures",
        example={
            "maps": {"dataset": "crowded-plane", "contours": [5, 10, 20]},
            "source": {
                "dataset": "isolated-source",
                "layers": ["significance"],
                "cut": {"center": ["83.633 deg", "22.014 deg"], "width": ["2 deg", "2 deg"]},
                "width": "column",
            },
            "distribution": {"dataset": "crowded-plane", "kind": "significance", "width": "column"},
            "convergence": {"dataset": "crowded-plane", "kind": "convergence"},
            "evolution": {"dataset": "crowded-plane", "kind": "mask_evolution"},
        },
    ),
    "checkpoint_groups": integer(
        "Into how many groups datasets are divided at most for the decision whether their loops go on. Up to this "
        "many, every dataset decides alone; beyond, a dataset waits at each iteration for the others of its group.",
        least=1,
        most=1000,
        default=10,
        comment="up to this many datasets, each decides alone whether its loop goes on",
    ),
    "shard": entry(
        ["string", "null"],
        "Only a part of the datasets, k/n for the k-th of n, and neither summary nor report: for many runs at once in "
        "one folder (see docs/clusters.md). Datasets of one of the checkpoint_groups are never parted. null is "
        "everything.",
        title="k/n with k from 1 to n, such as '1/8', or null",
        pattern="^[1-9][0-9]*/[1-9][0-9]*$",
        default=None,
        comment="k/n: only the k-th of n parts of the datasets",
    ),
    "pathvars": entry("object", "Snakemake's own path variables (results, logs)."),
}

DATASET = {
    "type": "object",
    "additionalProperties": False,
    "properties": {**DATA, **ANALYSIS},
}
CONFIGURATION = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "skymask configuration",
    **mapping(
        "What to analyse, and how. Every analysis key may also stand in a dataset's entry, for that dataset alone.",
        {
            **ANALYSIS,
            **RUN_SETTINGS,
            "datasets": entry(
                ["object", "string"],
                "Datasets by name, or the path of a CSV table with one row per dataset (columns `dataset`, `counts`, "
                "and any other key; a key within a key is written with a dot, as in `source_kernel.radius`).",
                minProperties=1,
                minLength=1,
                format="path",
                additionalProperties=DATASET,
            ),
        },
        required=["datasets"],
    ),
}
