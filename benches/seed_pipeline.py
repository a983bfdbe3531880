#!/usr/bin/env python3
"""The whole job as the seed recipe does it in Python, and Steadymask beside it.

    benches/seed_pipeline.py compare PROGRAM MODEL.pt CLIP [--frames 300] [--class person]

The recipe: the whole video in a list, the network on one frame after the other, a causal
moving average of five hard masks, IoU between neighbours, and PNGs of raw and smoothed masks;
PyTorch, OpenCV and NumPy. Steadymask does the same job with the same model file on the same
threads. Prints what each takes beyond the network alone in time (Python runs it with nothing
beside; ours is timed in turns with a process that only runs it), and beyond a process that
only runs it in memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WINDOW = 5
BARE_FRAMES = 30


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ["compare", "job", "bare"]:
        command = commands.add_parser(name)
        if name == "compare":
            command.add_argument("program")
        command.add_argument("model", type=Path)
        command.add_argument("clip")
        command.add_argument("--frames", type=int, default=300)
        command.add_argument("--class", dest="class_name", default="person")
    return parser.parse_args()


class Network:
    """A model file with its manifest, used as a script of a few dozen lines uses it."""

    def __init__(self, path):
        import torch

        self.torch = torch
        self.manifest = json.loads(path.with_suffix(".json").read_text())
        self.network = torch.jit.load(path).eval()

    def input_size(self, width, height):
        rule = self.manifest["input"]
        if rule["rule"] == "fixed":
            return rule["width"], rule["height"]
        scale = rule["long_side"] / max(width, height)

        def side(pixels):
            steps = round((pixels * scale - rule["offset"]) / rule["multiple"])
            return rule["offset"] + rule["multiple"] * max(1, steps)

        return side(width), side(height)

    def segment(self, frame):
        """The class of every pixel of a BGR frame, at the frame's size."""
        import cv2
        import numpy as np

        torch, manifest = self.torch, self.manifest
        height, width = frame.shape[:2]
        picture = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), self.input_size(width, height))
        picture = (picture.astype(np.float32) / 255 - manifest["mean"]) / manifest["std"]
        tensor = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
        begun = time.perf_counter()
        with torch.inference_mode():
            out = self.network(tensor)
        seconds = time.perf_counter() - begun
        out = out["out"] if isinstance(out, dict) else out
        out = torch.nn.functional.interpolate(out, (height, width), mode="bilinear", align_corners=False)
        is_sigmoid = manifest["activation"] == "sigmoid"
        classes = (out[0, 0] > 0).numpy().astype(np.uint8) if is_sigmoid else out[0].argmax(0).byte().numpy()
        return classes, seconds


def video(clip, frames):
    import cv2

    capture = cv2.VideoCapture(clip)
    while frames > 0:
        is_there, frame = capture.read()
        if not is_there:
            return
        frames -= 1
        yield frame


def bare(args):
    """Only the network, on one frame after the other; nothing is kept."""
    network = Network(args.model)
    return {"network_seconds": sum(network.segment(frame)[1] for frame in video(args.clip, args.frames))}


def job(args):
    import cv2
    import numpy as np

    begun = time.perf_counter()
    network = Network(args.model)
    names = network.manifest["classes"]
    number = 1 if len(names) == 1 else names.index(args.class_name)
    frames = list(video(args.clip, args.frames))
    raw, network_seconds = [], 0.0
    for frame in frames:
        classes, seconds = network.segment(frame)
        raw.append((classes == number).astype(np.uint8))
        network_seconds += seconds
    smoothed = [
        (np.mean(raw[max(0, t - WINDOW + 1) : t + 1], axis=0) >= 0.5).astype(np.uint8) for t in range(len(raw))
    ]
    scores = {}
    for name, masks in [("raw", raw), ("smoothed", smoothed)]:
        scores[name] = []
        for before, now in zip(masks, masks[1:]):
            union = np.logical_or(now, before).sum()
            scores[name].append(float(np.logical_and(now, before).sum() / union) if union else 1.0)
    with tempfile.TemporaryDirectory() as folder:
        for name, masks in [("raw", raw), ("smoothed", smoothed)]:
            Path(folder, name).mkdir()
            for t, mask in enumerate(masks):
                cv2.imwrite(f"{folder}/{name}/{t:06}.png", 255 * mask)
        Path(folder, "scores.json").write_text(json.dumps(scores))
    seconds = time.perf_counter() - begun
    return {"frames": len(frames), "seconds": seconds, "network_seconds": network_seconds}


def compare(args):
    common = [args.model, args.clip, "--class", args.class_name, "--frames"]
    python = [sys.executable, __file__]
    # For its memory, which some frames show.
    alone = output_of([*python, "bare", *common, str(min(args.frames, BARE_FRAMES))])
    recipe = output_of([*python, "job", *common, str(args.frames)])
    ours = output_of([
        args.program, "bench", args.clip, "--frames", str(args.frames), "--class", args.class_name,
        "--model", args.model.stem, "--models-dir", args.model.parent, "--trust-model", "--preset", "seed",
        "--method", "moving-average", "--window", str(WINDOW), "--export", "png,csv", "--json",
    ])
    frames = ours["frames"]
    rows = [
        ("Python", recipe["network_seconds"], recipe["seconds"], alone["peak_bytes"], recipe["peak_bytes"]),
        (
            "Steadymask",
            frames * ours["network_alone_secs_per_frame"],
            frames * ours["end_to_end_secs_per_frame"],
            ours["peak_memory_network_bytes"],
            ours["peak_memory_bytes"],
        ),
    ]
    print(f"{frames} frames, {args.model.stem}")
    beyond = []
    for name, network_secs, secs, bare_bytes, peak_bytes in rows:
        mib = [value / 2**20 for value in (bare_bytes, peak_bytes)]
        beyond.append((secs - network_secs, mib[1] - mib[0]))
        print(
            f"{name:12} network {network_secs:7.1f} s, all {secs:7.1f} s, beyond it {beyond[-1][0]:7.1f} s;"
            f" bare {mib[0]:6.0f} MiB, peak {mib[1]:6.0f} MiB, beyond it {beyond[-1][1]:6.0f} MiB"
        )
    ratios = [ours / theirs for ours, theirs in zip(beyond[1], beyond[0])]
    print(f"ours over Python's: beyond the network {ratios[0]:.3f} in time, {ratios[1]:.3f} in memory;"
          f" in all {rows[1][2] / rows[0][2]:.3f}")


def output_of(command):
    """What a process says of itself, on two threads."""
    environment = dict(os.environ, OMP_NUM_THREADS="2")
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout)


def main():
    args = arguments()
    if args.command == "compare":
        return compare(args)
    figures = {"job": job, "bare": bare}[args.command](args)
    figures["peak_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(figures))


main()
