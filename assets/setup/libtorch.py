#!/usr/bin/env python3
"""Puts libtorch where the build and the program look for it: .deps in the checkout.

    .deps/site/torch/{lib,include}     unpacked from the torch wheel
    .deps/site/nvidia/*/lib            its CUDA companions, laid out as the wheels have them,
                                       because libtorch's own run paths are relative to it
    .deps/site/licences                what the wheels say of their licences
    .deps/link/{lib,include}           the small folder that LIBTORCH names

The wheels are pinned by hash in requirements-*.txt. pip fetches them, so its settings (index,
proxy, certificates) hold; it installs nothing, so any Python with pip will do, also one that
Debian manages. Everything is unpacked into a new folder that is renamed when it is complete.

CUDA=1 fetches the CUDA half too, CUDA=0 does not; otherwise an NVIDIA card decides.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

SETUP = Path(__file__).resolve().parent
DEPS = SETUP.parents[1] / ".deps"
SITE = DEPS / "site"
# Says what SITE was made of and how large each library is; written last.
READY = SITE / "ready.json"

# Not needed by a program without Python; the second line is the CUDA half, 500 MB.
PYTHON_ONLY = {"libtorch_python.so"}
CUDA_HALF = {"libtorch_cuda.so", "libtorch_cuda_linalg.so", "libtorch_nvshmem.so"}

# Peak use while wheels and unpacked files lie side by side, and what is fetched.
NEEDED_BYTES = {"cpu": 1_300_000_000, "cuda": 7_000_000_000}
FETCHED = {"cpu": "540 MB", "cuda": "2.5 GB"}


def fail(why, what_to_do):
    sys.exit(f"make setup: libtorch: {why}\n  What to do: {what_to_do}")


def nvidia_card():
    """Where an NVIDIA card was seen, or None."""
    if Path("/proc/driver/nvidia/version").exists():
        return "its driver is loaded"
    for device in Path("/sys/bus/pci/devices").glob("*"):
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == "0x10de" and kind.startswith("0x03"):  # 03: a display controller
            return f"PCI device {device.name}"
    if shutil.which("nvidia-smi"):  # the only sign of a card inside WSL
        try:
            ask = ["nvidia-smi", "-L"]
            listed = subprocess.run(ask, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        if listed.returncode == 0 and "GPU" in listed.stdout:
            return "nvidia-smi lists it"
    return None


def pins(kind):
    """The requirement lines of a kind: 'cuda' is 'cpu' and more."""
    names = ["cpu"] if kind == "cpu" else ["cpu", "cuda"]
    lines = [
        line.strip()
        for name in names
        for line in (SETUP / f"requirements-{name}.txt").read_text().splitlines()
    ]
    return [line for line in lines if line and not line.startswith("#")]


def key(kind):
    return hashlib.sha256("\n".join(pins(kind)).encode()).hexdigest()


def is_ready(kind):
    """Whether SITE holds this kind, whole. A CUDA one also serves where none is asked for."""
    try:
        ready = json.loads(READY.read_text())
        wanted = [key("cuda")] if kind == "cuda" else [key("cpu"), key("cuda")]
        return ready["key"] in wanted and all(
            (SITE / name).stat().st_size == size for name, size in ready["libraries"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


def python_with_pip():
    """This Python, or Debian's when this one (from pyenv, say) has no pip."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    debian = "/usr/bin/python3"
    has_pip = [debian, "-c", "import pip"]
    if Path(debian).exists():
        if subprocess.run(has_pip, stderr=subprocess.DEVNULL).returncode == 0:
            return debian
    return fail("Python has no pip.", "sudo apt-get install python3-pip, then the same make again")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def fetch(pin):
    """The wheel of one requirement line, from .deps/wheels when an earlier try left it there."""
    requirement, wanted = pin.split(" --hash=sha256:")
    folder = DEPS / "wheels" / requirement.replace("==", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in folder.glob("*.whl"):
        if sha256(wheel) == wanted:
            return wheel
        wheel.unlink()
    only_this = folder / "requirement.txt"
    only_this.write_text(pin + "\n")
    command = [python_with_pip(), "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    # Half a gigabyte that is fetched once is not worth a second copy in pip's cache.
    command += ["--no-cache-dir", "--dest", folder, "--requirement", only_this]
    # The same wheels whatever the host's Python is. pip does not count down by itself from
    # 2_28 to the older platforms that some companions are tagged with.
    command += ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"]
    for minor in range(28, 16, -1):
        command += ["--platform", f"manylinux_2_{minor}_x86_64"]
    command += ["--platform", "manylinux2014_x86_64"]
    # `pip download` installs nothing, so a user's rule for installs need not stop it.
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0"}
    if subprocess.run(command, env=environment).returncode != 0:
        fail(
            f"pip could not fetch {requirement} (its message is above).",
            "check the network and pip's settings (`pip config list`: index, proxy,\n"
            "  certificates), then the same make again; what was fetched so far is kept",
        )
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        fail(
            f"pip left {len(wheels)} wheels in {folder}, not one.",
            "delete that folder, then the same make again",
        )
    return wheels[0]


def target_of(name, kind):
    """Where a wheel's file goes below the site folder, or None for one that is not needed."""
    folder, _, base = name.rpartition("/")
    if not base:
        return None  # a folder's own entry
    if ".dist-info/licenses/" in name:
        package, _, rest = name.partition(".dist-info/licenses/")
        return f"licences/{package}/{rest}"
    if name.startswith("nvidia/") and base == "LICENSE.txt":
        return f"licences/{name}"
    if folder == "torch/lib":
        unwanted = PYTHON_ONLY if kind == "cuda" else PYTHON_ONLY | CUDA_HALF
        return name if ".so" in base and base not in unwanted else None
    if name.startswith("torch/include/"):
        return name
    if name.startswith("nvidia/") and folder.endswith("/lib") and ".so" in base:
        return name
    return None


def unpack(wheel, kind, site):
    """Unpacks one wheel; gives the sizes of the libraries in it."""
    libraries = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            name = target_of(entry.filename, kind)
            if name is None:
                continue
            target = site / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            if ".so" in target.name:
                libraries[name] = entry.file_size
    return libraries


def make_site(kind):
    wheels_dir, new, old = DEPS / "wheels", DEPS / "site.new", DEPS / "site.old"
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    wheels_dir.mkdir(exist_ok=True)
    here = sum(wheel.stat().st_size for wheel in wheels_dir.glob("*/*.whl"))
    needed = NEEDED_BYTES[kind] - here
    free = shutil.disk_usage(DEPS).free
    if free < needed:
        fail(
            f"{free / 1e9:.1f} GB free for {DEPS}, {needed / 1e9:.1f} GB needed during the set-up.",
            "free some space, then the same make again"
            + ("; `make CUDA=0 setup` needs 1.3 GB" if kind == "cuda" else ""),
        )
    wheels = [fetch(pin) for pin in pins(kind)]
    print("make setup: libtorch: unpacking", flush=True)
    libraries = {}
    for wheel in wheels:
        libraries.update(unpack(wheel, kind, new))
    (new / READY.name).write_text(json.dumps({"key": key(kind), "libraries": libraries}, indent=1))
    # A program that still runs from the old folder keeps its files until it ends.
    if SITE.exists():
        SITE.rename(old)
    new.rename(SITE)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(wheels_dir)


def make_links():
    """LIBTORCH's folder. torch-sys links the CUDA half whenever it sees it, and a binary linked
    so would not start without it; here it sees the CPU half alone, and the program opens the
    other at start. Relative, so that a moved checkout keeps working."""
    link = DEPS / "link"
    (link / "lib").mkdir(parents=True, exist_ok=True)
    targets = {
        "include": "../site/torch/include",
        "lib/libtorch_cpu.so": "../../site/torch/lib/libtorch_cpu.so",
        "lib/libc10.so": "../../site/torch/lib/libc10.so",
    }
    for name, target in targets.items():
        path = link / name
        if not path.is_symlink() or os.readlink(path) != target:
            path.unlink(missing_ok=True)
            path.symlink_to(target)
    # The real libtorch.so is an empty library that needs both halves.
    script = link / "lib/libtorch.so"
    text = "INPUT(-ltorch_cpu)\n"
    if not script.exists() or script.read_text() != text:
        script.write_text(text)


def main():
    # Some machines have CUDA=/usr/local/cuda in their environment: only 0 and 1 are words to us.
    asked = os.environ.get("CUDA")
    if asked in ("0", "1"):
        kind, why = ("cuda", "CUDA=1") if asked == "1" else ("cpu", "CUDA=0")
    elif is_ready("cuda"):
        kind, why = "cuda", ""
    else:
        seen = nvidia_card()
        kind, why = ("cuda", f"an NVIDIA card: {seen}") if seen else ("cpu", "no NVIDIA card")
    if not is_ready(kind):
        DEPS.mkdir(exist_ok=True)
        with open(DEPS / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("make setup: libtorch: waiting for another set-up", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_ready(kind):
                half = "its CPU half only"
                if kind == "cuda":
                    half = "with its CUDA half; CUDA=0 leaves that out"
                size = FETCHED[kind]
                print(f"make setup: libtorch: {size} to fetch, {half} ({why})", flush=True)
                make_site(kind)
    make_links()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nmake setup: libtorch: interrupted; the same make goes on from here")
    except OSError as error:
        fail(
            f"{error}",
            "check the free space and the rights of .deps in the checkout,\n"
            "  then the same make again",
        )
