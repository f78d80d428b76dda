"""ViTDet with Mask R-CNN in PyTorch, as a careful user would write it."""
import torch
import torch.nn.functional as F
from torch import nn

from boxes import batched_nms, box_iou, clip_boxes_to_image, roi_align
from model import drop_path, linear, merge, split


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convolution(inputs, outputs, kernel):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, ChannelNorm(outputs, eps=1e-6))


class Block(nn.Module):
    def __init__(self, vit, window, side):
        super().__init__()
        dim, self.heads, self.window = vit["dim"], vit["heads"], window
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.qkv, self.proj = linear(dim, 3 * dim), linear(dim, dim)
        self.fc1, self.fc2 = linear(dim, 4 * dim), linear(4 * dim, dim)
        length = 2 * (window or side) - 1
        self.rel_h = nn.Parameter(torch.zeros(length, dim // self.heads))
        self.rel_w = nn.Parameter(torch.zeros(length, dim // self.heads))

    def attend(self, x):
        batch, height, width, _ = x.shape
        q, k, v = (split(part, self.heads) for part in self.qkv(x.flatten(1, 2)).chunk(3, dim=-1))
        at = lambda table, size: table[torch.arange(size)[:, None] - torch.arange(size)[None] + size - 1]
        grid = q.unflatten(2, (height, width))
        rows = torch.einsum("bhyxc,ykc->bhyxk", grid, at(self.rel_h, height))
        columns = torch.einsum("bhyxc,xkc->bhyxk", grid, at(self.rel_w, width))
        bias = (rows[..., :, None] + columns[..., None, :]).flatten(4).flatten(2, 3)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(merge(out)).unflatten(1, (height, width))

    def forward(self, x, drop):
        y = self.norm1(x)
        if self.window:
            y = self.in_windows(y)
        else:
            y = self.attend(y)
        x = x + drop_path(y.flatten(1, 2), drop).view_as(x)
        y = self.fc2(F.gelu(self.fc1(self.norm2(x))))
        return x + drop_path(y.flatten(1, 2), drop).view_as(x)

    def in_windows(self, y):
        batch, height, width, dim = y.shape
        side = self.window
        padded = F.pad(y, (0, 0, 0, -width % side, 0, -height % side))
        rows, columns = padded.shape[1] // side, padded.shape[2] // side
        cells = padded.view(batch, rows, side, columns, side, dim).transpose(2, 3).reshape(-1, side, side, dim)
        out = self.attend(cells).view(batch, rows, columns, side, side, dim).transpose(2, 3)
        return out.reshape(batch, rows * side, columns * side, dim)[:, :height, :width]


class Detector(nn.Module):
    def __init__(self, vit, settings):
        super().__init__()
        dim, patch, out, classes = vit["dim"], vit["patchSize"], settings["pyramid"], settings["classes"]
        self.settings, self.drop, self.classes = settings, settings["dropPath"], classes
        side = settings["imageSize"] // patch
        self.positions = nn.Parameter(torch.randn(1, 1 + (vit["imageSize"] // patch) ** 2, dim) * 0.02)
        self.embed = nn.Conv2d(3, dim, patch, patch)
        whole = settings["globalBlocks"]
        self.blocks = nn.ModuleList(
            Block(vit, 0 if i in whole else settings["windowSize"], side) for i in range(vit["depth"])
        )
        up = lambda inputs, outputs: nn.ConvTranspose2d(inputs, outputs, 2, 2)
        ending = lambda channels: [convolution(channels, out, 1), convolution(out, out, 3)]
        self.p2 = nn.Sequential(up(dim, dim // 2), ChannelNorm(dim // 2, eps=1e-6), nn.GELU(), up(dim // 2, dim // 4), *ending(dim // 4))
        self.p3 = nn.Sequential(up(dim, dim // 2), *ending(dim // 2))
        self.p4 = nn.Sequential(*ending(dim))
        self.p5 = nn.Sequential(nn.MaxPool2d(2), *ending(dim))
        self.region = nn.Sequential(nn.Conv2d(out, out, 3, padding=1), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.ReLU())
        self.objectness, self.deltas = nn.Conv2d(out, 3, 1), nn.Conv2d(out, 12, 1)
        relus = lambda: [layer for _ in range(4) for layer in (convolution(out, out, 3), nn.ReLU())]
        self.box = nn.Sequential(*relus(), nn.Flatten(), linear(49 * out, 1024), nn.ReLU())
        self.score, self.move = linear(1024, classes + 1, std=0.01), linear(1024, 4 * classes, std=0.001)
        self.mask = nn.Sequential(*relus(), up(out, out), nn.ReLU(), nn.Conv2d(out, classes, 1))
        self.register_buffer("anchors", anchors(settings["imageSize"], patch), persistent=False)

    def maps(self, images, drop):
        x = self.embed(images).permute(0, 2, 3, 1)
        side = int((self.positions.shape[1] - 1) ** 0.5)
        table = self.positions[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
        resized = F.interpolate(table, x.shape[1:3], mode="bicubic", align_corners=False)
        x = x + resized.permute(0, 2, 3, 1)
        for i, block in enumerate(self.blocks):
            x = block(x, drop * i / (len(self.blocks) - 1))
        x = x.permute(0, 3, 1, 2)
        maps = [p(x) for p in (self.p2, self.p3, self.p4, self.p5)]
        return [*maps, maps[-1][:, :, ::2, ::2]]

    def regions(self, maps):
        flat = lambda x, width: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
        hidden = [self.region(map_) for map_ in maps]
        self.counts = [3 * h.shape[2] * h.shape[3] for h in hidden]
        logits = torch.cat([flat(self.objectness(h), 1) for h in hidden], 1).squeeze(-1)
        return logits, torch.cat([flat(self.deltas(h), 4) for h in hidden], 1)

    @torch.no_grad()
    def proposals(self, logits, deltas, mode):
        """Of one image."""
        boxes = decode(self.anchors, deltas.float())
        found, start = [], 0
        for level, count in enumerate(self.counts):
            scores, places = logits[start:start + count].float().topk(min(self.settings["perLevel"][mode], count))
            found.append((boxes[start:start + count][places], scores, torch.full_like(places, level)))
            start += count
        boxes, scores, levels = (torch.cat(part) for part in zip(*found))
        boxes = clip_boxes_to_image(boxes, (self.settings["imageSize"],) * 2)
        kept = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(1)
        boxes, scores, levels = boxes[kept], scores[kept], levels[kept]
        return boxes[batched_nms(boxes, scores, levels, 0.7)[:self.settings["proposals"][mode]]]

    def pool(self, maps, boxes, bins):
        """Of one image."""
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        levels = (4 + torch.log2(areas.sqrt() / 224 + 1e-8)).floor().clamp(2, 5)
        out = maps[0].new_zeros(len(boxes), maps[0].shape[1], bins, bins)
        for level, map_ in enumerate(maps[:4]):
            at = (levels == level + 2).nonzero().squeeze(1)
            scale = map_.shape[-1] / self.settings["imageSize"]
            pooled = roi_align(map_, [boxes[at].to(map_.dtype)], bins, scale, 0, True)
            out = out.index_put((at,), pooled.to(out.dtype))
        return out

    @torch.no_grad()
    def find(self, images):
        """Probabilities of every proposal; random weights find nothing, so that no mask is drawn."""
        maps = self.maps(images, 0)
        logits, deltas = self.regions(maps)
        boxes = self.proposals(logits[0], deltas[0], "test")
        hidden = self.box(self.pool(maps, boxes, 7))
        moved = decode(boxes.repeat_interleave(self.classes, 0), self.move(hidden).reshape(-1, 4).float())
        return self.score(hidden).float().softmax(-1).mean() + 0 * moved.mean()

    def loss(self, images, objects, labels):
        """One image, its objects' boxes and labels; masks are full."""
        maps = self.maps(images, self.drop)
        logits, deltas = self.regions(maps)
        iou = box_iou(objects, self.anchors)
        best, matched = iou.max(0)
        kind = torch.where(best >= 0.7, 1, torch.where(best < 0.3, 0, -1))
        kind[(iou == iou.max(1, keepdim=True).values).any(0)] = 1
        positive, negative = drawn(kind == 1, 128), None
        negative = drawn(kind == 0, 256 - len(positive))
        both = torch.cat([positive, negative])
        region = F.binary_cross_entropy_with_logits(
            logits[0][both].float(), (torch.arange(len(both), device=both.device) < len(positive)).float(), reduction="sum")
        region = region + (deltas[0][positive].float() - encode(self.anchors[positive], objects[matched[positive]], 1)).abs().sum()
        boxes = torch.cat([self.proposals(logits[0].detach(), deltas[0].detach(), "train"), objects])
        best, matched = box_iou(objects, boxes).max(0)
        positive = drawn(best >= 0.5, 128)
        negative = drawn(best < 0.5, 512 - len(positive))
        both = torch.cat([positive, negative])
        truth = torch.full((len(both),), self.classes, device=both.device)
        truth[:len(positive)] = labels[matched[positive]]
        hidden = self.box(self.pool(maps, boxes[both], 7))
        heads = F.cross_entropy(self.score(hidden).float(), truth)
        rows = torch.arange(len(positive), device=both.device)
        moved = self.move(hidden)[:len(positive)].unflatten(1, (-1, 4))[rows, truth[:len(positive)]].float()
        heads = heads + (moved - encode(boxes[positive], objects[matched[positive]], 10)).abs().sum() / len(both)
        masks = self.mask(self.pool(maps, boxes[positive], 14))[rows, truth[:len(positive)]].float()
        return region / 256 + heads + F.binary_cross_entropy_with_logits(masks, torch.ones_like(masks))


def anchors(size, patch):
    found = []
    for level in range(5):
        stride = patch / 4 * 2 ** level
        side = 32 * 2 ** level
        ratios = torch.tensor([0.5, 1.0, 2.0])
        width = (side ** 2 / ratios).sqrt()
        height = width * ratios
        cell = torch.stack([-width, -height, width, height], 1) / 2
        steps = torch.arange(int(size / stride)) * stride
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        found.append((torch.stack([x, y, x, y], -1)[:, :, None] + cell).reshape(-1, 4))
    return torch.cat(found)


def decode(boxes, deltas):
    size = boxes[:, 2:] - boxes[:, :2]
    center = boxes[:, :2] + size / 2 + deltas[:, :2] * size
    half = size * deltas[:, 2:].clamp(max=4.135).exp() / 2
    return torch.cat([center - half, center + half], 1)


def encode(boxes, to, weight):
    size, other = boxes[:, 2:] - boxes[:, :2], to[:, 2:] - to[:, :2]
    shift = (to[:, :2] + other / 2 - boxes[:, :2] - size / 2) / size
    return torch.cat([weight * shift, max(1, weight / 2) * (other / size).log()], 1)


def drawn(chosen, most):
    places = chosen.nonzero().squeeze(1)
    return places[torch.randperm(len(places), device=places.device)[:most]]
