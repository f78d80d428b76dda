"""The same pictures through PIL in one process per core: torch's DataLoader, or a pool of processes without torch."""
import json
import math
import multiprocessing
import random
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
SCALES = {"pretrain": (0.2, 1.0), "finetune": (0.08, 1.0)}


def crop_box(width, height, scale):
    """torchvision's RandomResizedCrop."""
    for _ in range(10):
        area = width * height * random.uniform(*scale)
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, (width + side) // 2, (height + side) // 2


def load(path, size, scale):
    image = Image.open(path).convert("RGB")
    image = image.crop(crop_box(*image.size, scale)).resize((size, size), Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = (np.asarray(image, np.float32) / 255 - MEAN) / STD
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


class Pictures:
    """What torch's DataLoader takes for a data set."""

    def __init__(self, paths, size, scale):
        self.paths, self.size, self.scale = paths, size, scale

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return load(self.paths[index], self.size, self.scale)


def load_batch(work):
    paths, size, scale = work
    return np.stack([load(path, size, scale) for path in paths])


def with_torch(job, paths):
    from torch.utils.data import DataLoader

    def loader(scale):
        options = {"num_workers": job["threads"], "persistent_workers": True, "shuffle": True}
        return DataLoader(Pictures(paths, job["size"], scale), batch_size=job["batch"], **options)

    loaders = {name: loader(scale) for name, scale in SCALES.items()}
    return lambda name: iter(loaders[name])


def with_pool(job, paths):
    pool = multiprocessing.Pool(job["threads"])

    def passes(name):
        order = random.sample(paths, len(paths))
        chunks = [order[i : i + job["batch"]] for i in range(0, len(order), job["batch"])]
        work = [(chunk, job["size"], SCALES[name]) for chunk in chunks]
        return pool.imap(load_batch, work)

    return passes


def main():
    job = json.loads(sys.stdin.readline())
    paths = sorted(str(path) for path in Path(job["folder"]).glob("*/*.jpg"))
    passes = (with_torch if job["through"] == "torch" else with_pool)(job, paths)
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        found = [float(batch[0].mean()) for batch in passes(line.strip())]
        result = sum(found) / len(found)
        print(json.dumps({"ms": (time.perf_counter() - started) * 1e3, "result": result}), flush=True)


main()
