"""RandAugment `rand-m9-mstd0.5-inc1` with Pillow, from its definition (timm's "increasing" set)."""
import random

from PIL import Image, ImageEnhance, ImageOps

FILL = (124, 116, 104)
BICUBIC = Image.Resampling.BICUBIC


def signed(value):
    return value if random.random() < 0.5 else -value


def moved(image, *matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resample=BICUBIC, fillcolor=FILL)


def solarize_add(image, amount):
    return image.point([min(255, v + amount) if v < 128 else v for v in range(256)] * 3)


def enhanced(kind):
    return lambda image, m: kind(image).enhance(1 + signed(0.09 * m))


OPERATIONS = [
    lambda image, m: ImageOps.autocontrast(image),
    lambda image, m: ImageOps.equalize(image),
    lambda image, m: ImageOps.invert(image),
    lambda image, m: image.rotate(signed(3 * m), BICUBIC, fillcolor=FILL),
    lambda image, m: ImageOps.posterize(image, 4 - int(0.4 * m)) if m < 10 else image.point([0] * 768),
    lambda image, m: ImageOps.solarize(image, 256 - int(25.6 * m)),
    lambda image, m: solarize_add(image, int(11 * m)),
    enhanced(ImageEnhance.Color),
    enhanced(ImageEnhance.Contrast),
    enhanced(ImageEnhance.Brightness),
    enhanced(ImageEnhance.Sharpness),
    lambda image, m: moved(image, 1, signed(0.03 * m), 0, 0, 1, 0),
    lambda image, m: moved(image, 1, 0, 0, signed(0.03 * m), 1, 0),
    lambda image, m: moved(image, 1, 0, signed(0.045 * m) * image.width, 0, 1, 0),
    lambda image, m: moved(image, 1, 0, 0, 0, 1, signed(0.045 * m) * image.height),
]


def rand_augment(image):
    for operation in random.choices(OPERATIONS, k=2):
        if random.random() < 0.5:
            image = operation(image, min(10, max(0, random.gauss(9, 0.5))))
    return image
