"""The smoothing recipe that Steadymask is compared with, in plain NumPy.

Causal, on hard masks, without motion; a mean of 0.5 or more counts as set; at the start of
a clip the window is what there is.

    python3 seed_recipe.py MASKS WIDTH HEIGHT WINDOW ALPHA OUT

MASKS holds the frames, one byte a pixel, 0 or 1. Writes OUT.<method>, the smoothed masks in
the same form, and prints {"<method>": seconds, ...} without reading and writing.
"""

import json
import sys
import time

import numpy as np


def moving_average(masks, window):
    smoothed = np.empty_like(masks)
    for t in range(len(masks)):
        smoothed[t] = np.mean(masks[max(0, t - window + 1) : t + 1], axis=0) >= 0.5
    return smoothed


def median(masks, window):
    smoothed = np.empty_like(masks)
    for t in range(len(masks)):
        smoothed[t] = np.median(masks[max(0, t - window + 1) : t + 1], axis=0) >= 0.5
    return smoothed


def exponential(masks, alpha):
    smoothed = np.empty_like(masks)
    state = masks[0].astype(np.float64)
    for t, mask in enumerate(masks):
        if t > 0:
            state = alpha * mask + (1 - alpha) * state
        smoothed[t] = state >= 0.5
    return smoothed


def main():
    path, width, height, window, alpha, out = sys.argv[1:]
    masks = np.fromfile(path, np.uint8).reshape(-1, int(height), int(width))
    seconds = {}
    for method, strength in [
        (moving_average, int(window)),
        (median, int(window)),
        (exponential, float(alpha)),
    ]:
        start = time.perf_counter()
        smoothed = method(masks, strength)
        name = method.__name__.replace("_", "-")
        seconds[name] = time.perf_counter() - start
        smoothed.tofile(f"{out}.{name}")
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
