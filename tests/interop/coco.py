"""Masks, boxes and whole evaluations made at random and what pycocotools makes of them: JSON files in a folder."""
import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

random = np.random.default_rng(0)


def plain(rle):
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode()}


def told(rle):
    decoded = masks.decode(rle)
    return {
        **plain(rle),
        "pixels": "".join(map(str, decoded.flatten())),
        "area": int(masks.area(rle)),
        "box": masks.toBbox(rle).tolist(),
    }


def random_mask(height, width):
    coarse = random.integers(1, 9)
    small = random.random((height // coarse + 1, width // coarse + 1)) < random.random()
    return np.asfortranarray(np.kron(small, np.ones((coarse, coarse)))[:height, :width].astype(np.uint8))


def random_polygon(height, width):
    corners = random.integers(3, 12)
    points = random.uniform(-0.4, 1.4, (corners, 2)) * [width, height]
    kind = random.integers(4)
    if kind == 0:
        points = points.round()
    if kind == 1:
        points = (2 * points).round() / 2
    if kind == 2:
        points[random.integers(corners)] = points[random.integers(corners)]
    return points.flatten().tolist()


def sides(limit=60):
    return (int(side) for side in random.integers(1, limit, 2))


def mask_cases():
    encoded, runs, polygons, boxes, merged, overlaps = [], [], [], [], [], []
    for _ in range(150):
        height, width = sides()
        encoded.append(told(masks.encode(random_mask(height, width))))
        lengths = random.integers(0, 7, random.integers(1, 40)).tolist()
        rest = height * width - sum(lengths)
        if rest >= 0:
            given = {"size": [height, width], "counts": [*lengths, rest]}
            runs.append({"given": given, **told(masks.frPyObjects(given, height, width))})
        shapes = [random_polygon(height, width) for _ in range(random.integers(1, 4))]
        drawn = masks.merge(masks.frPyObjects(shapes, height, width))
        polygons.append({"polygons": shapes, **told(drawn)})
        box = (random.uniform(-0.3, 1.2, 4) * [width, height, width, height]).tolist()
        boxes.append({"given": box, **told(masks.frPyObjects(np.array([box]), height, width)[0])})
        several = [masks.encode(random_mask(height, width)) for _ in range(random.integers(1, 5))]
        for intersect in (False, True):
            result = plain(masks.merge(several, intersect=intersect))
            merged.append({"given": [plain(one) for one in several], "intersect": intersect, "result": result})
        others = [drawn, *(masks.encode(random_mask(height, width)) for _ in range(3))]
        crowd = random.integers(0, 2, len(others)).tolist()
        overlaps.append(
            {
                "detections": [plain(one) for one in several],
                "truths": [plain(one) for one in others],
                "crowd": crowd,
                "masks": masks.iou(several, others, crowd).tolist(),
                "boxes": masks.iou(
                    np.array([masks.toBbox(one) * 1.37 for one in several]),
                    np.array([masks.toBbox(one) for one in others]),
                    crowd,
                ).tolist(),
                "detectionBoxes": [(masks.toBbox(one) * 1.37).tolist() for one in several],
                "truthBoxes": [masks.toBbox(one).tolist() for one in others],
            }
        )
    return {
        "encoded": encoded,
        "runs": runs,
        "polygons": polygons,
        "boxes": boxes,
        "merged": merged,
        "overlaps": overlaps,
    }


def truth_of(image, number):
    width, height = image["width"], image["height"]
    x, y = random.uniform(0, 0.8, 2) * [width, height]
    w, h = random.uniform(0.05, 1, 2) ** 2 * [width - x, height - y]
    corners = [x, y, x + w, y, x + w, y + h * random.random(), x + w / 2, y + h, x, y + h]
    crowd = int(random.random() < 0.15)
    drawn = masks.merge(masks.frPyObjects([corners], height, width))
    runs = masks.decode(drawn).flatten("F")
    lengths = np.diff([0, *(np.flatnonzero(np.diff(runs)) + 1), runs.size]).tolist()
    if runs[0]:
        lengths = [0, *lengths]
    outline = [[corners], plain(drawn), {"size": [height, width], "counts": lengths}][random.integers(3)]
    return {
        "id": number,
        "image_id": image["id"],
        "category_id": int(random.choice([2, 5, 11, 40])),
        "bbox": [x, y, w, h],
        "area": float(w * h * random.uniform(0.5, 1)),
        "iscrowd": crowd,
        "segmentation": outline,
    }


def result_of(truth, image):
    width, height = image["width"], image["height"]
    x, y, w, h = np.array(truth["bbox"]) * random.uniform(0.8, 1.2, 4)
    drawn = masks.merge(masks.frPyObjects([[x, y, x + w, y, x + w, y + h, x, y + h]], height, width))
    category = truth["category_id"] if random.random() < 0.8 else 5
    common = {"image_id": image["id"], "category_id": category, "score": round(random.random(), 2)}
    return {**common, "bbox": [x, y, w, h]}, {**common, "segmentation": plain(drawn)}


def data_set(seed):
    images = [
        {"id": int(i), "file_name": f"{i}.jpg", "width": int(w), "height": int(h)}
        for i, w, h in zip(random.permutation(500)[:12], *random.integers(40, 300, (2, 12)))
    ]
    categories = [{"id": i, "name": f"class {i}"} for i in (40, 5, 2, 11, 7)]
    annotations, boxes, outlines = [], [], []
    for image in images:
        for _ in range(random.integers(0, 9)):
            annotations.append(truth_of(image, 1 + len(annotations)))
            for _ in range(random.integers(0, 4) if seed else random.integers(0, 40)):
                box, outline = result_of(annotations[-1], image)
                boxes.append(box)
                outlines.append(outline)
    return {"images": images, "categories": categories, "annotations": annotations}, boxes, outlines


def odd_set():
    """What real files hold and nobody expects: pycocotools takes all of it."""
    images = [{"id": i, "file_name": "same.jpg", "width": 64, "height": 48} for i in (-3, 0, 7, 9, 11, 2**40)]
    categories = [{"id": i, "name": name} for i, name in ((9, "a"), (-1, "a"), (0, "b"), (4, "never seen"))]
    empty = {"size": [48, 64], "counts": [48 * 64]}
    outlines = [
        ([[2, 2, 40, 30, 40, 2, 2, 30]], [2, 2, 38, 28]),
        ([[10, 10, 20, 10, 20, 20, 10, 20], [15, 15, 30, 15, 30, 30, 15, 30]], [10, 10, 20, 20]),
        ([[-50, -50, 200, -50, 200, 200, -50, 200]], [-50, -50, 250, 250]),
        ([[100, 100, 120, 100, 110, 130]], [100, 100, 20, 30]),
        ([[5, 5, 5, 5, 5, 5]], [5, 5, 0, 0]),
        ([[3, 3, 30, 3, 60, 3]], [3, 3, 57, 0]),
        (empty, [0, 0, 0, 0]),
        ({"size": [48, 64], "counts": [0, 48 * 64]}, [0, 0, 64, 48]),
        ({"size": [48, 64], "counts": [0, 0, 100, 0, 0, 500, 48 * 64 - 600]}, [2.5, 0, 11, 48]),
    ]
    annotations, boxes, drawn = [], [], []
    for image in images[:-1]:
        for crowd in (0, 1) if image["id"] != 9 else (1, 1):
            for outline, box in outlines:
                number = len(annotations) - 20 if len(annotations) != 20 else 1000
                category = [9, -1, 0][number % 3]
                area = [box[2] * box[3], 0, 1e12][(number // 3) % 3]
                common = {"image_id": image["id"], "category_id": category}
                rest = {"bbox": box, "area": area, "iscrowd": crowd, "segmentation": outline}
                annotations.append({"id": number, **common, **rest})
                runs = masks.frPyObjects(outline, 48, 64)
                runs = masks.merge(runs) if isinstance(runs, list) else runs
                for score in (0.5, 0.5, -3.0, 1e9, 0.0):
                    moved = (np.array(box) + random.integers(-1, 2, 4)).clip([-1e4, -1e4, 0, 0]).tolist()
                    boxes.append({**common, "bbox": moved, "score": score})
                    drawn.append({**common, "segmentation": plain(runs), "score": score})
    return {"images": images, "categories": categories, "annotations": annotations}, boxes, drawn


def scores_of(truth, results, kind):
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(str(truth))
        found = COCOeval(known, known.loadRes(str(results)), kind)
        found.evaluate()
        found.accumulate()
        found.summarize()
    return {
        "stats": found.stats.tolist(),
        **{name: found.eval[name].flatten().tolist() for name in ("precision", "recall", "scores")},
    }


def write(path, content):
    path.write_text(json.dumps(content))


def make(folder):
    write(folder / "masks.json", mask_cases())
    for seed in range(7):
        truth, boxes, outlines = data_set(seed) if seed < 6 else odd_set()
        for name, content in (("truth", truth), ("bbox", boxes), ("segm", outlines)):
            write(folder / f"{name}{seed}.json", content)


def score(folder):
    """What is told of results that somebody else has written."""
    for path in folder.glob("ours-*.json"):
        _, kind, seed = path.stem.split("-")
        write(folder / f"scores-{kind}-{seed}.json", scores_of(folder / f"truth{seed}.json", path, kind))


{"make": make, "score": score}[sys.argv[1]](Path(sys.argv[2]))
print(json.dumps({"done": True}))
