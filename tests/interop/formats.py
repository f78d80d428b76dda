"""BMP, PNM, GIF and TIFF files made at random, and what Pillow makes of them: `cases.json`, with bytes in `cases.bin`."""
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

random = np.random.default_rng(int(sys.argv[2]))
blob = bytearray()
cases = []


def put(content):
    start = len(blob)
    blob.extend(content)
    return [start, len(content)]


def some(count):
    return random.integers(0, 256, count, dtype=np.uint8).tobytes()


def between(low, high):
    return int(random.integers(low, high + 1))


def add(what, content):
    """A file, with its pixels where Pillow reads it."""
    case = {"what": what, "file": put(content), "result": None}
    try:
        image = Image.open(io.BytesIO(content)).convert("RGB")
        case.update(width=image.width, height=image.height, result=put(image.tobytes()))
    except Exception as error:
        case["error"] = repr(error)
    cases.append(case)


def bmp(width, height, bits, pixels, header=40, compression=0, palette=b"", masks=(0, 0, 0, 0), top_down=False):
    if header == 12:
        fields = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        signed = -height if top_down else height
        fields = struct.pack("<IiiHHIIiiII", header, width, signed, 1, bits, compression, len(pixels), 1, 1, 0, 0)
        fields = (fields + struct.pack("<IIII", *masks)[: header - 40]).ljust(header, b"\0")
    if header == 40 and compression == 3:
        fields += struct.pack("<III", *masks[:3])
    start = 14 + len(fields) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + fields + palette + pixels


def runs(width, height, half):
    """Run-length code; literal runs of half bytes are even, since Pillow misreads others."""
    out = bytearray()
    for _ in range(height):
        x = 0
        while x < width:
            count = between(1, min(width - x, 255))
            literal = count - count % 2 if half else count
            if between(0, 1) and literal >= 3:
                body = some(literal // 2 if half else literal)
                out += bytes([0, literal]) + body + b"\0" * (len(body) % 2)
                x += literal
            else:
                out += bytes([count]) + some(1)
                x += count
        out += b"\0\0"
    return bytes(out) + b"\0\1"


LAYOUTS = {
    32: [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000)],
    24: [(0xFF0000, 0xFF00, 0xFF, 0)],
    16: [(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)],
}


def add_bmp():
    width, height = between(1, 60), between(1, 40)
    bits = (1, 4, 8, 16, 24, 32)[between(0, 5)]
    header = (12, 40, 52, 56, 64, 108, 124)[between(0, 6)]
    stride = (width * bits + 31) // 32 * 4
    palette = some((3 if header == 12 else 4) << bits) if bits <= 8 else b""
    top_down = header > 12 and between(0, 1) == 1
    add(f"BMP {bits} bits, {header}", bmp(width, height, bits, some(stride * height), header, 0, palette, top_down=top_down))
    for half in (False, True):
        code = bmp(width, height, 4 if half else 8, runs(width, height, half), 40, 2 if half else 1, some(1024 >> (4 * half)))
        add(f"BMP runs, {'half ' if half else ''}bytes", code)
    for depth, layouts in LAYOUTS.items():
        pixels = some((width * depth + 31) // 32 * 4 * height)
        add(f"BMP bit fields of {depth}", bmp(width, height, depth, pixels, 108, 3, masks=layouts[between(0, len(layouts) - 1)]))


def add_pnm():
    kind, width, height = between(1, 6), between(1, 40), between(1, 30)
    most = (1, 7, 100, 255, 256, 1000, 4095, 65535)[between(0, 7)]
    space = (b" ", b"\n", b"\t", b"\r\n", b" # words\n")[between(0, 4)]
    count = width * height * (3 if kind in (3, 6) else 1)
    head = b"P%d" % kind + space + b"%d" % width + space + b"%d" % height
    head += (space + b"%d\n" % most) if kind not in (1, 4) else b"\n"
    values = random.integers(0, most + 1, count)
    if kind == 1:
        body = b" ".join(b"%d" % value for value in random.integers(0, 2, count))
    elif kind in (2, 3):
        body = b" ".join(b"%d" % value for value in values)
    elif kind == 4:
        body = some((width + 7) // 8 * height)
    else:
        body = values.astype(">u2" if most > 255 else "u1").tobytes()
    add(f"P{kind}, {most}", head + body)


def add_gif():
    width, height, colors = between(1, 120), between(1, 90), between(2, 256)
    values = random.integers(0, colors, (height, width))
    if between(0, 1):
        values = np.add.outer(np.arange(height), np.arange(width)) // 7 % colors
    image = Image.fromarray(values.astype(np.uint8)).convert("P")
    image.putpalette(some(3 * colors))
    options = {"interlace": between(0, 1), "optimize": bool(between(0, 1))}
    if between(0, 1):
        options["transparency"] = between(0, colors - 1)
    file = io.BytesIO()
    image.save(file, "GIF", save_all=True, append_images=[image.rotate(180)], **options)
    add(f"GIF {width} x {height}, {colors} colors, {options}", file.getvalue())


def tiff(order, width, height, photometric, bits, pixels, sample_format=1, extra=(), deflated=False, palette=()):
    sign = "<" if order == b"II" else ">"
    strip = zlib.compress(pixels) if deflated else pixels
    strip += b"\0" * (len(strip) % 2)
    tags = {256: [width], 257: [height], 258: list(bits), 259: [8 if deflated else 1], 262: [photometric]}
    tags |= {273: [8], 277: [len(bits)], 278: [height], 279: [len(strip)], 339: [sample_format] * len(bits)}
    tags |= {338: list(extra)} if extra else {}
    tags |= {320: list(palette)} if palette else {}
    start = 8 + len(strip)
    entries, more = b"", b""
    for tag, values in sorted(tags.items()):
        kind, letter = (4, "I") if tag in (256, 257, 273, 278, 279) else (3, "H")
        content = struct.pack(f"{sign}{len(values)}{letter}", *values)
        if len(content) > 4:
            place = start + 2 + 12 * len(tags) + 4 + len(more)
            more += content + b"\0" * (len(content) % 2)
            content = struct.pack(sign + "I", place)
        entries += struct.pack(sign + "HHI", tag, kind, len(values)) + content.ljust(4, b"\0")
    head = order + struct.pack(sign + "HI", 42, start)
    return head + strip + struct.pack(sign + "H", len(tags)) + entries + bytes(4) + more


# PhotometricInterpretation, bits, SampleFormat, ExtraSamples
KINDS = [
    (0, (1,), 1, ()), (1, (2,), 1, ()), (0, (4,), 1, ()), (1, (8,), 1, ()), (1, (8,), 2, ()), (1, (16,), 1, ()),
    (1, (8, 8), 1, (2,)), (2, (8,) * 3, 1, ()), (2, (8,) * 4, 1, (0,)), (2, (8,) * 4, 1, (1,)), (2, (8,) * 4, 1, (2,)),
    (2, (16,) * 3, 1, ()), (3, (4,), 1, ()), (3, (8,), 1, ()), (5, (8,) * 4, 1, ()), (5, (16,) * 4, 1, ()),
]


def add_tiff():
    width, height = between(1, 40), between(1, 30)
    for photometric, bits, sample_format, extra in KINDS:
        pixels = some((width * sum(bits) + 7) // 8 * height)
        if bits == (16,):
            pixels = random.integers(0, 700, width * height).astype("<u2").tobytes()
        palette = random.integers(0, 65536, 3 << bits[0]).tolist() if photometric == 3 else ()
        order = (b"II", b"MM")[between(0, 1)]
        what = f"TIFF {order}, {photometric}, {bits}, {sample_format}, {extra}"
        deflated = between(0, 1) == 1
        add(what, tiff(order, width, height, photometric, bits, pixels, sample_format, extra, deflated, palette))


folder = Path(sys.argv[1])
for _ in range(40):
    for one in (add_bmp, add_pnm, add_gif, add_tiff):
        one()
(folder / "cases.json").write_text(json.dumps(cases))
(folder / "cases.bin").write_bytes(blob)
print(json.dumps(len(cases)))
