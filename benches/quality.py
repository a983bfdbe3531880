#!/usr/bin/env python3
"""The quality table: `steadymask evaluate` on the DAVIS sequences, and the means over them.

    benches/quality.py target/release/steadymask ../shared/davis [OPTIONS OF EVALUATE]

Frames without the first and last; warped instability is scored with a flow that the
smoother does not use. Prints a line for each method and what it does to each sequence's J.
"""

import json
import subprocess
import sys
from pathlib import Path

CLASSES = {
    "car-shadow": "car",
    "car-roundabout": "car",
    "hike": "person",
    "dance-jump": "person",
    "libby": "dog",
    "motorbike": "motorbike+person",
}
COLUMNS = ["j", "f", "t", "instability", "warped_instability", "flip_rate", "pop_rate", "lag_frames", "agreement", "vc_8"]


def main():
    program, davis, *options = sys.argv[1:]
    tables = {}
    for name, classes in CLASSES.items():
        folder = Path(davis) / name
        command = [program, "evaluate", folder / "images", "--truth", folder / "masks", "--class", classes,
                   "--model", "deeplabv3-mobilenetv2", "--davis-protocol", "--json", *options]
        lines = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        tables[name] = {line["name"]: line for line in lines}
    methods = list(next(iter(tables.values())))
    print(f"{'':26}" + "".join(f"{column[:9]:>10}" for column in COLUMNS) + "   J and F by sequence, against raw")
    for method in methods:
        lines = [table[method] for table in tables.values()]
        print(f"{method:26}", end="")
        for column in COLUMNS:
            values = [line[column] for line in lines if line[column] is not None]
            if column == "lag_frames":
                # The worst, not the mean: late in one and early in another is not on time.
                value = max(values, key=abs, default=None)
            else:
                value = sum(values) / len(values) if values else None
            print("         –" if value is None else f"{value:10.4f}", end="")
        gains = []
        for name, table in tables.items():
            j, f = (100 * (table[method][key] - table["raw"][key]) for key in ("j", "f"))
            gains.append(f"{name} {j:+.1f} {f:+.1f}")
        print("   " + ", ".join(gains))


main()
