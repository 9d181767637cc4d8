"""The overview page of all datasets: one HTML file beside the figures it shows, without server or network."""

import os
from importlib import resources
from pathlib import Path

from jinja2 import Environment

from skymask import __version__
from skymask.files import written_whole
from skymask.summary import state_text


def render_report(statuses, figures, path, skies=()):
    """Write the overview page.

    Parameters
    ----------
    statuses : list of dict
        Content of the status files.
    figures : list of str
        Paths of the figures, in folders `{dataset}/plots`.
    path : str
        Where; figures are linked relative to it.
    skies : list of dict
        Content of the status files of HEALPix maps.
    """
    folder = Path(path).parent
    shown = {name: [] for name in (*(status["dataset"] for status in statuses), *(sky["sky"] for sky in skies))}
    for figure in figures:
        name = Path(figure).stem
        link = Path(os.path.relpath(figure, folder)).as_posix()
        shown[Path(figure).parent.parent.name].append({"name": name.replace("_", " "), "link": link})
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["state_text"] = lambda status: state_text(status["state"], status["period"])
    environment.filters["setting_text"] = _setting_text
    environment.filters["number"] = _number
    template = environment.from_string(resources.files("skymask").joinpath("report.html").read_text(encoding="utf-8"))
    with written_whole(path) as temporary:
        page = template.render(statuses=statuses, skies=skies, figures=shown, version=__version__)
        temporary.write_text(page, encoding="utf-8")


def _number(value, form, error=None):
    """A number of a status file, with its error unless that rounds to nothing; "undefined" where there is none."""
    if value is None:
        return "undefined"
    text = value if isinstance(value, str) else form % value
    error_text = form.replace("+", "") % (error or 0.0)
    return f"{text} ± {error_text}" if float(error_text) else text


def _setting_text(value):
    """A setting in one line: nested keys with their values, items separated by semicolons."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_setting_text(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(_setting_text(item) for item in value)
    return str(value)
