"""Writes a detector's weights the way detectron2's model zoo, its checkpointer and mmengine do.

Arguments: folder. Reads <folder>/model.safetensors with detectron2's names. The last line names what was written.
"""

import json
import pickle
import re
import sys
import types
from collections import OrderedDict

import numpy as np
import torch
from safetensors.torch import load_file

folder = sys.argv[1]
state = OrderedDict(load_file(f"{folder}/model.safetensors"))
written = []


def zoo(protocol, order):
    arrays = {name: np.asarray(value.numpy(), order=order) for name, value in state.items()}
    whole = {"model": arrays, "__author__": "someone", "matching_heuristics": True, "score": np.float64(51.6)}
    name = f"zoo{protocol}{order}.pkl"
    with open(f"{folder}/{name}", "wb") as file:
        pickle.dump(whole, file, protocol=protocol)
    written.append(name)


for protocol in (2, 3, 4, 5):
    for order in "CF":
        zoo(protocol, order)

# fvcore's Checkpointer: the model, with its buffers, beside optimizer and schedule.
moments = {i: {"step": torch.tensor(3.0), "exp_avg": torch.zeros_like(v)} for i, v in enumerate(state.values())}
buffers = {"pixel_mean": torch.zeros(3, 1, 1), "pixel_std": torch.ones(3, 1, 1)}
torch.save(
    {
        "model": OrderedDict({**state, **buffers}),
        "optimizer": {"state": moments, "param_groups": [{"lr": 1e-4, "params": list(moments)}]},
        "scheduler": {"last_epoch": 7},
        "iteration": 7,
    },
    f"{folder}/checkpointer.pth",
)
written.append("checkpointer.pth")

PYRAMID = {"2.0": "fpn1.0", "2.1": "fpn1.1", "2.3": "fpn1.3", "3.0": "fpn2.0"}
LATERAL = {"2.4": 0, "3.1": 1, "4.0": 2, "5.1": 3}
OUTPUT = {"2.5": 0, "3.2": 1, "4.1": 2, "5.2": 3}


def conv(stem, rest):
    """A mmcv ConvModule: the convolution under .conv, a norm without abbreviation under .norm_layer."""
    return f"{stem}.norm_layer.{rest[5:]}" if rest.startswith("norm.") else f"{stem}.conv.{rest}"


def mmdetection(name):
    if name.startswith("backbone.net."):
        return "backbone." + name[len("backbone.net.") :]
    if match := re.match(r"backbone\.simfp_(\d\.\d)\.(.*)", name):
        place, rest = match.groups()
        if place in PYRAMID:
            return f"neck.{PYRAMID[place]}.{rest}"
        if place in LATERAL:
            return conv(f"neck.lateral_convs.{LATERAL[place]}", rest)
        return conv(f"neck.fpn_convs.{OUTPUT[place]}", rest)
    if match := re.match(r"proposal_generator\.rpn_head\.conv\.conv(\d)\.(.*)", name):
        return f"rpn_head.rpn_conv.{match[1]}.conv.{match[2]}"
    if match := re.match(r"roi_heads\.box_head\.conv(\d)\.(.*)", name):
        return conv(f"roi_head.bbox_head.shared_convs.{int(match[1]) - 1}", match[2])
    if match := re.match(r"roi_heads\.mask_head\.mask_fcn(\d)\.(.*)", name):
        return conv(f"roi_head.mask_head.convs.{int(match[1]) - 1}", match[2])
    for ours, theirs in (
        ("proposal_generator.rpn_head.objectness_logits", "rpn_head.rpn_cls"),
        ("proposal_generator.rpn_head.anchor_deltas", "rpn_head.rpn_reg"),
        ("roi_heads.box_head.fc1", "roi_head.bbox_head.shared_fcs.0"),
        ("roi_heads.box_predictor.cls_score", "roi_head.bbox_head.fc_cls"),
        ("roi_heads.box_predictor.bbox_pred", "roi_head.bbox_head.fc_reg"),
        ("roi_heads.mask_head.deconv", "roi_head.mask_head.upsample"),
        ("roi_heads.mask_head.predictor", "roi_head.mask_head.conv_logits"),
    ):
        if name.startswith(ours + "."):
            return theirs + name[len(ours) :]
    raise KeyError(name)


# What mmengine logs is an instance of this class.
module = types.ModuleType("mmengine.logging.history_buffer")
for part in ("mmengine", "mmengine.logging"):
    sys.modules[part] = types.ModuleType(part)
sys.modules[module.__name__] = module


class HistoryBuffer:
    def __init__(self):
        self._log_history = np.array([0.5, 0.25])
        self._count_history = np.array([1, 2])


HistoryBuffer.__module__ = module.__name__
HistoryBuffer.__qualname__ = "HistoryBuffer"
module.HistoryBuffer = HistoryBuffer
torch.save(
    {
        "meta": {"epoch": 100, "dataset_meta": {"classes": ("a", "b", "c")}},
        "state_dict": OrderedDict((mmdetection(name), value) for name, value in state.items()),
        "message_hub": {"log_scalars": OrderedDict({"train/loss": HistoryBuffer()}), "resumed_keys": {}},
        "optimizer": {"state": moments, "param_groups": []},
    },
    f"{folder}/mmdetection.pth",
)
written.append("mmdetection.pth")
print(json.dumps(written))
