#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the project's Python environments from the lock files; the second run finds a stamp and is done at once.

    scripts/bootstrap.py serve        .venv            what the product needs, and the project itself (editable)
    scripts/bootstrap.py test         .venv            the same and the tools of the tests
    scripts/bootstrap.py mysqlclient  .venv            the driver in C for MariaDB and MySQL, after one of these two
    scripts/bootstrap.py openstack    .venv-openstack  a real keystone and the real clients, for the tests

$PYTHON names the Python to make them with (`make test PYTHON=python3.13`); an environment of another version is made
anew. Without it, what is there stays, and a new one is made with the Python that runs this.

Standard library only, because it runs where nothing is installed yet: Debian's python3 without python3-venv and
without pip. What installs packages is pip inside the new environment, with the user's own pip settings.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, NoReturn, Sequence  # noqa: UP035  # an old python3 must get as far as its message

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)
RANGE = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"


@dataclass(frozen=True)
class Profile:
    """One environment: where it is, what is locked for it, and whose stamps hold for it as well.

    compiled  the Debian packages with which its only package is compiled, in an environment that another profile made;
              {} stands for the environment's Python
    """

    venv: str
    lock: str
    inputs: tuple[str, ...]
    editable: bool
    covered_by: tuple[str, ...] = ()
    compiled: str = ""


PROFILES = {
    "serve": Profile(".venv", "requirements.lock", ("requirements.lock", "pyproject.toml"), True, ("test",)),
    "test": Profile(
        ".venv", "requirements-test.lock", ("requirements.lock", "requirements-test.lock", "pyproject.toml"), True
    ),
    "mysqlclient": Profile(
        ".venv",
        "requirements-mysqlclient.lock",
        ("requirements-mysqlclient.lock",),
        False,
        compiled="gcc pkg-config libmariadb-dev python{}-dev",
    ),
    "openstack": Profile(".venv-openstack", "requirements-openstack.lock", ("requirements-openstack.lock",), False),
}


def main(names: Sequence[str]) -> None:
    """Make every named environment that is not there yet, or is not what its lock file says."""
    unknown = [name for name in names if name not in PROFILES]
    if unknown or not names:
        fail(f"say which environments: {' '.join(PROFILES)}")
    if all(is_current(name) for name in names):
        return
    with only_one():
        for name in names:
            if not is_current(name):
                make(name)


def make(name: str) -> None:
    """Create the environment where it is missing or broken, install what is locked, and leave the stamp."""
    profile = PROFILES[name]
    venv = ROOT / profile.venv
    if profile.compiled and not (is_current("serve") or is_current("test")):
        fail(f"name serve or test before {name}, which is compiled with what they install")
    if not usable(venv):
        create(venv)
    python = str(venv / "bin/python")
    install(python, venv, profile)
    if profile.editable:
        options = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", str(ROOT)]
        pip(python, venv, options, what="the project")
    write_stamp(name)


# -- stamps: a line with the folder, because an environment cannot move, and a line for what was installed


def stamp_file(name: str) -> Path:
    """Where the environment remembers what it was made from."""
    return ROOT / PROFILES[name].venv / f".made-for-{name}"


def stamp_text(name: str) -> str:
    """What the stamp of an environment made now would say."""
    digest = hashlib.sha256()
    for path in PROFILES[name].inputs:
        digest.update((ROOT / path).read_bytes())
    return f"{ROOT}\n{digest.hexdigest()}\n"


def is_current(name: str) -> bool:
    """Whether the environment is what its lock file says; reads a few files and starts nothing."""
    venv = ROOT / PROFILES[name].venv
    if not (venv / "bin/python").exists() or not as_chosen(venv):
        return False
    for stamp in (name, *PROFILES[name].covered_by):
        path = stamp_file(stamp)
        if path.exists() and path.read_text() == stamp_text(stamp):
            return True
    return False


def write_stamp(name: str) -> None:
    """Say that the environment is complete: written last and in one step, so that a broken run leaves none."""
    new = stamp_file(name).with_suffix(".new")
    new.write_text(stamp_text(name))
    new.replace(stamp_file(name))


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the checkout's folder locked, so that two runs at once make one environment."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is making the environment; waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


# -- the environment


def usable(venv: Path) -> bool:
    """Whether an environment made earlier still runs here: right Python, pip inside, and not moved or copied."""
    python = venv / "bin/python"
    moved = [s for s in venv.glob(".made-for-*") if s.read_text().splitlines()[:1] != [str(ROOT)]]
    if moved or not python.exists() or not as_chosen(venv):
        return False
    probe = "import pip, sys; print(sys.prefix, sys.version_info[:2] >= (3, 11) and sys.version_info[:2] <= (3, 13))"
    ran = subprocess.run([str(python), "-I", "-c", probe], capture_output=True, text=True, check=False)
    return ran.stdout.strip() == f"{venv} True"


def create(venv: Path) -> None:
    """Make an empty environment with pip in it; an old one at the same place goes."""
    python, version = pick_python()
    say(f"making {venv.name} with Python {version} ({python})")
    if venv.is_symlink() or (venv.exists() and not venv.is_dir()):
        fail(f"{venv} is in the way: it is no folder; remove it and run again")
    command = [python, "-m", "venv", "--clear", str(venv)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        fail(f"{' '.join(command)} failed:\n{ran.stdout}{ran.stderr}")


def pick_python() -> tuple[str, str]:
    """A Python in range that can make environments, as (path, version); installs Debian's venv module if need be."""
    wanted = chosen()
    found = [wanted] if wanted else list(pythons())
    if not found:
        fail(f"no Python {RANGE} found; install one (Debian 12: apt-get install python3) or set PYTHON=/path/to/python")
    for path, version, has_pip in found:
        if has_pip:
            return path, version
    install_debian_venv(*found[0][:2])
    return found[0][:2]


@functools.lru_cache(maxsize=1)
def chosen() -> tuple[str, str, bool] | None:
    """The Python that $PYTHON names, as `pythons` has it; None where it names none. Stops where it cannot be used."""
    name = os.environ.get("PYTHON")
    if not name:
        return None
    path = shutil.which(name)
    found = look_at(path) if path else None
    if found is None:
        fail(f"PYTHON={name} names no Python {RANGE} that runs here; give the path of one, or leave PYTHON away")
    return found


def as_chosen(venv: Path) -> bool:
    """Whether the environment is of the version that $PYTHON names; always, where it names none."""
    wanted = chosen()
    if wanted is None:
        return True
    return version_of(venv) == wanted[1]


def version_of(venv: Path) -> str:
    """The version of the environment's Python, as 3.11; "" if there is none."""
    lines = (venv / "pyvenv.cfg").read_text().splitlines() if (venv / "pyvenv.cfg").exists() else []
    settings = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return ".".join(settings.get("version", "").split(".")[:2])


def pythons() -> Iterator[tuple[str, str, bool]]:
    """Every Python in range as (path, version, can make environments): the one running this first, then by name."""
    seen = set()
    for name in (sys.executable, "python3", "python3.13", "python3.12", "python3.11"):
        path = shutil.which(name)
        if path is None or path in seen:
            continue
        seen.add(path)
        found = look_at(path)
        if found is not None:
            yield found


def look_at(path: str) -> tuple[str, str, bool] | None:
    """What one Python is, as `pythons` has it; None where it does not run (pyenv's shims) or is out of range."""
    probe = (
        "import sys, importlib.util as u; print(*sys.version_info[:2], all(map(u.find_spec, ('venv', 'ensurepip'))))"
    )
    ran = subprocess.run([path, "-I", "-c", probe], capture_output=True, text=True, check=False)
    if ran.returncode:
        return None
    major, minor, has_pip = ran.stdout.split()
    in_range = OLDEST <= (int(major), int(minor)) <= NEWEST
    return (path, f"{major}.{minor}", has_pip == "True") if in_range else None


def install_debian_venv(python: str, version: str) -> None:
    """Install the Debian package that gives `python` its venv module, as root or through sudo without a password."""
    package = f"python{version}-venv"
    mend = f"{python} cannot make environments (no ensurepip); as root: apt-get install {package}"
    admin = become_root()
    if admin is None or not shutil.which("apt-get"):
        fail(mend)
    say(f"{python} has no ensurepip: installing the Debian package {package}")
    apt = [*admin, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]
    get = [*apt, "install", "--yes", "--no-install-recommends", package]
    ran = subprocess.run(get, capture_output=True, text=True, check=False)
    if ran.returncode:  # a fresh machine has no package lists yet
        subprocess.run([*apt, "update"], capture_output=True, check=False)
        ran = subprocess.run(get, capture_output=True, text=True, check=False)
    if ran.returncode:
        fail(f"{ran.stdout[-2000:]}{ran.stderr[-2000:]}\n{mend}")


def become_root() -> list[str] | None:
    """The words before a command that make it root's: none for root itself, None where there is no way."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


# -- pip


def install(python: str, venv: Path, profile: Profile) -> None:
    """Install everything that a lock file names, at exactly its hashes."""
    lock, options = profile.lock, []
    if profile.compiled:
        options = ["--no-deps", "--no-build-isolation"]  # nothing that is not locked is fetched to compile it with
    count = sum(1 for line in (ROOT / lock).read_text().splitlines() if line[:1].isalnum())
    start = time.monotonic()
    say(f"installing the {count} packages of {lock} into {venv.name}: once, for a minute or so")
    options += ["--require-hashes", "--requirement", str(ROOT / lock)]
    needs = profile.compiled.format(version_of(venv)) if profile.compiled else ""
    pip(python, venv, options, what=lock, count=count, needs=needs)
    say(f"{lock}: installed in {time.monotonic() - start:.0f} s")


def pip(python: str, venv: Path, options: list[str], *, what: str, count: int = 0, needs: str = "") -> None:
    """Run pip install; progress to a terminal, everything to a log in the environment, its end on failure."""
    command = [python, "-I", "-m", "pip", "install", "--no-input", "--progress-bar=off", *options]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    log = venv / "pip.log"
    process = subprocess.Popen(
        command, env={**os.environ, **quiet}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )
    done, lines = 0, []
    with process, log.open("w") as out:
        assert process.stdout is not None
        for line in process.stdout:
            out.write(line)
            lines.append(line)
            done += line.startswith(("Collecting ", "Requirement already satisfied: "))
            if count and sys.stderr.isatty():
                print(f"\r\033[K  {min(done, count)}/{count} {line.strip()[:70]}", end="", file=sys.stderr, flush=True)
    if count and sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if process.returncode:
        told = [line for line in lines if "WARNING: Location" not in line][-15:]
        packages = f"\nit is compiled; on Debian, as root: apt-get install {needs}" if needs else ""
        fail(f"pip could not install {what} (whole log: {log}):\n{''.join(told)}{packages}")


def say(text: str) -> None:
    """One line for whoever waits."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    """Stop with one line, or with what a tool said, and no traceback."""
    sys.exit(f"bootstrap: {text}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
