"""Maps at addresses of the web, served by a server on loopback."""

import functools
import hashlib
import http.server
import importlib.util
import socket
import threading

import pytest
from conftest import KERNELS, snakemake, write_config

from skymask.config import configuration
from skymask.datasets import example_data
from skymask.errors import ConfigurationError, SkymaskError
from skymask.io import remote

#: Kernels for the pixels of 0.05 deg of the Galactic centre.
NAME = "fermi-3fhl-gc/fermi-3fhl-gc-counts.fits.gz"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(shared):
    """The address of a server of the shared data."""
    handler = functools.partial(Handler, directory=str(shared / "data"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def closed_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def settings_of(**entry):
    return configuration.dataset_settings(KERNELS | {"datasets": {"gc": entry}}, configuration.load_schema())


def test_a_map_at_an_address_gives_what_the_file_gives(address, shared, tmp_path):
    datasets = {"far": {"counts": f"{address}/{NAME}[PRIMARY]"}, "near": {"counts": f"{shared}/data/{NAME}[PRIMARY]"}}
    write_config(tmp_path / "config.yaml", datasets=datasets)
    files = [f"results/{dataset}/iteration-0/counts.fits" for dataset in datasets]
    process = snakemake(*files, folder=tmp_path)
    assert process.returncode == 0, process.stdout
    far, near = ((tmp_path / name).read_bytes() for name in files)
    assert far == near


def test_a_file_that_is_not_there_is_named(address):
    lines = remote.mistakes(settings_of(counts=f"{address}/no.fits"))
    assert lines == [f"datasets.gc.counts: {address}/no.fits is not to be had: the server says 404 File not found"]


def test_an_unreachable_server_is_named_before_the_first_job(tmp_path):
    address = closed_address()
    write_config(tmp_path / "config.yaml", datasets={"gc": {"counts": f"{address}/map.fits"}})
    process = snakemake("--dry-run", folder=tmp_path)
    assert process.returncode == 1
    assert f"datasets.gc.counts: {address}/map.fits cannot be reached (Connection refused)" in process.stdout
    assert "Traceback" not in process.stdout


def test_a_missing_plugin_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = "s3://b/map.fits needs a plugin that is not installed: pip install snakemake-storage-plugin-s3"
    with pytest.raises(ConfigurationError, match=message):
        settings_of(counts="s3://b/map.fits")


def test_an_unknown_kind_of_address_is_named():
    with pytest.raises(ConfigurationError, match="gopher is none of the known kinds of address"):
        settings_of(counts="gopher://host/map.fits")


def test_only_maps_may_be_remote():
    regions = [{"file": "https://host/sources.reg"}]
    with pytest.raises(ConfigurationError, match=r"sources\.reg is remote, which maps alone may be: fetch it"):
        settings_of(
            simulate={"seed": 1, "width": ["1 deg", "1 deg"], "pixel_size": "0.1 deg", "background": 1},
            exclusion_regions=regions,
        )


def test_example_data_are_fetched_and_checked(address, shared, tmp_path):
    name = "fermi-3fhl-gc-counts.fits.gz"
    files = {name: example_data.FILES[name]}
    example_data.fetch(tmp_path, base=f"{address}/fermi-3fhl-gc", files=files)
    assert (tmp_path / name).read_bytes() == (shared / "data" / NAME).read_bytes()


def test_a_file_with_another_checksum_is_not_kept(address, tmp_path):
    wrong = {"fermi-3fhl-gc-psf.fits.gz": hashlib.sha256(b"").hexdigest()}
    with pytest.raises(
        SkymaskError, match=r"fermi-3fhl-gc-psf\.fits\.gz has the SHA-256 f0c2.*, expected e3b0.*: it is not"
    ):
        example_data.fetch(tmp_path, base=f"{address}/fermi-3fhl-gc", files=wrong)
    assert list(tmp_path.iterdir()) == []


def test_example_data_of_an_unreachable_server_are_named(tmp_path):
    with pytest.raises(SkymaskError, match="cannot be fetched"):
        example_data.fetch(tmp_path, base=closed_address())


def test_checksums_of_the_example_data_are_those_of_the_shared_data(shared):
    for name, digest in example_data.FILES.items():
        assert hashlib.sha256((shared / "data/fermi-3fhl-gc" / name).read_bytes()).hexdigest() == digest
