"""Scripts that a fork of the server runs: they are what they are in plain Python, and end with those who wait for them.

Most run a script twice, by plain Python and by the program that stands for it, and compare what is told.
"""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import REPOSITORY

from skymask.workflow import warm_server, warm_start

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="jobs start plainly elsewhere")

#: What jobs get from Snakemake, and the server has.
ENVIRONMENT = os.environ | dict.fromkeys(warm_start.THREADS, "1")

#: Snakemake's own process: starts a server, tells the program, and starts a script that it is given.
SNAKEMAKE = """
import subprocess, sys
sys.path.append({repository!r})
from skymask.workflow import warm_start
stand_in = warm_start.start()
print(stand_in, flush=True)
for line in sys.stdin:
    client = subprocess.Popen([stand_in, line.strip()])
    print(client.pid, flush=True)
    print(client.wait(), flush=True)
"""

#: A script says so when it is run by the server.
IS_WARM = "import os; print('warm_server' in open(f'/proc/{os.getppid()}/cmdline').read())"

#: Facts of a process that a script may depend on.
FACTS = {
    "arguments": "sys.argv",
    "original arguments": "sys.orig_argv",
    "Python": "sys.executable",
    "search path": "sys.path",
    "flags": "str(sys.flags)",
    "main module": "sorted(vars(sys.modules['__main__']).keys() - {'facts'})",
    "name, file, loader": "[__name__, __file__, __spec__, type(__loader__).__name__, __loader__.path, __cached__]",
    "folder": "os.getcwd()",
    "environment": "sorted(item for item in os.environ.items() if item[0] not in ('_', 'PWD', 'OLDPWD', 'SHLVL'))",
    "folder for temporary files": "tempfile.gettempdir()",
    "umask": "os.umask(0)",
    "limits": "[resource.getrlimit(number) for number in range(16)]",
    "priority": "os.getpriority(os.PRIO_PROCESS, 0)",
    "processors": "sorted(os.sched_getaffinity(0))",
    "process group": "os.getpgid(0)",
    "signals": "[str(signal.getsignal(number)) for number in sorted(signal.valid_signals())]",
    "blocked signals": "sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))",
    "open files of its children": "subprocess.run(['ls', '/proc/self/fd'], capture_output=True).stdout",
    "threads": "len(os.listdir('/proc/self/task'))",
    "children": "open('/proc/self/task/%d/children' % os.getpid()).read()",
    "standard input": "sys.stdin.read()",
    "streams": "[(str(one), one.line_buffering, one.write_through) for one in (sys.stdin, sys.stdout, sys.stderr)]",
    "terminals": "[os.isatty(number) for number in range(3)]",
    "garbage collector": "[gc.isenabled(), gc.get_threshold()]",
    "warnings": "[str(one) for one in warnings.filters]",
    "locale": "locale.setlocale(locale.LC_ALL)",
    "matplotlib": "[str(sorted(matplotlib.rcParams.items())), matplotlib.get_backend()]",
    "figures": "matplotlib._pylab_helpers.Gcf.get_all_fig_managers()",
    "floating point errors": "numpy.geterr()",
    "recursion": "sys.getrecursionlimit()",
}
PRINT_FACTS = f"""
import gc, json, locale, os, resource, signal, subprocess, sys, tempfile, warnings
import matplotlib
import matplotlib._pylab_helpers
import numpy
facts = {FACTS!r}
print(json.dumps({{name: repr(eval(facts[name])) for name in facts}}))
"""

#: Scripts that end in their own ways: what they print, and how they end, is the same.
ENDINGS = {
    "well": "print('done')",
    "with a number": "import sys; sys.exit(3)",
    "with a large number": "raise SystemExit(259)",
    "with words": "import sys; sys.exit('no such map')",
    "with nothing": "raise SystemExit",
    "with an error": "def fail():\n    return 1 / 0\n\n\nfail()",
    "with an error from another": "try:\n    {}['key']\nexcept KeyError as error:\n    raise OSError('no') from error",
    "with an error of a library": "import json\njson.loads('{')",
    "with a mistake in writing": "print('first')\nif True print('second')",
    "without a module": "import there_is_no_such_module",
    "without a name of a module": "from skymask.io import there_is_no_such_name",
    "at once": "import os; print('lost'); os._exit(7)",
    "by SIGTERM": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "by SIGKILL": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "by SIGSEGV": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "by Ctrl-C": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "after its last words": "import atexit; atexit.register(print, 'last'); raise ValueError('error')",
    "after its threads": "from threading import Timer; Timer(0.1, print, ['last']).start()",
    "with a warning": "import warnings; warnings.warn('careful')",
    "with a full disk": "import sys; sys.stdout = open('/dev/full', 'w'); print('lost')",
    "unlike numpy's errors": "import numpy\nnumpy.zeros(3) / 0",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as a run has it."""
    folder = tmp_path_factory.mktemp("run")
    (folder / ".snakemake/scripts").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def stand_in(folder):
    with snakemake_process(folder) as (_, program):
        yield program
        assert is_warm(program, folder)


@contextlib.contextmanager
def snakemake_process(folder, env=ENVIRONMENT, **options):
    """Give a process that has started a server, and the program that stands for Python."""
    command = [sys.executable, "-c", SNAKEMAKE.format(repository=str(REPOSITORY))]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=env, **streams, **options) as process:
        yield process, process.stdout.readline().strip()


def write_script(folder, source):
    """Write a script as Snakemake does, and return its path."""
    path = folder / ".snakemake/scripts" / f"tmp{random.getrandbits(64):x}.script.py"
    path.write_text(f"{warm_server.PREAMBLE_END.decode()}{source}\n")
    return path


def run(program, script, **options):
    options = {"cwd": script.parents[2], "env": ENVIRONMENT, "input": "words", "timeout": 60} | options
    return subprocess.run([program, script], capture_output=True, text=True, check=False, **options)


def is_warm(stand_in, folder, before="", **options):
    return "True" in run(stand_in, write_script(folder, f"{before}\n{IS_WARM}"), **options).stdout


@pytest.fixture(scope="module")
def facts(stand_in, folder):
    """The facts of plain Python and of what stands for it."""
    script = write_script(folder, PRINT_FACTS)
    return [json.loads(run(program, script).stdout) for program in (sys.executable, stand_in)]


@pytest.mark.parametrize("fact", FACTS)
def test_a_script_finds_what_it_would_find_in_plain_python(fact, facts):
    plain, warm = facts
    assert warm[fact] == plain[fact]


@pytest.mark.parametrize("how", ENDINGS)
def test_a_script_ends_as_it_would_in_plain_python(how, stand_in, folder):
    script = write_script(folder, ENDINGS[how])
    plain, warm = (run(program, script) for program in (sys.executable, stand_in))
    assert (warm.returncode, warm.stdout, warm.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_a_fork_of_the_server_runs_a_script(stand_in, folder):
    assert is_warm(stand_in, folder)
    # And is told apart from plain Python.
    assert not is_warm(sys.executable, folder)


def test_what_is_imported_is_shared_by_later_scripts(stand_in, folder):
    importing = write_script(folder, "def later():\n    import email.mime.image\n\n\nlater()")
    assert run(stand_in, importing).returncode == 0
    assert (
        run(stand_in, write_script(folder, "import sys; print('email.mime.image' in sys.modules)")).stdout == "True\n"
    )


def test_random_numbers_differ_between_scripts(stand_in, folder):
    script = write_script(folder, "import random\nimport numpy\nprint(random.random())\nprint(numpy.random.random())")
    told = [run(stand_in, script).stdout.split() for _ in range(2)]
    assert not set(told[0]) & set(told[1])


def test_what_one_script_changes_no_other_sees(stand_in, folder):
    imports = "import os\nimport numpy\nimport matplotlib\n"
    changing = "numpy.seterr(all='raise')\nmatplotlib.rcParams['font.size'] = 1\nos.chdir('/')\nos.environ['NEW'] = '1'"
    assert run(stand_in, write_script(folder, imports + changing)).returncode == 0
    looking = "print(numpy.geterr()['over'], matplotlib.rcParams['font.size'], os.getcwd() == '/', 'NEW' in os.environ)"
    assert run(stand_in, write_script(folder, imports + looking)).stdout == "warn 10.0 False False\n"


def test_the_server_stays_a_single_thread_with_all_that_jobs_import(stand_in, folder):
    """Python 3.12 warns of forks beside threads."""
    imports = "import os\nimport numpy.linalg\nimport scipy.ndimage\nimport matplotlib.pyplot\nimport astropy.wcs\n"
    imports += "from skymask.products import plots, report\n"
    script = write_script(folder, imports + "print(len(os.listdir(f'/proc/{os.getppid()}/task')))")
    assert run(stand_in, script).stdout == "1\n"


def test_what_is_no_script_of_snakemake_starts_in_plain_python(stand_in, folder):
    told = subprocess.run([stand_in, "-c", IS_WARM], capture_output=True, text=True, check=True, cwd=folder)
    assert told.stdout == "False\n"


@pytest.mark.parametrize(
    "surroundings",
    [
        {"env": ENVIRONMENT | {"PYTHONPATH": "/"}},
        {"env": ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "2"}},
        {"preexec_fn": lambda: os.nice(1)},
        {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CPU, (1000, 1000))},
        {"cwd": "/"},
    ],
    ids=["search path", "threads", "priority", "limits", "folder"],
)
def test_a_job_with_surroundings_of_its_own_starts_in_plain_python(surroundings, stand_in, folder):
    assert not is_warm(stand_in, folder, **surroundings)


def test_a_job_has_the_umask_that_it_was_started_with(stand_in, folder):
    script = write_script(folder, "import os; print(os.umask(0))\n" + IS_WARM)
    assert run(stand_in, script, umask=0o027).stdout == f"{0o027}\nTrue\n"


@pytest.mark.parametrize(
    "module",
    [
        "from threading import Timer\nwaiting = Timer(9, print)\nwaiting.daemon = True\nwaiting.start()",
        "import os\nos.environ['NEW'] = ''",
    ],
    ids=["threads", "variables"],
)
def test_imports_that_a_fork_would_not_share_are_left_to_plain_python(module, folder):
    (folder / "peculiar.py").write_text(module)
    with snakemake_process(folder, env=ENVIRONMENT | {"PYTHONPATH": str(folder)}) as (_, stand_in):
        environment = ENVIRONMENT | {"PYTHONPATH": str(folder)}
        assert is_warm(stand_in, folder, env=environment)
        assert not is_warm(stand_in, folder, "import peculiar", env=environment)
        assert not is_warm(stand_in, folder, env=environment)


def test_without_a_server_jobs_start_in_plain_python(folder):
    with snakemake_process(folder) as (process, stand_in):
        assert is_warm(stand_in, folder)
        [server] = psutil.Process(process.pid).children()
        server.kill()
        wait_until(lambda: server.status() == psutil.STATUS_ZOMBIE)
        assert run(stand_in, write_script(folder, IS_WARM)).stdout == "False\n"


@pytest.mark.parametrize("name", ["", 100 * "x", "a b"], ids=["no folder", "too long a path", "spaces in the path"])
def test_where_no_server_can_be_jobs_start_in_plain_python(name, tmp_path, monkeypatch):
    if name:
        (tmp_path / name).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / (name or "nowhere")))
    assert warm_start.start() is None


def test_a_variable_lets_jobs_start_in_plain_python(monkeypatch):
    monkeypatch.setenv(warm_start.SWITCH, "off")
    assert warm_start.start() is None


def test_only_the_user_can_reach_the_server(stand_in):
    assert Path(stand_in).parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_left_after_the_end(folder):
    with snakemake_process(folder) as (process, stand_in):
        assert is_warm(stand_in, folder)
        [server] = psutil.Process(process.pid).children()
        process.stdin.close()
        process.wait(30)
        assert not server.is_running()
        assert not Path(stand_in).parent.exists()


#: A script that begins other processes, says so, and would go on for long.
LONG = """
import os, subprocess, time
{others}
open({begun!r}, "w").close()
time.sleep(600)
"""
OTHERS = "subprocess.Popen(['sleep', '600'])\nif os.fork() == 0: time.sleep(600)"


@pytest.mark.parametrize("victim", ["client", "Snakemake", "all"])
def test_a_script_ends_with_its_client_and_with_snakemake_and_so_does_what_it_began(victim, folder, tmp_path):
    assert left_after(victim, folder, tmp_path / "begun") == []


def test_a_script_ends_with_the_server(folder, tmp_path):
    assert left_after("server", folder, tmp_path / "begun", others="") == []


def test_nothing_is_left_after_random_kills(folder, tmp_path):
    chance = random.Random(0)
    for _ in range(8):
        victim = chance.choice(["client", "Snakemake", "all"])
        assert left_after(victim, folder, tmp_path / "begun", seconds=chance.uniform(0, 0.5)) == []


def left_after(victim, folder, begun, seconds=None, others=OTHERS):
    """Kill one of the processes of a run, at a moment or when its script has begun others; return what is left."""
    begun.unlink(missing_ok=True)
    script = write_script(folder, LONG.format(begun=str(begun), others=others))
    mark = f"{random.getrandbits(64):x}"
    environment = ENVIRONMENT | {"MARK": mark}
    with snakemake_process(folder, env=environment, start_new_session=True) as (process, stand_in):
        print(script, file=process.stdin, flush=True)
        client = int(process.stdout.readline())
        [server] = {child.pid for child in psutil.Process(process.pid).children()} - {client}
        if seconds is None:
            wait_until(begun.exists)
        else:
            time.sleep(seconds)
        if victim == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill({"client": client, "Snakemake": process.pid, "server": server}[victim], signal.SIGKILL)
        if victim in ("client", "server"):
            assert int(process.stdout.readline()) == -signal.SIGKILL
    shutil.rmtree(Path(stand_in).parent, ignore_errors=True)
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not marked(mark), 10)
    left = marked(mark)
    for one in left:
        one.kill()
    return [one.info["cmdline"] for one in left]


def marked(mark):
    """Return the processes that have a mark in their environment."""
    return [
        one
        for one in psutil.process_iter(["cmdline", "environ"])
        if (one.info["environ"] or {}).get("MARK") == mark and one.is_running()
    ]


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
