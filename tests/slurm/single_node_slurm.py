"""A real Slurm on one machine: munge, controller and one node, without systemd, on loopback, all files in one folder.

python tests/slurm/single_node_slurm.py FOLDER    starts it, and stops it on Ctrl-C or SIGTERM

It needs root and Debian's packages slurmctld, slurmd, slurm-client and munge. Nothing is left behind but the folder.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

#: Slurm's steps look for their configuration here, whatever the environment says.
CONFIGURATION = Path("/etc/slurm/slurm.conf")

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")

TEMPLATE = """\
ClusterName=skymask-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
ReturnToService=2
KillWait=2
MinJobAge=300
MailProg=/bin/true
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobcomp.txt
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={cpus} ThreadsPerCore=1 \
RealMemory={megabytes} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
"""


def obstacle():
    """Return why no Slurm can be started here, or None if one can."""
    missing = [name for name in PROGRAMS if not _program(name)]
    if missing:
        return f"Slurm is not installed: {', '.join(missing)} not found (Debian: slurmctld slurmd slurm-client munge)"
    if os.geteuid() != 0:
        return "only root can start Slurm's daemons"
    if CONFIGURATION.exists() and not _is_ours(CONFIGURATION):
        return f"{CONFIGURATION} is that of another Slurm"
    return None


class Slurm:
    """A Slurm whose files are in a folder; as a context manager it is started and stopped."""

    def __init__(self, folder, cpus=2):
        self.folder = Path(folder).absolute()
        self._host, self._cpus = socket.gethostname().split(".")[0], cpus
        self._daemons = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start munge, the controller and the node, and wait until the node takes jobs."""
        reason = obstacle()
        if reason:
            raise RuntimeError(reason)
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "jobcomp.txt").touch()
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        configuration = TEMPLATE.format(
            folder=self.folder,
            host=self._host,
            cpus=self._cpus,
            megabytes=memory // 2**20 - 1024,
            controller_port=_free_port(),
            node_port=_free_port(),
        )
        (self.folder / "slurm.conf").write_text(configuration)
        CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
        CONFIGURATION.unlink(missing_ok=True)
        CONFIGURATION.symlink_to(self.folder / "slurm.conf")
        try:
            self._start_munge()
            self.start_controller("-c")
            self._daemon("slurmd", "-D")
            self.wait(lambda: self.command("sinfo", "-h", "-o", "%T").strip() == "idle", "its node is not idle")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """Cancel all jobs, stop the daemons, and remove the link to the configuration."""
        if self.answers():
            self.command("scancel", "--user", "root")
            self.wait(lambda: not self.queue(), "jobs do not end")
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name)
        if CONFIGURATION.is_symlink() and CONFIGURATION.readlink() == self.folder / "slurm.conf":
            CONFIGURATION.unlink()

    def start_controller(self, option="-R"):
        """Start the controller; it goes on with the jobs and the node's state that it knew of."""
        self._daemon("slurmctld", "-D", option)
        self.wait(self.answers, "its controller does not answer")

    def stop_controller(self):
        """Stop the controller; running jobs go on."""
        self._end("slurmctld")

    @property
    def node(self):
        """Name of the node."""
        return self._host

    def command(self, *arguments):
        """Run one of Slurm's commands and return what it prints."""
        return subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout

    def answers(self):
        """Whether the controller answers."""
        process = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, check=False, timeout=60)
        return "is UP" in process.stdout

    def queue(self, *options):
        """Return the identifiers of jobs that are waiting or running."""
        return self.command("squeue", "-h", "-o", "%A", *options).split()

    def completed(self):
        """Return the records of jobs that have ended, in order, each a dictionary of what Slurm wrote about it."""
        lines = (self.folder / "jobcomp.txt").read_text().splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def wait(self, condition, otherwise, seconds=60):
        """Wait until a condition holds, or raise a TimeoutError that says what is wrong."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"Slurm in {self.folder}: {otherwise} after {seconds} s (see its logs there)")
            time.sleep(0.05)

    def _start_munge(self):
        key, sock = self.folder / "munge.key", self.folder / "munge.socket"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = {"key-file": key, "socket": sock, "pid-file": "munge.pid", "log-file": "munge.log"}
        files |= {"seed-file": "munge.seed"}
        options = [f"--{option}={self.folder / name}" for option, name in files.items()]
        self._daemon("munged", "--foreground", "--force", *options)
        self.wait(sock.exists, "munge does not start")

    def _daemon(self, name, *arguments):
        with open(self.folder / f"{name}.out", "ab") as output:
            # In a session of its own: a Ctrl-C meant for a test must not end it.
            self._daemons[name] = subprocess.Popen(
                [_program(name), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _end(self, name):
        daemon = self._daemons.pop(name, None)
        if daemon is None:
            return
        daemon.terminate()
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _program(name):
    """The path of a program, which need not be among those of a user."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _is_ours(path):
    """Whether a configuration is one that was left behind here, with no controller that still uses it."""
    if "ClusterName=skymask-test" not in path.read_text():
        return False
    process = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, check=False, timeout=60)
    return "is UP" not in process.stdout


def _free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Slurm(sys.argv[1]) as slurm:
        print(slurm.command("sinfo"), "Ctrl-C stops it", sep="")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
