"""Files at addresses of the web, of which it is asked first whether they are there."""

import urllib.error
import urllib.request

from skymask.io.file_names import remote_names

#: Seconds after which a server counts as unreachable.
TIMEOUT = 20


def mistakes(settings):
    """Return one line for every remote file that is not there, or whose server cannot be reached; http and https only.

    Parameters
    ----------
    settings : dict of str to dict
        Per dataset, as from `skymask.config.configuration.dataset_settings`.
    """
    lines, seen = [], {}
    for dataset, entry in settings.items():
        for key, address in remote_names(entry).items():
            if not address.lower().startswith(("http://", "https://")):
                continue
            if address not in seen:
                seen[address] = _problem(address)
            if seen[address]:
                lines.append(f"datasets.{dataset}.{key}: {address} {seen[address]}")
    return lines


def _problem(address):
    """What keeps a file from being fetched, None if nothing does."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        # Servers that do not answer this question may have the file all the same.
        return None if error.code in (405, 501) else f"is not to be had: the server says {error.code} {error.reason}"
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"cannot be reached ({getattr(reason, 'strerror', None) or reason})"
