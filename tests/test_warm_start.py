"""Scripts that a fork of the server runs: they are what they are in plain Python, and end with those who wait for them.

Most run a script twice, in plain Python and by the server, and compare what is told.
"""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace

import psutil
import pytest
from conftest import REPOSITORY, snakemake

from skymask.workflow import snakemake_patches, warm_server, warm_start

pytestmark = pytest.mark.skipif(not warm_start.is_possible(), reason="jobs start plainly here")

#: A process as Snakemake's: it tells its server's number, runs a script by it, and tells how that ended.
SNAKEMAKE = """
import sys
sys.path.append({repository!r})
from skymask.workflow import warm_start
server = warm_start.Server()
print(server.pid, flush=True)
for script in sys.stdin:
    print(server.run(script.strip(), warm_start.job_environment()), flush=True)
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
    """A folder as a run has it, in which the tests are."""
    folder = tmp_path_factory.mktemp("run")
    (folder / ".snakemake/scripts").mkdir(parents=True)
    with contextlib.chdir(folder):
        yield folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment of jobs, which is that of the tests but for the name of each."""
    return warm_start.job_environment(folder=str(tmp_path_factory.mktemp("temporary")))


@pytest.fixture(scope="module")
def server(folder, environment):
    server = warm_start.Server()
    yield server
    assert run(server, write_script(folder, IS_WARM), environment) == (0, "True\n", "")
    server.end()


def write_script(folder, source):
    """Write a script as Snakemake does, and return its path."""
    path = folder / ".snakemake/scripts" / f"tmp{random.getrandbits(64):x}.script.py"
    path.write_text(f"{warm_server.PREAMBLE_END.decode()}{source}\n")
    return str(path)


def run(server, script, environment):
    """Run a script by a server, or by plain Python if that is None; return its exit code, output and errors."""
    with contextlib.ExitStack() as stack:
        given, *told = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(3)]
        given.write("words")
        given.seek(0)
        if server:
            code = server.run(script, environment, streams=[file.fileno() for file in (given, *told)])
        else:
            streams = dict(zip(("stdin", "stdout", "stderr"), (given, *told), strict=True))
            code = subprocess.run(
                [sys.executable, script], env=environment, timeout=60, check=False, **streams
            ).returncode
        for file in told:
            file.seek(0)
        return code, *(file.read() for file in told)


@pytest.fixture(scope="module")
def facts(server, folder, environment):
    """The facts of plain Python and of what stands for it."""
    script = write_script(folder, PRINT_FACTS)
    return [json.loads(run(one, script, environment)[1]) for one in (None, server)]


@pytest.mark.parametrize("fact", FACTS)
def test_a_script_finds_what_it_would_find_in_plain_python(fact, facts):
    plain, warm = facts
    assert warm[fact] == plain[fact]


@pytest.mark.parametrize("how", ENDINGS)
def test_a_script_ends_as_it_would_in_plain_python(how, server, folder, environment):
    script = write_script(folder, ENDINGS[how])
    assert run(server, script, environment) == run(None, script, environment)


def test_what_is_imported_is_shared_by_later_scripts(server, folder, environment):
    importing = write_script(folder, "def later():\n    import email.mime.image\n\n\nlater()")
    assert run(server, importing, environment)[0] == 0
    looking = write_script(folder, "import sys; print('email.mime.image' in sys.modules)")
    assert run(server, looking, environment)[1] == "True\n"


def test_random_numbers_differ_between_scripts(server, folder, environment):
    script = write_script(folder, "import random\nimport numpy\nprint(random.random())\nprint(numpy.random.random())")
    told = [run(server, script, environment)[1].split() for _ in range(2)]
    assert not set(told[0]) & set(told[1])


def test_what_one_script_changes_no_other_sees(server, folder, environment):
    imports = "import os\nimport numpy\nimport matplotlib\n"
    changing = "numpy.seterr(all='raise')\nmatplotlib.rcParams['font.size'] = 1\nos.chdir('/')\nos.environ['NEW'] = '1'"
    assert run(server, write_script(folder, imports + changing), environment)[0] == 0
    looking = "print(numpy.geterr()['over'], matplotlib.rcParams['font.size'], os.getcwd() == '/', 'NEW' in os.environ)"
    assert run(server, write_script(folder, imports + looking), environment)[1] == "warn 10.0 False False\n"


def test_the_server_stays_a_single_thread_with_all_that_jobs_import(server, folder, environment):
    """Python 3.12 warns of forks beside threads."""
    imports = "import os\nimport numpy.linalg\nimport scipy.ndimage\nimport matplotlib.pyplot\nimport astropy.wcs\n"
    imports += "from skymask.products import plots, report\n"
    script = write_script(folder, imports + "print(len(os.listdir(f'/proc/{os.getppid()}/task')))")
    assert run(server, script, environment)[1] == "1\n"


@pytest.mark.parametrize("variable", ["PYTHONPATH", "OPENBLAS_NUM_THREADS"])
def test_a_job_with_an_environment_of_its_own_is_left_to_plain_python(variable, server, folder, environment):
    assert server.run(write_script(folder, ""), environment | {variable: "2"}) is None


@pytest.mark.parametrize("surroundings", ["folder", "umask", "limits"])
def test_a_job_whose_surroundings_have_changed_is_left_to_plain_python(surroundings, server, folder, environment):
    script = write_script(folder, "")
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    umask = os.umask(0)
    try:
        os.umask(0o777 - umask if surroundings == "umask" else umask)
        resource.setrlimit(resource.RLIMIT_CORE, (1 if surroundings == "limits" else soft, hard))
        with contextlib.chdir("/" if surroundings == "folder" else folder):
            assert server.run(script, environment) is None
    finally:
        os.umask(umask)
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.parametrize(
    "module",
    [
        "from threading import Timer\nwaiting = Timer(9, print)\nwaiting.daemon = True\nwaiting.start()",
        "import os\nos.environ['NEW'] = ''",
    ],
    ids=["threads", "variables"],
)
def test_imports_that_a_fork_would_not_share_are_left_to_plain_python(module, folder, tmp_path, monkeypatch):
    (tmp_path / "peculiar.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with own_server() as (server, environment):
        assert server.run(write_script(folder, ""), environment) == 0
        assert server.run(write_script(folder, "import peculiar"), environment) is None
        assert server.run(write_script(folder, ""), environment) is None


@contextlib.contextmanager
def own_server():
    """Give a server that nobody else uses, and the environment of its jobs."""
    environment = warm_start.job_environment()
    server = warm_start.Server()
    try:
        yield server, environment
    finally:
        server.end()


def test_without_a_server_jobs_are_left_to_plain_python(folder):
    with own_server() as (server, environment):
        assert server.run(write_script(folder, ""), environment) == 0
        os.kill(server.pid, signal.SIGKILL)
        assert server.run(write_script(folder, ""), environment) is None


def test_a_variable_lets_jobs_start_in_plain_python(monkeypatch):
    monkeypatch.setenv(warm_start.SWITCH, "off")
    assert not warm_start.is_possible()


#: A script that begins other processes, says so, and would go on for long.
LONG = """
import os, subprocess, time
{others}
open({begun!r}, "w").close()
time.sleep(600)
"""
OTHERS = "subprocess.Popen(['sleep', '600'])\nif os.fork() == 0: time.sleep(600)"


@pytest.mark.parametrize("victim", ["Snakemake", "all"])
def test_a_script_ends_with_snakemake_and_so_does_what_it_began(victim, folder, tmp_path):
    assert left_after(victim, folder, tmp_path / "begun") == []


def test_a_script_ends_with_the_server(folder, tmp_path):
    assert left_after("server", folder, tmp_path / "begun", others="") == []


def test_nothing_is_left_after_random_kills(folder, tmp_path):
    chance = random.Random(0)
    for _ in range(8):
        victim = chance.choice(["Snakemake", "all"])
        assert left_after(victim, folder, tmp_path / "begun", seconds=chance.uniform(0, 0.5)) == []


def left_after(victim, folder, begun, seconds=None, others=OTHERS):
    """Kill a process of a run, at a moment or when its script has begun others, and return what is left of them all."""
    begun.unlink(missing_ok=True)
    script = write_script(folder, LONG.format(begun=str(begun), others=others))
    mark = f"{random.getrandbits(64):x}"
    command = [sys.executable, "-c", SNAKEMAKE.format(repository=str(REPOSITORY))]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"MARK": mark}
    with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **streams) as process:
        server = int(process.stdout.readline())
        print(script, file=process.stdin, flush=True)
        if seconds is None:
            wait_until(begun.exists)
        else:
            time.sleep(seconds)
        if victim == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill({"Snakemake": process.pid, "server": server}[victim], signal.SIGKILL)
        if victim == "server":
            assert int(process.stdout.readline()) == -signal.SIGKILL
        process.stdin.close()
        process.wait(20)
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not marked(mark), 10)
    left = marked(mark)
    for one in left:
        one.kill()
    return [one.info["cmdline"] for one in left]


def marked(mark):
    """Return the processes that have a mark in their environment."""
    processes = psutil.process_iter(["cmdline", "environ"])
    return [one for one in processes if (one.info["environ"] or {}).get("MARK") == mark and one.is_running()]


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)


#: A workflow whose rules tell whether the server runs their scripts.
WORKFLOW = """
from skymask.workflow.snakemake_patches import start_jobs_warm

rule all:
    input: "warm", "failed", "benchmarked"

rule warm:
    output: "warm"
    script: "script.py"

rule failing:
    output: "failed"
    params: code=3
    script: "script.py"

rule benchmarked:
    output: "benchmarked"
    benchmark: "benchmark.tsv"
    script: "script.py"

onstart:
    start_jobs_warm(workflow)
"""
SCRIPT = f"""
import sys
print(snakemake.output[0], end=" ")
{IS_WARM}
sys.stdout.flush()
open(snakemake.output[0], "w").close()
if "code" in snakemake.params.keys():
    sys.exit(snakemake.params.code)
"""


def test_jobs_of_a_local_run_are_forks_unless_they_are_benchmarked(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    (tmp_path / "script.py").write_text(SCRIPT)
    process = snakemake("--keep-going", folder=tmp_path, snakefile="Snakefile")
    assert {"warm True", "failed True", "benchmarked False"} <= set(process.stdout.splitlines()), process.stdout
    assert "returned non-zero exit status 3" in process.stdout


@pytest.mark.parametrize("around", ["conda_env", "container_img", "env_modules", "shell_exec", "prefix"])
def test_a_job_with_an_environment_or_a_shell_of_its_own_does_not_run_in_our_python(around, monkeypatch):
    script = SimpleNamespace(conda_env=None, container_img=None, env_modules=None, bench_record=None, resources={})
    assert snakemake_patches._runs_in_our_python(script)
    if around == "shell_exec":
        script.resources[around] = "sh"
    elif around == "prefix":
        monkeypatch.setattr(snakemake_patches.shell, "_process_prefix", "nice ")
    else:
        setattr(script, around, "own")
    assert not snakemake_patches._runs_in_our_python(script)
