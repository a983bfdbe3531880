"""Reads back everything that `steadymask run --export …` wrote, with other programs.

    python3 readback.py CLIP OUT CLASS [FROM TO]

OUT is the folder of a run with all kinds, one CLASS and hard edges, of frames FROM to TO. Videos are probed and
decoded by ffprobe and ffmpeg, pictures by Pillow, COCO by pycocotools (needs: ffmpeg,
numpy, pillow, pycocotools). Prints a Markdown row for each kind and fails where a lossless
one is not exact, a frame is missing, or a time is off by more than a tick of the file.
"""

import json
import subprocess
import sys
from contextlib import redirect_stdout
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

CLIP, OUT, CLASS = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
RANGE = slice(int(sys.argv[4]), int(sys.argv[5]) + 1) if len(sys.argv) > 4 else slice(0, None)
CHANNELS = {"gray": 1, "rgb24": 3, "rgba": 4}
# What `src/export/overlay.rs` and `options.rs` say.
OPACITY, GREEN = 115, (0, 177, 64)


def probe(path, entries):
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", entries, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def stream(path, kind="video"):
    found = [s for s in probe(path, "stream")["streams"] if s["codec_type"] == kind]
    return found[0] if found else None


def times(path):
    """Of the pictures in the order of their showing, in seconds after the first."""
    packets = probe(path, "packet=pts,dts,stream_index")["packets"]
    video = stream(path)
    # AVI has the second kind alone.
    ticks = sorted(p.get("pts", p.get("dts")) for p in packets if p["stream_index"] == video["index"])
    base = Fraction(video["time_base"])
    return [float((tick - ticks[0]) * base) for tick in ticks], float(base)


def decoded(path, pixels, width, height):
    """The pictures, `width × height` of their upper left corner."""
    decoder = ["-c:v", "libvpx-vp9"] if path.suffix == ".webm" else []
    video = stream(path)
    command = ["ffmpeg", "-v", "fatal", *decoder, "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"]
    command += ["-sws_flags", "accurate_rnd+full_chroma_int+full_chroma_inp", "-pix_fmt", pixels]
    pipe = subprocess.Popen([*command, "-f", "rawvideo", "-"], stdout=subprocess.PIPE)
    channels = CHANNELS[pixels]
    full = (video["height"], video["width"], channels)
    while len(bytes_ := pipe.stdout.read(int(np.prod(full)))) == np.prod(full):
        yield np.frombuffer(bytes_, np.uint8).reshape(full)[:height, :width]
    assert pipe.wait() == 0 and not bytes_, path


def sequence(folder, mode):
    for path in sorted((OUT / folder).iterdir()):
        image = Image.open(path)
        assert image.mode == mode, (path, image.mode)
        yield np.asarray(image)


def psnr(squares):
    mean = float(np.mean(squares))
    return float("inf") if mean == 0 else 10 * np.log10(255**2 / mean)


def compare(found, expected):
    """How many pictures there are of each, and their PSNR; infinite where all are equal."""
    squares, count = [], 0
    for one, other in zip(found, expected, strict=True):
        squares.append(np.mean((one.astype(float) - other.astype(float)) ** 2))
        count += 1
    return count, psnr(squares)


def painted(picture, mask, colour):
    mask, rgb = mask > 0, picture.astype(int)
    inside = np.pad(mask, 1, mode="edge")
    inner = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    colour = np.array(colour)
    mixed = np.where((mask & inner)[..., None], (rgb * (256 - OPACITY) + colour * OPACITY) >> 8, rgb)
    return np.where((mask & ~inner)[..., None], colour // 2 + 127, mixed)


SOURCE = stream(CLIP)
WIDTH, HEIGHT = SOURCE["width"], SOURCE["height"]
SOURCE_TIMES = times(CLIP)[0][RANGE]
SOURCE_TIMES = [at - SOURCE_TIMES[0] for at in SOURCE_TIMES]
raw = list(sequence(f"raw/{CLASS}", "L"))
smoothed = list(sequence(f"smoothed/{CLASS}", "L"))
cutout = list(sequence(f"cutout/{CLASS}", "RGBA"))
pictures = [image[..., :3] for image in cutout]
FRAMES = len(SOURCE_TIMES)
palette_entry = json.loads((OUT / "classmap.json").read_text())
INDEX = next(int(index) for index, name in palette_entry.items() if name == CLASS)


def row(*cells):
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


row("kind", "read by", "frames", "size", "rate", "times off by", "pixel aspect", "pixels, range, matrix", "sound", "content")
row(*["---"] * 10)
wrong = []


def check(kind, is_right, what):
    if not is_right:
        wrong.append(f"{kind}: {what}")


def stills(kind, found, expected):
    count, value = compare(found, expected)
    check(kind, count == FRAMES and value == float("inf"), f"{count} frames, {value} dB")
    row(kind, "Pillow", count, f"{WIDTH}×{HEIGHT}", *["–"] * 5, "exact" if value == float("inf") else f"{value:.1f} dB")


def video(kind, name, pixels, *contents, exact=False):
    path = OUT / name
    found, (at, tick) = stream(path), times(path)
    off = max(abs(a - b) for a, b in zip(at, SOURCE_TIMES)) if len(at) == FRAMES else float("inf")
    check(kind, off <= tick, f"times off by {off} s, a tick is {tick} s")
    words = []
    for label, width, take, expected in contents:
        frames = (take(frame) for frame in decoded(path, pixels, width, HEIGHT))
        count, value = compare(frames, expected)
        check(kind, count == FRAMES, f"{count} frames")
        must_be_exact = exact or label == "alpha, must be exact"
        check(kind, value == float("inf") if must_be_exact else value > 30, f"{label} {value:.1f} dB")
        words.append(f"{label.split(',')[0]} " + ("exact" if value == float("inf") else f"{value:.1f} dB"))
    sound = stream(path, "audio")
    colour = [found.get(name, "–") for name in ("pix_fmt", "color_range", "color_space")]
    row(kind, "ffmpeg", count, f"{found['width']}×{found['height']}", found["avg_frame_rate"], f"{off * 1e3:.3f} ms",
        found.get("sample_aspect_ratio", "–"), " ".join(colour), sound["codec_name"] if sound else "–", ", ".join(words))


grey, rgb, alpha = (lambda f: f[..., 0]), (lambda f: f[..., :3]), (lambda f: f[..., 3])
check("png", len(raw) == len(smoothed) == FRAMES, f"{len(raw)}, {len(smoothed)} frames")
row("source", "ffprobe", FRAMES, f"{WIDTH}×{HEIGHT}", SOURCE["avg_frame_rate"], "–", SOURCE.get("sample_aspect_ratio", "–"),
    " ".join(SOURCE.get(name, "–") for name in ("pix_fmt", "color_range", "color_space")),
    (stream(CLIP, "audio") or {}).get("codec_name", "–"), "–")
row("png", "Pillow", len(raw), f"{WIDTH}×{HEIGHT}", *["–"] * 5, "the reference of the others")
stills("png16", sequence(f"smoothed16/{CLASS}", "I;16"), (mask.astype(np.uint16) * 257 for mask in smoothed))
stills("classmap", sequence("classmap", "P"), (np.where(mask > 0, INDEX, 0) for mask in smoothed))
stills("png-alpha", (image[..., 3] for image in cutout), smoothed)
video("ffv1 raw", f"raw_{CLASS}.mkv", "gray", ("grey", WIDTH, grey, raw), exact=True)
video("ffv1 smoothed", f"smoothed_{CLASS}.mkv", "gray", ("grey", WIDTH, grey, smoothed), exact=True)
video("h264", f"smoothed_{CLASS}.mp4", "gray", ("grey", WIDTH, grey, smoothed))
cutouts = [("colours", WIDTH, rgb, pictures), ("alpha", WIDTH, alpha, smoothed)]
video("prores", f"cutout_{CLASS}.mov", "rgba", cutouts[0], ("alpha, must be exact", *cutouts[1][1:]))
video("vp9", f"cutout_{CLASS}.webm", "rgba", *cutouts)
video("ffv1-alpha", f"cutout_{CLASS}.mkv", "rgba", *cutouts, exact=True)
colour = Image.open(next((OUT / "classmap").iterdir())).getpalette()[3 * INDEX : 3 * INDEX + 3]
video("overlay", "overlay.mp4", "rgb24", ("all", WIDTH, rgb, (painted(p, m, colour) for p, m in zip(pictures, smoothed))))
keyed = (np.where(m[..., None] > 0, p, np.array(GREEN)) for p, m in zip(pictures, smoothed))
video("backdrop", "backdrop.mp4", "rgb24", ("all", WIDTH, rgb, keyed))


masks_again = iter(smoothed)
video("blur", "blur.mp4", "rgb24",
      ("subject", WIDTH, lambda f: np.where(next(masks_again)[..., None] > 0, f, 0),
       (np.where(m[..., None] > 0, p, 0) for p, m in zip(pictures, smoothed))))
# Below the label.
TOP = HEIGHT // 6
both = (np.concatenate([painted(p, a, colour), painted(p, b, colour)], 1)[TOP:] for p, a, b in zip(pictures, raw, smoothed))
video("side-by-side", "side-by-side.mp4", "rgb24", ("all", 2 * WIDTH, lambda f: f[TOP:], both))

# The pictures of the cut-outs are those that FFmpeg itself decodes.
count, value = compare(islice(decoded(CLIP, "rgb24", WIDTH, HEIGHT), RANGE.start, RANGE.stop), pictures)
check("png-alpha", count == FRAMES and value > 40, f"the pictures are {value:.1f} dB from FFmpeg's own")
print(f"\nThe pictures of `png-alpha` against FFmpeg's own decoding: {count} frames, {value:.1f} dB.")

with redirect_stdout(None):
    coco = COCO(str(OUT / "coco.json"))
seen = set()
for annotation in coco.loadAnns(coco.getAnnIds()):
    mask = smoothed[annotation["image_id"] - min(coco.getImgIds())]
    run_lengths = coco.annToRLE(annotation)
    check("coco", np.array_equal(coco_mask.decode(run_lengths) * 255, mask), f"mask of {annotation['image_id']}")
    check("coco", annotation["area"] == coco_mask.area(run_lengths), "area")
    check("coco", list(annotation["bbox"]) == list(coco_mask.toBbox(run_lengths)), "box")
    check("coco", 0 <= annotation["score"] <= 1, "score")
    seen.add(annotation["image_id"])
missing = sum(mask.any() for mask in smoothed) - len(seen)
check("coco", missing == 0 and len(coco.getImgIds()) == FRAMES, f"{missing} masks without an annotation")
print(f"`coco` by pycocotools: {len(coco.getImgIds())} images, {len(seen)} masks, areas, boxes: exact where nothing is said below.")

overlaps = []
for frame, mask in enumerate(smoothed, RANGE.start):
    canvas = Image.new("1", (WIDTH, HEIGHT))
    for line in (OUT / f"yolo/{frame:06}.txt").read_text().splitlines():
        numbers = [float(word) for word in line.split()[1:]]
        points = [(int(x * WIDTH), int(y * HEIGHT)) for x, y in zip(numbers[::2], numbers[1::2])]
        ImageDraw.Draw(canvas).polygon(points, fill=1, outline=1)
    drawn, mask = np.asarray(canvas), mask > 0
    if mask.any():
        overlaps.append((drawn & mask).sum() / (drawn | mask).sum())
if overlaps:
    print(f"`yolo` drawn by Pillow: {len(overlaps)} frames with a mask, IoU with it {np.mean(overlaps):.4f} on average, {min(overlaps):.4f} at the least.")
rows = (OUT / "metrics.csv").read_text().splitlines()
check("csv", len(rows) == 1 + FRAMES and len({line.count(",") for line in rows}) == 1, f"{len(rows)} lines")
summary = json.loads((OUT / "metrics.json").read_text())
check("json", summary["frames"] == FRAMES, summary["frames"])
page = (OUT / "report.html").read_text()
check("report", "src=\"http" not in page and "<script" not in page and "href" not in page, "it needs something beside it")
print(f"`csv` {len(rows) - 1} rows; `json` {summary['frames']} frames; `report` {len(page) // 1000} kB, self-contained.")
for what in wrong:
    print("WRONG:", what)
sys.exit(bool(wrong))
