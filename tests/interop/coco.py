"""Masks, boxes and whole evaluations made at random and what pycocotools makes of them: JSON files in a folder."""
import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from pycocotools import mask as masks

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


def main():
    folder = Path(sys.argv[1])
    (folder / "masks.json").write_text(json.dumps(mask_cases()))
    print(json.dumps({"done": True}))


main()
