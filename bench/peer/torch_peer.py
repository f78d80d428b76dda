"""The same work in PyTorch, one run per line of stdin. First line: the job as JSON. Answers are lines of JSON."""
import json
import sys
import time
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from detector import Detector
from model import Classifier, MaskedAutoencoder


def pretrain_step(job, device):
    preset = job["preset"]
    model = MaskedAutoencoder(preset["vit"], preset.get("llama"), preset["rank"], preset["decoder"])
    model = settle(model, job, device)
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=job["lr"], betas=tuple(job["betas"]), fused=True)
    images = random_images(job, device)
    return model, lambda: train(optimizer, job, device, lambda: model(images))


def finetune_step(job, device):
    preset = job["preset"]
    classes = preset["classes"]
    model = settle(Classifier(preset["vit"], preset.get("llama"), preset["rank"], classes), job, device)
    optimizer = torch.optim.AdamW(layer_groups(model, job), lr=job["lr"], betas=tuple(job["betas"]), fused=True)
    images = random_images(job, device)
    labels = torch.randint(classes, (job["batch"],), device=device)
    targets = F.one_hot(labels, classes) * 0.9 + 0.1 / classes

    def loss():
        logits = model(images, job["dropPath"]).float()
        return -(targets * logits.log_softmax(-1)).sum(-1).mean()

    return model, lambda: train(optimizer, job, device, loss)


def entropy(job, device):
    preset = job["preset"]
    model = Classifier(preset["vit"], preset.get("llama"), preset["rank"], preset["classes"])
    model = settle(model.requires_grad_(False), job, device)
    images = random_images(job, device)

    def run():
        found = []
        tap = lambda pattern: found.append(torch.special.entr(pattern.float()).sum(-1)[:, :, 1:])
        with torch.inference_mode(), computing(job, device):
            logits = model(images, tap=tap).float()
        on_host = [values.cpu() for values in found]
        logits.cpu()
        return torch.cat([values.flatten() for values in on_host]).mean().item()

    return model, run


def detector_of(job, device):
    return settle(Detector(job["preset"]["vit"], job["detector"]), job, device)


def detect_forward(job, device):
    model = detector_of(job, device)
    side = job["detector"]["imageSize"]
    images = torch.randn(1, 3, side, side, device=device)

    def run():
        with computing(job, device):
            return model.find(images).item()

    return model, run


def detect_step(job, device):
    model = detector_of(job, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=job["lr"], betas=tuple(job["betas"]), fused=True)
    side = job["detector"]["imageSize"]
    images = torch.randn(1, 3, side, side, device=device)
    boxes = torch.tensor(job["boxes"], device=device, dtype=torch.float32)
    labels = torch.zeros(len(boxes), dtype=torch.long, device=device)
    return model, lambda: train(optimizer, job, device, lambda: model.loss(images, boxes, labels))


def settle(model, job, device):
    """Frozen matrices rest in the precision they are used in, so that autocast has nothing to convert at every run."""
    if job["precision"] == "bfloat16":
        for parameter in model.parameters():
            if not parameter.requires_grad and parameter.ndim == 2:
                parameter.data = parameter.data.bfloat16()
    return model.to(device)


def computing(job, device):
    if job["precision"] == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def train(optimizer, job, device, loss_of):
    with computing(job, device):
        loss = loss_of()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


def layer_groups(model, job):
    """Layer-wise decay as in mae/util/lr_decay.py."""
    last = job["preset"]["vit"]["depth"] + 1
    groups = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        path = name.removeprefix("encoder.")
        layer = 0 if path.startswith(("cls_token", "pos_embed", "patch_embed")) else last
        if path.startswith("blocks."):
            layer = int(path.split(".")[1]) + 1
        exempt = parameter.ndim == 1 or path in ("cls_token", "pos_embed")
        decay = 0.0 if exempt else 0.05
        groups.setdefault((layer, decay), []).append(parameter)
    rate = lambda layer: job["lr"] * job["layerDecay"] ** (last - layer)
    return [{"params": p, "lr": rate(layer), "weight_decay": d} for (layer, d), p in groups.items()]


def random_images(job, device):
    side = job["preset"]["vit"]["imageSize"]
    return torch.randn(job["batch"], 3, side, side, device=device)


def matmul(job, device):
    """Milliseconds of one product of the shape the other side multiplies, in the same precision."""
    rows, inner, columns = job["matmul"]
    dtype = getattr(torch, job["precision"])
    a, b = torch.randn(rows, inner, device=device, dtype=dtype), torch.randn(inner, columns, device=device, dtype=dtype)

    def run():
        return (a @ b).float().mean().item()

    return run


def timed(run):
    started = time.perf_counter()
    result = run()
    return {"ms": (time.perf_counter() - started) * 1e3, "result": result}


def counted(run):
    """The counter does not know the fused attention of the CPU, so this one run is without it."""
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        run()
    return {"flops": counter.get_total_flops()}


def answer(message):
    print(json.dumps(message), flush=True)


def main():
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    device = torch.device(job["device"])
    jobs = {
        "pretrain-step": pretrain_step,
        "finetune-step": finetune_step,
        "entropy": entropy,
        "detect-forward": detect_forward,
        "detect-step": detect_step,
    }
    model, run = jobs[job["name"]](job, device)
    parameters = list(model.parameters())
    answer({
        "description": f"PyTorch {torch.__version__} {device} ({torch.get_num_threads()} threads, {job['precision']})",
        "total": sum(p.numel() for p in parameters),
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
    })
    multiply = None
    for line in sys.stdin:
        command = line.strip()
        if command == "matmul":
            multiply = multiply or matmul(job, device)
            answer(timed(multiply))
        else:
            answer(counted(run) if command == "count" else timed(run))


main()
