"""Makes metrics.json and davis.json: what the reference implementations say of known masks.

    python make_metrics.py --davis2017 DIR --davis2016 DIR [DIR …] --vspw FILE [--masks DIR]

--davis2017  checkout of davisvideochallenge/davis2017-evaluation (metrics.py, utils.py): J, F,
             mean, recall, decay
--davis2016  folders of fperazzi/davis that hold t_stability.py and its built C++ extension
             tstab: T
--vspw       VC_perclip.py of VSPW-dataset/VSPW_code: VC
--masks      folder of DAVIS sequences (NAME/masks/*.png), for davis.json

The reference code runs as it is, but for names that NumPy has dropped since (np.int), the
integer arguments that it now wants (nbins in t_stability.py), and, where `decay_unwrapped` is
given, the 8-bit cast in db_statistics. For the numbers here the C++ (PolyCont, Boost 1.74's
Dijkstra) was transcribed from its sources behind ctypes instead of Boost.Python, with psimpl's
Douglas-Peucker cut down to two dimensions. Of two contours of equal length the first is taken,
as in the Matlab code; versions of the C++ differ there. Masks are made here by integer arithmetic alone; tests/metrics_golden.rs
makes the same ones, and `pixels` proves it.
"""

import argparse
import ast
import inspect
import json
import pathlib
import sys

import numpy as np


def noise(x, y, t):
    """A hash in [0, 65536)."""
    h = (x * 374761393 + y * 668265263 + t * 974634777 + 1013904223) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return (h ^ (h >> 16)) & 0xFFFF


def disc(x, y, cx, cy, r2):
    return (x - cx) ** 2 + (y - cy) ** 2 <= r2


def moving_disc(x, y, t):
    """A disc that runs to the right; the prediction trails and wobbles."""
    cx, cy = 30 + 2 * t, 50 + (t * t) % 7
    wobble = noise(0 * x, 0 * y, t) % 5
    return disc(x, y, cx, cy, 400), disc(x, y, cx - 3, cy + 1, 400 + 60 * wobble)


def blob(x, y, t):
    """Two discs and a bar; the prediction's edge is ragged, with specks."""
    inner = disc(x, y, 60 + t, 60, 900) | disc(x, y, 95, 50 + t, 500) | ((abs(y - 80) < 6) & (x > 40) & (x < 130))
    outer = disc(x, y, 60 + t, 60, 1200) | disc(x, y, 95, 50 + t, 700)
    n = noise(x, y, t)
    return inner, (inner & (n % 16 != 0)) | (outer & (n % 3 == 0)) | (n % 211 == 0)


def speckle(x, y, t):
    """Noise: contours that touch at corners everywhere."""
    n = noise(x, y, t)
    return n % 2 == 0, n % 3 == 0


def border(x, y, t):
    """Masks that touch or fill the picture."""
    return (x < 9 * t) | (y >= 41 - 3 * t), (x >= 60 - 10 * t) & (y < 7 * t + 2)


def sparse(x, y, t):
    """Empty masks and single pixels, also in the corners."""
    w, h = x.max() + 1, y.max() + 1
    spots = [(0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1), (w // 2, h // 2)]
    def one(k):
        sx, sy = spots[k % 5]
        return (x == sx) & (y == sy)
    nothing = x < 0
    return one(t) if t % 3 else nothing, one(t + t % 2) if t % 4 else nothing


def ring(x, y, t):
    """A disc with a jagged hole, whose contour is the longer one."""
    jagged = disc(x, y, 80, 60, 900 + 500 * ((x + y + t) // 9 % 2))
    return disc(x, y, 80, 60, 2700) & ~jagged, disc(x, y, 80 + t % 3, 60, 2700) & ~jagged


# name: (masks, width, height, frames)
SCENES = {
    "moving_disc": (moving_disc, 160, 120, 30),
    "large_disc": (lambda x, y, t: tuple(np.kron(m, np.ones((4, 5), bool)) for m in moving_disc(x[:120, :160], y[:120, :160], 8 * t)), 800, 480, 4),
    "blob": (blob, 160, 120, 12),
    "speckle": (speckle, 47, 39, 6),
    "border": (border, 67, 45, 8),
    "sparse": (sparse, 65, 33, 12),
    "ring": (ring, 160, 120, 6),
}
LONG = {"long_disc": (lambda x, y, t: moving_disc(x, y, t // 5), 200, 110, 300)}


def clip(make, width, height, frames):
    y, x = np.mgrid[:height, :width].astype(np.int64)
    pairs = [make(x, y, t) for t in range(frames)]
    return [p[0] for p in pairs], [p[1] for p in pairs]


def stats(reference, values):
    """Mean, recall and decay; the decay also without the cast that wraps past 256 frames."""
    values = np.array(values, float)
    mean, recall, decay = reference.db_statistics(values)
    source = inspect.getsource(reference.db_statistics).replace("np.uint8", "np.int64")
    names = vars(reference).copy()
    exec(source, names)
    return {"mean": float(mean), "recall": float(recall), "decay_unwrapped": float(names["db_statistics"](values)[2]), **({"decay": float(decay)} if len(values) <= 256 else {})}


def consistency(get_common, truth, prediction, window):
    if len(truth) <= window:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmean(get_common(truth, prediction, window, *truth[0].shape)))


def optional(value):
    return None if np.isnan(value) else float(value)


def frame_row(ref, truth, prediction, following):
    dice_sum = truth.sum() + prediction.sum()
    row = {
        "pixels": [int(truth.sum()), int(prediction.sum())],
        "j": float(ref.metrics.db_eval_iou(truth, prediction)),
        "dice": float(2 * (truth & prediction).sum() / dice_sum) if dice_sum else 1.0,
        "f": float(ref.metrics.db_eval_boundary(truth, prediction)),
    }
    if following is not None:
        row["t"] = [optional(ref.t_stability(a, b)) for a, b in zip((truth, prediction), following)]
    return row


def scene(ref, make, width, height, frames):
    truth, prediction = clip(make, width, height, frames)
    following = [(truth[t + 1], prediction[t + 1]) for t in range(frames - 1)] + [None]
    rows = [frame_row(ref, *frame) for frame in zip(truth, prediction, following)]
    return {"width": width, "height": height, "frames": rows}


def long_scene(ref, make, width, height, frames):
    truth, prediction = clip(make, width, height, frames)
    j = [ref.metrics.db_eval_iou(a, b) for a, b in zip(truth, prediction)]
    f = [ref.metrics.db_eval_boundary(a, b) for a, b in zip(truth, prediction)]
    # Two classes: the mask, and its left half as another label.
    half = np.mgrid[:height, :width][1] < 100
    labels = [[m.astype(int) + (m & half) for m in masks] for masks in (truth, prediction)]
    return {
        "width": width,
        "height": height,
        "pixels": [int(sum(m.sum() for m in truth)), int(sum(m.sum() for m in prediction))],
        "j": stats(ref.utils, j),
        "f": stats(ref.utils, f),
        "j_200": stats(ref.utils, j[:200]),
        "vc": {n: consistency(ref.get_common, truth, prediction, n) for n in (8, 16)},
        "vc_two_classes": {n: consistency(ref.get_common, *labels, n) for n in (8, 16)},
    }


def davis_sequence(ref, folder):
    """Each ground-truth mask against itself moved 7 px right and 3 px down, then against the
    one before; T of every fourth mask and the next."""
    from PIL import Image

    truth = [np.array(Image.open(p).convert("L")) > 127 for p in sorted(folder.glob("masks/*.png"))]
    moved = [np.pad(m, ((3, 0), (7, 0)))[:-3, :-7] for m in truth]
    late = [truth[max(t - 1, 0)] for t in range(len(truth))]
    out = {"frames": len(truth), "pixels": int(sum(m.sum() for m in truth))}
    for name, prediction in (("moved", moved), ("late", late)):
        j = [float(ref.metrics.db_eval_iou(a, b)) for a, b in zip(truth, prediction)]
        f = [float(ref.metrics.db_eval_boundary(a, b)) for a, b in zip(truth, prediction)]
        out[name] = {
            "j": stats(ref.utils, j),
            "f": stats(ref.utils, f),
            "j_davis": stats(ref.utils, j[1:-1]),
            "f_davis": stats(ref.utils, f[1:-1]),
            "vc": {n: consistency(ref.get_common, truth, prediction, n) for n in (8, 16)},
        }
    out["t"] = [optional(ref.t_stability(truth[t], truth[t + 1])) for t in range(0, len(truth) - 1, 4)]
    return out


class Reference:
    def __init__(self, options):
        if not hasattr(np, "int"):
            np.int = int
        sys.path[:0] = [options.davis2017, *options.davis2016]
        from davis2017 import metrics, utils
        from t_stability import db_eval_t_stab

        self.metrics, self.utils, self.t_stability = metrics, utils, db_eval_t_stab
        # A script that runs when it is imported: only its function is wanted.
        tree = ast.parse(pathlib.Path(options.vspw).read_text())
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        names = {"np": np}
        exec(compile(tree, "VC_perclip.py", "exec"), names)
        self.get_common = names["get_common"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--davis2017", required=True)
    parser.add_argument("--davis2016", required=True, nargs="+")
    parser.add_argument("--vspw", required=True)
    parser.add_argument("--masks")
    options = parser.parse_args()
    ref = Reference(options)
    here = pathlib.Path(__file__).parent
    made = {name: scene(ref, *settings) for name, settings in SCENES.items()}
    made.update({name: long_scene(ref, *settings) for name, settings in LONG.items()})
    (here / "metrics.json").write_text(json.dumps(made, indent=1) + "\n")
    if options.masks:
        folders = sorted(p for p in pathlib.Path(options.masks).iterdir() if (p / "masks").is_dir())
        davis = {p.name: davis_sequence(ref, p) for p in folders}
        (here / "davis.json").write_text(json.dumps(davis, indent=1) + "\n")


if __name__ == "__main__":
    main()
