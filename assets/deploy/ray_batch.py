#!/usr/bin/env python3
"""Spreads the lines of a manifest over a Ray cluster; each runs `steadymask batch --index`.

    pip install ray
    python ray_batch.py jobs.jsonl results --pipeline steady-person --cpus 2

Manifest, inputs and results must lie where all machines see them under the same path, and the
program on each. A line that is done already costs nothing, so the same command goes on after any
stop. At the end all results are in results.csv and results.jsonl of the folder.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import ray

DONE = 0
# 75: it may pass (EX_TEMPFAIL); 130: it was interrupted.
TRY_AGAIN = {75, 130}
TRIES = 3
PAUSE_SECS = 5


def run_line(command: list[str], index: int) -> tuple[int, int, str]:
    """Index, exit code and last words of one line. A killed process is tried again, too."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_SECS)
        done = subprocess.run([*command, "--index", str(index)], capture_output=True, text=True)
        if done.returncode not in TRY_AGAIN and done.returncode >= 0:
            break
    return index, done.returncode, done.stderr.strip().rpartition("\n")[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pipeline", default="steady-person")
    parser.add_argument("--program", default="steadymask", help="the program, as every machine calls it")
    parser.add_argument("--cpus", type=float, default=2, help="cores for each line")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs for each line")
    parser.add_argument("--address", help="of a running cluster; one on this machine if not given")
    args = parser.parse_args()

    manifest, out = args.manifest.resolve(), args.out.resolve()
    lines = sum(1 for line in manifest.read_text().split("\n") if line.strip())
    command = [args.program, "batch", "--manifest", str(manifest), "--out", str(out), "--pipeline", args.pipeline]

    ray.init(address=args.address)
    # A line whose machine is lost goes to another one.
    task = ray.remote(num_cpus=args.cpus, num_gpus=args.gpus, max_retries=-1)(run_line)
    waiting = [task.remote(command, index) for index in range(lines)]
    finished = failed = 0
    while waiting:
        ready, waiting = ray.wait(waiting)
        for index, code, words in ray.get(ready):
            finished += 1
            failed += code != DONE
            print(f"{finished}/{lines}: line {index}" + ("" if code == DONE else f" failed ({code}): {words}"), flush=True)
    ray.shutdown()
    # Puts the results together, and tells all (0), some (6) or none (7).
    return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
