"""From a configuration to the plan that the rules ask."""

from skymask.config import configuration
from skymask.errors import ConfigurationError, SkymaskError
from skymask.io import file_names, remote
from skymask.io.atomic import check_writable
from skymask.workflow import cached
from skymask.workflow.plan import Plan

#: Folders into which jobs write.
FOLDERS = ("results", "logs")


def check_files_of_configuration(paths):
    """Raise a ConfigurationError if YAML does not read a file of the configuration as it is written."""
    errors = []
    for path in paths:
        _collect(errors, configuration.check_file, path)
    if errors:
        raise ConfigurationError("\n".join(errors))


def make_plan(
    config, *, folders=None, moved=None, code=None, use_notes=False, fetch=None, local=lambda: True, ask_servers=True
):
    """Return the plan of a configuration.

    Parameters
    ----------
    config : dict
        As read from YAML.
    folders : dict of str to str, optional
        Where results and logs go.
    moved : callable, optional
        Returns where a file is that the configuration calls by a name; given where files need not be there yet.
    code : dict of str to dict, optional
        Digests of the code of every rule.
    use_notes : bool
        Whether datasets that are noted as finished may be left out.
    fetch : callable, optional
        What Snakemake fetches remote files with.
    local : callable
        Returns whether jobs run on this machine; how they do is known when the workflow has been read.
    ask_servers : bool
        Whether servers are asked for remote files.

    Raises
    ------
    SkymaskError
        One line for every error of the configuration.
    """
    folders = {name: name for name in FOLDERS} | (folders or {})
    errors = []
    for folder in folders.values():
        _collect(errors, check_writable, folder)
    schema = configuration.load_schema()
    settings = _collect(errors, configuration.dataset_settings, config, schema, files_needed=moved is None) or {}
    plots = _collect(errors, configuration.plot_settings, config, schema)
    figures = {}
    if settings:
        figures = _collect(errors, configuration.figure_settings, config, schema, settings)
        errors += remote.mistakes(settings) if ask_servers else []
    if errors:
        raise ConfigurationError("\n".join(dict.fromkeys(errors)))
    largest = configuration.option(config, schema, "checkpoint_groups")
    shard = configuration.option(config, schema, "shard")
    groups = configuration.shard(configuration.groups(list(settings), largest), shard)
    settings = {name: settings[name] for name in groups}
    names = {}
    if moved:
        settings = {name: _moved(entry, moved, names) for name, entry in settings.items()}
    observed = {}
    if any("observations" in entry for entry in settings.values()):
        # Only these need astropy here.
        from skymask.datasets import observation_store

        observed = observation_store.runs_of_datasets(settings)
        for name, runs in observed.items():
            settings[name]["runs"] = observation_store.run_entries(runs, f"{folders['results']}/{name}/runs")
    plan = Plan(
        settings,
        groups,
        plots=plots,
        figures=figures,
        results=folders["results"],
        shard=shard,
        observed=observed,
        code=code or {},
        configured_names=names,
        fetch=fetch,
        local=local,
    )
    if use_notes:
        plan.leave_out(cached.find(folders["results"], plan.digests))
    return plan


def _collect(errors, function, *arguments, **options):
    """What a function returns; its errors are added to those that there are."""
    try:
        return function(*arguments, **options)
    except SkymaskError as error:
        errors += str(error).splitlines()
        return None


def _moved(entry, moved, names):
    """Settings with the names of all their files as they are moved; how they were called is added to `names`."""
    entry = dict(entry)
    for key, name in file_names.every_name(entry).items():
        path, hdu = file_names.split_name(name)
        if file_names.is_remote(path):
            continue
        names[moved(path)] = path
        _put(entry, key.split("."), moved(path) + (f"[{hdu}]" if hdu else ""))
    return entry


def _put(value, keys, new):
    """Put a new value where keys and numbers lead, in copies of what is on the way."""
    key = int(keys[0]) if isinstance(value, list) else keys[0]
    if len(keys) == 1:
        value[key] = new
    else:
        value[key] = list(value[key]) if isinstance(value[key], list) else dict(value[key])
        _put(value[key], keys[1:], new)
