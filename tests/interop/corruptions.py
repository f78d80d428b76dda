"""Recomputes corruptions with the libraries that the official generator uses, from the images and draws in a folder.

python corruptions.py <folder>: prints {case: largest difference} of values in 0 ... 255. Motion blur and snow need
ImageMagick: LUVIT_MAGICK, else `magick` or `convert-im6.q16` in the path.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates, zoom
from skimage.filters import gaussian

folder = pathlib.Path(sys.argv[1])
magick = os.environ.get("LUVIT_MAGICK") or shutil.which("magick") or shutil.which("convert-im6.q16")


class Draws:
    """The numbers of one case, in the order in which they were drawn."""

    def __init__(self, case):
        self.values = np.fromfile(folder / f"{case}.draws", dtype=np.float64)

    def take(self, *shape):
        count = int(np.prod(shape))
        head, self.values = self.values[:count], self.values[count:]
        return head.reshape(shape)

    def one(self):
        return float(self.take(1)[0])


def enlarge(layer, factor):
    side = layer.shape[0]
    crop = int(np.ceil(side / factor))
    first = (side - crop) // 2
    larger = zoom(layer[first : first + crop, first : first + crop], (factor, factor, 1), order=1)
    trim = (larger.shape[0] - side) // 2
    return larger[trim : trim + side, trim : trim + side]


def smear(layer, radius, sigma, angle):
    given, made = folder / "given.png", folder / "made.png"
    Image.fromarray(layer).save(given)
    subprocess.run([magick, given, "-motion-blur", f"{radius}x{sigma}{angle:+.12f}", made], check=True)
    return cv2.imread(str(made), cv2.IMREAD_UNCHANGED if layer.ndim == 2 else cv2.IMREAD_COLOR)


def motion_blur(image, severity, draws):
    radius, sigma = [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)][severity]
    return smear(image, radius, sigma, draws.one())[..., ::-1].astype(float)


def zoom_blur(image, severity, draws):
    end, step = [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)][severity]
    unit = (image / 255.0).astype(np.float32)
    factors = np.arange(1, end, step)
    total = np.zeros_like(unit)
    for factor in factors:
        total += enlarge(unit, factor)
    return np.clip((unit + total) / (len(factors) + 1), 0, 1) * 255


def snow(image, severity, draws):
    mean, spread, factor, least, radius, sigma, share = [
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ][severity]
    flakes = enlarge((mean + spread * draws.take(*image.shape[:2]))[..., None], factor)[..., 0]
    flakes[flakes < least] = 0
    flakes = smear((np.clip(flakes, 0, 1) * 255).astype(np.uint8), radius, sigma, draws.one())[..., None] / 255.0
    unit = np.float32(image) / 255.0
    gray = cv2.cvtColor(unit, cv2.COLOR_RGB2GRAY)[..., None]
    whitened = share * unit + (1 - share) * np.maximum(unit, gray * 1.5 + 0.5)
    return np.clip(whitened + flakes + flakes[::-1, ::-1], 0, 1) * 255


def elastic_transform(image, severity, draws):
    strength, sigma, reach = np.array(
        [(2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)][severity]
    ) * 244
    unit = np.float32(image) / 255.0
    height, width, _ = unit.shape
    center, side = np.float32([height, width]) // 2, min(height, width) // 3
    corners = np.float32([center + side, [center[0] + side, center[1] - side], center - side])
    moved = corners + draws.take(3, 2).astype(np.float32)
    matrix = cv2.getAffineTransform(corners, moved)
    warped = cv2.warpAffine(unit, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    shifts = [
        (gaussian(draws.take(height, width), sigma, mode="reflect", truncate=3) * strength).astype(np.float32)
        for _ in range(2)
    ]
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    places = [rows + shifts[1], columns + shifts[0]]
    planes = [map_coordinates(warped[..., c], places, order=1, mode="reflect") for c in range(3)]
    return np.clip(np.stack(planes, -1), 0, 1) * 255


def spatter(image, severity, draws):
    mean, spread, blur, least, strength, mud = [
        (0.65, 0.3, 4, 0.69, 0.6, False),
        (0.65, 0.3, 3, 0.68, 0.6, False),
        (0.65, 0.3, 2, 0.68, 0.5, False),
        (0.65, 0.3, 1, 0.65, 1.5, True),
        (0.67, 0.4, 1, 0.65, 1.5, True),
    ][severity]
    unit = np.float32(image) / 255.0
    liquid = gaussian(mean + spread * draws.take(*unit.shape[:2]), sigma=blur)
    liquid[liquid < least] = 0
    if mud:
        cover = gaussian((liquid > least).astype(np.float32), sigma=strength)
        cover[cover < 0.8] = 0
        return np.clip(unit * (1 - cover[..., None]) + np.float32([63, 42, 20]) / 255 * cover[..., None], 0, 1) * 255
    liquid = (liquid * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    smooth = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
    light = cv2.filter2D(cv2.equalizeHist(smooth), cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    shine = liquid * cv2.blur(light, (3, 3)).astype(np.float32)
    return np.clip(unit + (shine / shine.max() * strength)[..., None] * np.float32([175, 238, 238]) / 255, 0, 1) * 255


def main():
    image = np.fromfile(folder / "image", dtype=np.uint8)
    side = int((len(image) / 3) ** 0.5)
    image = image.reshape(side, side, 3)
    makers = {f.__name__: f for f in [motion_blur, zoom_blur, snow, elastic_transform, spatter]}
    differences = {}
    for path in sorted(folder.glob("*.values")):
        kind, severity = path.stem.rsplit("-", 1)
        if kind in ("motion_blur", "snow") and magick is None:
            differences[path.stem] = None
            continue
        values = np.fromfile(path, dtype=np.float64).reshape(image.shape)
        expected = makers[kind](image, int(severity) - 1, Draws(path.stem))
        differences[path.stem] = float(np.abs(values - expected).max())
    print(json.dumps({"opencv": int(cv2.__version__.split(".")[0]), "differences": differences}))


main()
