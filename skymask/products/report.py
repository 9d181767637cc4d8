"""The report: a page over all datasets and one for every dataset, which open from disk without server or network."""

import os
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader

from skymask import __version__
from skymask.io.atomic import written_whole
from skymask.products.numbers import number_text
from skymask.products.summary import state_text
from skymask.registry import COLOURS


def render_report(statuses, figures, path, skies=()):
    """Write the overview page.

    Parameters
    ----------
    statuses : list of dict
        Content of the status files. Beside the page, every dataset has a folder with `report.html` and, unless it
        failed, `plots/thumbnail.png`.
    figures : list of str
        Paths of the figures of HEALPix maps, in folders `{sky}/plots`.
    path : str
        Where; figures are linked relative to it.
    skies : list of dict
        Content of the status files of HEALPix maps.
    """
    shown = {sky["sky"]: [] for sky in skies}
    for figure in figures:
        shown[Path(figure).parent.parent.name].append(_figure(figure, path))
    _write("overview.html", path, statuses=statuses, skies=skies, figures=shown)


def render_page(status, figures, path, *, viewer=None, regions=(), convergence=(), origin=(), files=()):
    """Write the page of one dataset.

    Parameters
    ----------
    status : dict
        Content of the status file.
    figures : list of str
        Paths of its figures; they are linked relative to the page.
    path : str
        Where.
    viewer : dict, optional
        What the map viewer shows, of `skymask.products.viewer`; none if the dataset failed.
    regions : list of dict
        Of `skymask.sky.region_catalogue.read_catalogue`.
    convergence : list of dict
        Of `skymask.products.products.read_convergence_table`.
    origin : list of (str, str)
        What header cards say of the input files, and their values.
    files : list of str
        Products to link, relative to the page; those in folders are told by the folder.
    """
    in_folders = {"": []}
    for name in files:
        in_folders.setdefault(name.rpartition("/")[0], []).append(name)
    _write(
        "dataset.html",
        path,
        status=status,
        figures=[_figure(figure, path) for figure in figures],
        viewer=viewer,
        colours=COLOURS,
        regions=regions,
        convergence=convergence,
        origin=origin,
        files=in_folders,
    )


def render_scan(dataset, scan, rows, figure, path):
    """Write the page that compares the settings of a scan.

    Parameters
    ----------
    dataset : str
    scan : dict of str to list
        Values by key.
    rows : list of dict
        Of `skymask.config.scan.compare`.
    figure, path : str
        The figure, and where the page is to be; it links the figure relative to itself.
    """
    _write("scan.html", path, dataset=dataset, keys=list(scan), rows=rows, figure=_figure(figure, path))


def _write(template, path, **content):
    """Fill a template and write the page in one piece."""
    page = _template(template).render(version=__version__, **content)
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


@cache
def _template(name):
    """A template, which takes longer to compile than to fill."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_source))
    environment.filters |= {
        "state_text": lambda status: state_text(status["state"], status["period"]),
        "setting_text": _setting_text,
        "number": _number,
        "sort_key": _sort_key,
    }
    return environment.get_template(name)


def _source(name):
    """The text of a file in the folder of the pages."""
    return resources.files("skymask.products").joinpath("pages", name).read_text(encoding="utf-8")


def _figure(figure, path):
    """Name and link of a figure on a page."""
    link = Path(os.path.relpath(figure, Path(path).parent)).as_posix()
    return {"name": Path(figure).stem.replace("_", " "), "link": link}


def _number(value, form, error=None):
    """A number of a status file, with its error unless that rounds to nothing; "undefined" where there is none."""
    if value is None:
        return "undefined"
    text = number_text(value, form)
    error_text = form.replace("+", "") % (error or 0.0)
    return f"{text} ± {error_text}" if float(error_text) else text


def _sort_key(value):
    """A number as a table is sorted by it; nothing where there is none, which comes last."""
    return "" if value is None else {"inf": "1e999", "-inf": "-1e999"}.get(value, value)


def _setting_text(value):
    """A setting in one line: nested keys with their values, items separated by semicolons."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_setting_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(_setting_text(item) for item in value)
    return str(value)
