#!/usr/bin/env python3
"""make install and make uninstall: the program, its libraries and its desktop entry under a prefix.

    bin/steadymask
    lib/steadymask/libsteadymask.so    the engine, which the program loads
    lib/steadymask/torch/lib, lib/steadymask/nvidia/*/lib    as in .deps/site: the engine's run
                                       path and libtorch's own are relative to this layout
    share/steadymask/models
    share/{applications,icons,mime}    desktop entry, icon, the type of *.steadymask.json
    share/doc/steadymask               with the licences of what comes along

What was put there, folders included, is listed in lib/steadymask/installed.txt as it is put, so
that uninstall also undoes an interrupted install, and removes nothing else. Files that belong to
the user (projects, presets, networks installed later) are not on that list.

STEADYMASK_PREFIX and STEADYMASK_DESTDIR come from make. DESTDIR, for packagers, is put before
every path and named in none.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = ROOT / "assets/desktop"
SITE = ROOT / ".deps/site"
MANIFEST = "lib/steadymask/installed.txt"


def fail(step, why, what_to_do):
    sys.exit(f"make {step}: {why}\n  What to do: {what_to_do}")


def prefix_and_base(step):
    """The prefix that files name, and the folder that they are written to."""
    prefix = os.environ.get("STEADYMASK_PREFIX") or "~/.local"
    destdir = os.environ.get("STEADYMASK_DESTDIR") or ""
    if prefix.startswith("~") and os.environ.get("SUDO_USER"):
        fail(
            step,
            f"under sudo, {prefix} is root's own folder.",
            f"for yourself: make {step}; for everyone: sudo make {step} PREFIX=/usr/local",
        )
    caller = os.environ.get("STEADYMASK_CALLER") or os.getcwd()
    prefix = Path(caller, Path(prefix).expanduser())
    if not destdir:
        return prefix, prefix
    return prefix, Path(caller, Path(destdir).expanduser()) / prefix.relative_to("/")


def wanted_files(binary):
    """What is installed: (path below the prefix, file here)."""
    yield "bin/steadymask", binary
    yield "lib/steadymask/libsteadymask.so", binary.with_name("libsteadymask.so")
    for library in sorted(SITE.glob("torch/lib/*.so*")) + sorted(SITE.glob("nvidia/*/lib/*.so*")):
        yield f"lib/steadymask/{library.relative_to(SITE)}", library
    for pattern in ("*.pt", "*.json"):
        for file in sorted((ROOT / "models").glob(pattern)):
            yield f"share/steadymask/models/{file.name}", file
    yield "share/icons/hicolor/scalable/apps/steadymask.svg", DESKTOP / "steadymask.svg"
    yield "share/mime/packages/steadymask.xml", DESKTOP / "steadymask.xml"
    for pattern in ("README*", "CHANGELOG*", "LICENSE*"):
        for file in sorted(ROOT.glob(pattern)):
            yield f"share/doc/steadymask/{file.name}", file
    for file in sorted((SITE / "licences").rglob("*")):
        if file.is_file():
            yield f"share/doc/steadymask/licences/{file.relative_to(SITE / 'licences')}", file


def desktop_entry(binary):
    """The entry with the program's full path: PREFIX/bin need not be on the desktop's PATH."""
    # Two layers of the desktop entry's grammar: the argument's quotes, then the value's own.
    quoted = '"' + re.sub(r'(["`$\\])', r"\\\1", str(binary)) + '"'
    quoted = quoted.replace("\\", "\\\\").replace("%", "%%")
    plain = str(binary).replace("\\", "\\\\")
    entry = (DESKTOP / "steadymask.desktop").read_text()
    entry = entry.replace("\nExec=steadymask ", f"\nExec={quoted} ")
    return entry.replace("\nTryExec=steadymask\n", f"\nTryExec={plain}\n")


class Install:
    """Puts files below a base folder, each on the manifest before it is there."""

    def __init__(self, base):
        self.base = base
        manifest = base / MANIFEST
        missing = self._missing_folders(manifest.parent)
        manifest.parent.mkdir(parents=True, exist_ok=True)
        self.manifest = open(manifest, "w", encoding="utf-8", errors="surrogateescape")
        for folder in missing:
            self._note(folder, folder=True)

    def _missing_folders(self, folder):
        """The folders from the base down to this one that are not there yet."""
        chain = [folder, *folder.parents]
        return [f for f in reversed(chain[: chain.index(self.base) + 1]) if not f.exists()]

    def _note(self, path, folder=False):
        self.manifest.write(f"{path.relative_to(self.base)}{'/' if folder else ''}\n")
        self.manifest.flush()

    def _prepare(self, name):
        target = self.base / name
        for folder in self._missing_folders(target.parent):
            self._note(folder, folder=True)
            folder.mkdir()
            folder.chmod(0o755)
        self._note(target)
        # A running program keeps the file that it has open.
        target.unlink(missing_ok=True)
        return target

    def copy(self, name, source):
        target = self._prepare(name)
        shutil.copyfile(source, target)
        target.chmod(0o755 if name.startswith("bin/") else 0o644)

    def write(self, name, text):
        target = self._prepare(name)
        target.write_text(text)
        target.chmod(0o644)

    def note_new(self, paths):
        """Files that another tool made because of ours."""
        for path in paths:
            self._note(path, folder=path.is_dir())


def generated(base):
    """What the desktop's tools derive from all installed types and entries."""
    mime = base / "share/mime"
    made = [p for p in mime.rglob("*") if "packages" not in p.relative_to(mime).parts]
    cache = base / "share/applications/mimeinfo.cache"
    return set(made) | ({cache} if cache.exists() else set())


def refresh_desktop(base):
    """Lets the desktop notice. Without these tools there is no desktop to tell."""
    for tool, folder in (
        ("update-mime-database", base / "share/mime"),
        ("update-desktop-database", base / "share/applications"),
    ):
        if folder.is_dir() and any(folder.iterdir()) and shutil.which(tool):
            subprocess.run([tool, str(folder)], check=False, stderr=subprocess.DEVNULL)
    icons = base / "share/icons/hicolor"
    if icons.is_dir():
        os.utime(icons)  # an icon cache older than its folder is not believed


def read_manifest(base):
    try:
        text = (base / MANIFEST).read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    return [
        line
        for line in text.splitlines()
        if line and not line.startswith("/") and ".." not in PurePosixPath(line).parts
    ]


def remove_installed(base):
    """Whether something was there to remove."""
    names = read_manifest(base)
    if names is None:
        return False
    for name in names:
        if not name.endswith("/"):
            (base / name).unlink(missing_ok=True)
    (base / MANIFEST).unlink()
    # Deepest first; a folder that holds something else by now stays.
    for name in sorted((n for n in names if n.endswith("/")), key=len, reverse=True):
        try:
            (base / name).rmdir()
        except OSError:
            pass
    return True


def install(binary):
    prefix, base = prefix_and_base("install")
    if not (SITE / "torch/lib/libtorch_cpu.so").exists():
        fail("install", "libtorch is not set up.", "make setup, then the same make again")
    if missing := [f for _, f in list(wanted_files(binary))[:2] if not f.exists()]:
        fail("install", f"{missing[0]} is not built.", "make build, then the same make again")
    in_the_tree = base == prefix
    remove_installed(base)
    files = list(wanted_files(binary))
    print(f"make install: {sum(f.stat().st_size for _, f in files) / 1e6:.0f} MB to {base}")
    generated_before = generated(base)
    put = Install(base)
    for name, source in files:
        # With the default prefix this is also the user's data folder: what is still there after
        # our own files went is a network that the user installed.
        if name.startswith("share/steadymask/models/") and (base / name).exists():
            continue
        put.copy(name, source)
    put.write("share/applications/steadymask.desktop", desktop_entry(prefix / "bin/steadymask"))
    if in_the_tree:
        refresh_desktop(base)
        put.note_new(sorted(generated(base) - generated_before))
    if not any(name.endswith(".pt") for name, _ in files):
        print("make install: no network was installed; `steadymask models setup` fetches them")
    program = prefix / "bin/steadymask"
    if in_the_tree and str(program.parent) not in os.environ.get("PATH", "").split(":"):
        print(f"make install: {program.parent} is not on your PATH; the program is {program}")


def uninstall():
    prefix, base = prefix_and_base("uninstall")
    if not remove_installed(base):
        fail(
            "uninstall",
            f"no Steadymask is installed in {base} (it has no {MANIFEST}).",
            "name the folder that it was installed to: make uninstall PREFIX=…",
        )
    if base == prefix:
        refresh_desktop(base)
    print(f"make uninstall: removed from {base}; projects and presets stay")


if __name__ == "__main__":
    step = sys.argv[1]
    try:
        install(Path(sys.argv[2])) if step == "install" else uninstall()
    except PermissionError as error:
        fail(step, f"{error}", f"choose a PREFIX of your own, or: sudo make {step} PREFIX=…")
    except OSError as error:
        fail(step, f"{error}", "the same make again, or make uninstall to take back what was put")
