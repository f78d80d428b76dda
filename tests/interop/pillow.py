"""Images made at random and what Pillow makes of them: `cases.json`, with bytes in `cases.bin`."""
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

FILL = (124, 116, 104)
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
random = np.random.default_rng(0)
blob = bytearray()


def moved(image, *matrix):
    affine = Image.Transform.AFFINE
    return image.transform(image.size, affine, matrix, resample=Image.Resampling.BICUBIC, fillcolor=FILL)


OPERATIONS = {
    "AutoContrast": (lambda image, _: ImageOps.autocontrast(image), 0, 0),
    "Equalize": (lambda image, _: ImageOps.equalize(image), 0, 0),
    "Rotate": (lambda image, v: image.rotate(v, Image.Resampling.BICUBIC, fillcolor=FILL), -30, 30),
    "ColorIncreasing": (lambda image, v: ImageEnhance.Color(image).enhance(v), 0.1, 1.9),
    "ContrastIncreasing": (lambda image, v: ImageEnhance.Contrast(image).enhance(v), 0.1, 1.9),
    "BrightnessIncreasing": (lambda image, v: ImageEnhance.Brightness(image).enhance(v), 0.1, 1.9),
    "SharpnessIncreasing": (lambda image, v: ImageEnhance.Sharpness(image).enhance(v), 0.1, 1.9),
    "ShearX": (lambda image, v: moved(image, 1, v, 0, 0, 1, 0), -0.3, 0.3),
    "ShearY": (lambda image, v: moved(image, 1, 0, 0, v, 1, 0), -0.3, 0.3),
    "TranslateXRel": (lambda image, v: moved(image, 1, 0, v * image.width, 0, 1, 0), -0.45, 0.45),
    "TranslateYRel": (lambda image, v: moved(image, 1, 0, 0, 0, 1, v * image.height), -0.45, 0.45),
}


def put(content):
    start = len(blob)
    blob.extend(content)
    return [start, len(content)]


def pixels(image):
    return put(np.asarray(image.convert("RGB")).tobytes())


def random_image(i, limit):
    """Smooth, noisy, or of the extreme values alone."""
    width, height = (int(side) for side in random.integers(1, limit, 2))
    noise = random.integers(0, 256, (height, width, 3))
    if i % 3 == 1:
        noise = (noise > 128) * 255
    if i % 3 == 2:
        coarse = random.integers(0, 256, (height // 7 + 2, width // 7 + 2, 3)).astype(np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
        noise = smooth.astype(int) + random.integers(-20, 21, (height, width, 3))
    return Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))


def jpeg(i):
    image = random_image(i, 130)
    if i % 5 == 0:
        image = image.convert("L")
    options = {"quality": int(random.integers(5, 100)), "optimize": bool(i % 2)}
    if image.mode == "RGB":
        options["subsampling"] = ("4:4:4", "4:2:2", "4:2:0")[i // 3 % 3]
    if i % 4 == 0:
        options["restart_marker_blocks"] = int(random.integers(1, 20))
    if i % 16 == 5:
        options["progressive"] = True
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    width, height = image.size
    decoded = Image.open(io.BytesIO(file.getvalue()))
    what = f"{width} x {height}, {options}"
    return {"what": what, "width": width, "height": height, "file": put(file.getvalue()), "result": pixels(decoded)}


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(depth, colors, transparency=b""):
    """A PNG of random samples; `colors` is the color type: 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA."""
    width, height = (int(side) for side in random.integers(1, 40, 2))
    bits = width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colors]
    lines = b"".join(b"\0" + random.bytes((bits + 7) // 8) for _ in range(height))
    palette = chunk(b"PLTE", random.bytes(3 << depth)) if colors == 3 else b""
    note = chunk(b"tRNS", transparency) if transparency else b""
    header = struct.pack(">IIBBBBB", width, height, depth, colors, 0, 0, 0)
    body = chunk(b"IHDR", header) + palette + note + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def four_inks(as_ycck, **options):
    inks = Image.merge("CMYK", [random_image(i, 60).convert("L").resize((45, 31)) for i in range(4)])
    content = bytearray(saved(inks, "JPEG", **options))
    content[content.index(b"Adobe") + 11] = 2 if as_ycck else 0
    return bytes(content)


def files():
    """Files of every kind that data sets have."""
    kinds = {f"PNG, color type {c}, {d} bit": png(d, c) for c, d in PNG_KINDS}
    kinds["PNG, palette with alpha"] = png(8, 3, random.bytes(256))
    kinds["PNG, gray with one clear value"] = png(8, 0, b"\0\x20")
    kinds["PNG, 16-bit gray with one clear value"] = png(16, 0, b"\0\x20")
    small = [random_image(i, 60).resize((40, 30)) for i in range(2)]
    clear = Image.merge("RGBA", [*small[0].split(), small[1].convert("L")])
    kinds["WebP with alpha"] = saved(clear, "WEBP", lossless=True, exact=True)
    kinds["WebP, animated"] = saved(small[0], "WEBP", save_all=True, append_images=small[1:], lossless=True)
    for as_ycck in (False, True):
        kinds[f"JPEG, {'YCCK' if as_ycck else 'CMYK'}"] = four_inks(as_ycck)
    kinds["JPEG, CMYK, progressive"] = four_inks(False, progressive=True)
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        kinds[f"JPEG, {subsampling}, progressive"] = saved(random_image(2, 90), "JPEG", subsampling=subsampling, progressive=True)
    kinds["WebP, lossless"] = saved(random_image(2, 60), "WEBP", lossless=True)
    kinds["WebP"] = saved(random_image(2, 60), "WEBP")
    kinds["GIF"] = saved(random_image(2, 60), "GIF")
    result = []
    for what, content in kinds.items():
        image = Image.open(io.BytesIO(content))
        result.append({"what": what, "width": image.width, "height": image.height, "file": put(content), "result": pixels(image)})
    return result


PNG_KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)]


def resize(i):
    image = random_image(i, 200)
    name = list(FILTERS)[i % 4]
    to = [int(side) for side in random.integers(1, 120, 2)]
    result = image.resize(to, FILTERS[name])
    return {"width": image.width, "height": image.height, "filter": name, "to": to, "from": pixels(image), "result": pixels(result)}


def operation(i):
    image = random_image(i, 160)
    name = list(OPERATIONS)[i % len(OPERATIONS)]
    apply, low, high = OPERATIONS[name]
    argument = float(random.uniform(low, high))
    result = apply(image, argument)
    return {"width": image.width, "height": image.height, "op": name, "argument": argument, "from": pixels(image), "result": pixels(result)}


def hue_turned(image, share):
    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.array(int(255 * share)).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")


COLORS = {
    "hue": (hue_turned, -0.5, 0.5),
    "blur": (lambda image, radius: image.filter(ImageFilter.GaussianBlur(radius)), 0, 9),
    "gray": (lambda image, _: image.convert("L"), 0, 0),
}


def color(i):
    image = random_image(i // 3, 120)
    name = list(COLORS)[i % len(COLORS)]
    apply, low, high = COLORS[name]
    argument = float(random.uniform(low, high))
    result = apply(image, argument)
    return {"width": image.width, "height": image.height, "op": name, "argument": argument, "from": pixels(image), "result": pixels(result)}


folder = Path(sys.argv[1])
cases = {
    "jpeg": [jpeg(i) for i in range(240)],
    "files": files(),
    "resize": [resize(i) for i in range(160)],
    "operations": [operation(i) for i in range(264)],
    "colors": [color(i) for i in range(180)],
}
(folder / "cases.json").write_text(json.dumps(cases))
(folder / "cases.bin").write_bytes(blob)
print(json.dumps({}))
