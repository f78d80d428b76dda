"""The same images through PIL in one process per core: torch's DataLoader, or a pool of processes without torch."""
import json
import math
import multiprocessing
import random
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rand_augment import rand_augment

try:
    import torch
except ImportError:
    torch = None

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


def normalized(image):
    """torchvision's ToTensor and Normalize where there is torch, else the same with numpy."""
    if torch is None:
        pixels = (np.asarray(image, np.float32) / 255 - MEAN) / STD
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
    pixels = torch.from_numpy(np.array(image, np.uint8, copy=True)).permute(2, 0, 1).contiguous()
    mean, std = (torch.from_numpy(values).view(3, 1, 1) for values in (MEAN, STD))
    return pixels.to(torch.float32).div(255).sub_(mean).div_(std)


def erase(pixels):
    """timm's random erasing, one box of noise in a quarter of the images."""
    if random.random() >= 0.25:
        return
    height, width = pixels.shape[1:]
    for _ in range(10):
        area = random.uniform(0.02, 1 / 3) * height * width
        aspect = math.exp(random.uniform(math.log(0.3), -math.log(0.3)))
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if h < height and w < width:
            top, left = random.randint(0, height - h), random.randint(0, width - w)
            box = pixels[:, top : top + h, left : left + w]
            box[:] = np.random.randn(*box.shape) if torch is None else torch.randn(box.shape)
            return


def load(path, size, pipeline):
    if pipeline == "decode":
        Image.open(path).convert("RGB")
        return np.zeros(1, np.float32)
    image = Image.open(path).convert("RGB")
    box = crop_box(*image.size, SCALES[pipeline])
    image = image.crop(box).resize((size, size), Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if pipeline == "pretrain":
        return normalized(image)
    pixels = normalized(rand_augment(image))
    erase(pixels)
    return pixels


class Images:
    """What torch's DataLoader takes for a data set."""

    def __init__(self, paths, size, pipeline):
        self.paths, self.size, self.pipeline = paths, size, pipeline

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return load(self.paths[index], self.size, self.pipeline)


def load_batch(work):
    paths, size, pipeline = work
    return np.stack([load(path, size, pipeline) for path in paths])


def with_torch(job, paths):
    from torch.utils.data import DataLoader

    def loader(pipeline):
        options = {"num_workers": job["threads"], "persistent_workers": True, "shuffle": True}
        return DataLoader(Images(paths, job["size"], pipeline), batch_size=job["batch"], **options)

    loaders = {name: loader(name) for name in (*SCALES, "decode")}
    return lambda name: iter(loaders[name])


def with_pool(job, paths):
    pool = multiprocessing.Pool(job["threads"])

    def passes(name):
        order = random.sample(paths, len(paths))
        chunks = [order[i : i + job["batch"]] for i in range(0, len(order), job["batch"])]
        work = [(chunk, job["size"], name) for chunk in chunks]
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
