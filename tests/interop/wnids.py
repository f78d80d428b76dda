"""timm's lists of ImageNet's classes, of ImageNet-A's and -R's, as JSON; timm itself is not imported."""

import importlib.util
import json
import pathlib

folder = pathlib.Path(importlib.util.find_spec("timm").origin).parent / "data" / "_info"
names = {"all": "imagenet", "a": "imagenet_a", "r": "imagenet_r"}
print(json.dumps({key: (folder / f"{name}_synsets.txt").read_text().split() for key, name in names.items()}))
