"""A container engine for `sam local`: the running one, or a temporary one of our own.

Ours is Docker from Debian's packages, unpacked into .tools/engine and not installed. It runs in its
own network, so that it does not change the machine's, and stops when the block ends. Its image is
not pulled from a registry, but made from this machine's Python 3.13.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts import lambda_runtime

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / ".tools" / "engine"
PROGRAM_PATH = f"{ENGINE}/usr/sbin:{ENGINE}/usr/bin"
PACKAGES = ("docker.io", "containerd", "runc")  # 65 MB
GATEWAY = "172.31.77.1"  # for our engine's containers; from a range that few networks use
START_SECONDS = 60.0


class NoEngineError(Exception):
    """No container engine runs, and none can be provided; the message says what to do."""


def is_running() -> bool:
    """Whether a container engine responds."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def fetch() -> None:
    """Unpack an engine into .tools/engine, once; raises NoEngineError if that is impossible."""
    if (ENGINE / "usr/sbin/dockerd").exists():
        return
    if not (sys.platform == "linux" and os.geteuid() == 0 and shutil.which("dpkg")):
        raise NoEngineError(
            "There is no container engine. Start Docker, or one that speaks as it does, and run "
            "this again; without one, this can only go on as root on Debian or Ubuntu."
        )
    print("No container engine answers; unpacking one into .tools/engine ...")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=False)
        if done.returncode:
            raise NoEngineError("Debian's packages could not be fetched. Try: apt-get update")
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, ENGINE], check=True)


def reexec_in_own_network() -> None:
    """Restart this program in its own, empty network."""
    os.environ["RELAY_OWN_NETWORK"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--", sys.executable, *sys.orig_argv[1:]])


def is_in_own_network() -> bool:
    """Whether this process was started by `reexec_in_own_network`."""
    return "RELAY_OWN_NETWORK" in os.environ


@contextlib.contextmanager
def start(image: str, layer: Path) -> Iterator[None]:
    """Run our engine inside the block, with the image in it; DOCKER_HOST points to it.

    The image gets the shared libraries that the layer needs from the machine.
    """
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="relay-engine-") as folder:
        os.environ["PATH"] = f"{PROGRAM_PATH}:{os.environ['PATH']}"
        os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
        engine = _start_daemon(Path(folder))
        try:
            _wait_until_running(engine)
            _make_image(image, layer)
            yield
        finally:
            engine.send_signal(signal.SIGTERM)  # it stops its containers first
            engine.wait()


def _start_daemon(folder: Path) -> subprocess.Popen[bytes]:
    options = {
        "host": os.environ["DOCKER_HOST"],
        "data-root": str(ENGINE / "data"),
        "exec-root": str(folder / "exec"),  # for sockets, whose paths must be short
        "pidfile": str(folder / "pid"),
        "bip": f"{GATEWAY}/24",
        "storage-driver": "overlay2",
        "iptables": "false",
        "ip6tables": "false",
    }
    with (ENGINE / "log").open("wb") as log:
        return subprocess.Popen(
            ["dockerd", *(f"--{name}={value}" for name, value in options.items())],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must not reach the engine; it is stopped last
        )


def _wait_until_running(engine: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_running():
        if engine.poll() is not None or time.monotonic() > deadline:
            raise NoEngineError(f"The container engine did not come up; see {ENGINE / 'log'}")
        time.sleep(0.1)


# --- the image


BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/opt/python:/var/runtime
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
"""
SHELL = ("sh", "mv", "cp", "rm", "mkdir", "chmod")  # commands that SAM CLI runs in the container


def _make_image(image: str, layer: Path) -> None:
    known = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False)
    if known.returncode == 0:
        return
    if sys.version_info[:2] != (3, 13):
        raise NoEngineError("The image is made from this machine's Python 3.13, which is not here.")
    print(f"Making {image} from this machine's Python ...")
    with tempfile.TemporaryDirectory() as folder:
        _fill_image(Path(folder), layer)
        with subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE) as tar:
            places = ["ENV PATH=/var/lang/bin:/bin", "ENV LANG=C.UTF-8", "WORKDIR /var/task"]
            changes = [f"--change={place}" for place in places]
            subprocess.run(
                ["docker", "import", *changes, "-", image],
                stdin=tar.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )


def _fill_image(root: Path, layer: Path) -> None:
    """Create the files of a Lambda image: Python, the runtime, a shell and their libraries."""
    for name in ("tmp", "var/task", "var/rapid", "opt", "etc", "bin"):
        (root / name).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    lang = root / "var/lang"
    unused = shutil.ignore_patterns("site-packages", "test", "__pycache__", "*.a", "share")
    shutil.copytree(sys.base_prefix, lang, symlinks=True, ignore=unused)
    lambda_runtime.copy_into(root / "var/runtime")
    bootstrap = root / "var/runtime/bootstrap"
    bootstrap.write_text(BOOTSTRAP)
    bootstrap.chmod(0o755)
    for name in SHELL:
        shutil.copy2(shutil.which(name) or name, root / "bin" / name)
    runtime = (root / "var/runtime").rglob("*.so")
    extensions = [*lang.rglob("*.so*"), *runtime, *layer.rglob("*.so")]
    compiled = [*(root / "bin").iterdir(), lang / "bin/python3.13", *extensions]
    for library in {one for program in compiled for one in _libraries(program)}:
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, target)


def _libraries(program: Path) -> Iterator[str]:
    """Yield the paths of the shared libraries that a program loads on this machine."""
    output = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for word in output.split():
        if word.startswith("/") and Path(word).exists():
            yield word
