"""Boxes [N, 4] as corners; torchvision's compiled operators where they load, else the same in PyTorch's own."""
import torch
import torch.nn.functional as F


def compiled():
    try:
        import torchvision

        return torchvision.ops if torchvision.extension._has_ops() else None
    except ImportError:
        return None


OPS = compiled()


def areas(boxes):
    return (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)


def box_iou(a, b):
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (areas(a)[:, None] + areas(b)[None] - shared)


def clip_boxes_to_image(boxes, size):
    height, width = size
    return torch.stack([boxes[:, 0::2].clamp(0, width), boxes[:, 1::2].clamp(0, height)], -1).flatten(1)


def nms(boxes, scores, threshold):
    if OPS:
        return OPS.nms(boxes, scores, threshold)
    order = scores.argsort(descending=True)
    above = (box_iou(boxes[order], boxes[order]) > threshold).triu(1).numpy()
    gone = torch.zeros(len(order), dtype=torch.bool).numpy()
    for i in range(len(order)):
        if not gone[i]:
            gone |= above[i]
    return order[torch.from_numpy(~gone)]


def batched_nms(boxes, scores, groups, threshold):
    """Places of what stays, the best first; groups apart."""
    kept = []
    for group in groups.unique():
        places = (groups == group).nonzero()[:, 0]
        kept.append(places[nms(boxes[places], scores[places], threshold)])
    kept = torch.cat(kept)
    return kept[scores[kept].argsort(descending=True)]


def roi_align(features, boxes, bins, scale, ratio, aligned):
    """Of one image. Without the compiled operator: bilinear samples, two along each side of a bin, averaged."""
    if OPS:
        return OPS.roi_align(features, boxes, bins, scale, ratio, aligned)
    height, width = features.shape[-2:]
    corners = boxes[0] * scale
    steps = (torch.arange(2 * bins, device=corners.device) + 0.5) / (2 * bins)
    x = corners[:, 0:1] + steps * (corners[:, 2:3] - corners[:, 0:1])
    y = corners[:, 1:2] + steps * (corners[:, 3:4] - corners[:, 1:2])
    size = (len(corners), 2 * bins, 2 * bins)
    across, down = (2 * x / width - 1)[:, None].expand(size), (2 * y / height - 1)[:, :, None].expand(size)
    grid = torch.stack([across, down], -1).reshape(1, -1, 2 * bins, 2).to(features.dtype)
    samples = F.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(samples[0].unflatten(1, (-1, 2 * bins)).transpose(0, 1), 2)
