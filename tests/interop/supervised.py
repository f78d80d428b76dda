"""What timm's samplers, schedules, averages and torch's clipping give for the numbers in a JSON text; prints them as JSON."""

import json
import sys

import torch
from timm.data.distributed_sampler import RepeatAugSampler
from timm.scheduler.cosine_lr import CosineLRScheduler
from timm.utils.model_ema import ModelEma

given = json.loads(sys.argv[1])


def orders():
    """Per process, with the permutation that the epoch's seed gives."""
    length, processes = given["length"], given["processes"]
    torch.manual_seed(0)
    generator = torch.Generator()
    generator.manual_seed(0)
    permutation = torch.randperm(length, generator=generator).tolist()
    samplers = [RepeatAugSampler(range(length), processes, rank, num_repeats=3) for rank in range(processes)]
    return {"permutation": permutation, "orders": [list(sampler) for sampler in samplers]}


def rates():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=given["lr"])
    names = dict(t_initial="epochs", lr_min="minLr", warmup_t="warmupEpochs", warmup_lr_init="warmupLr")
    scheduler = CosineLRScheduler(optimizer, **{key: given[name] for key, name in names.items()})
    found = []
    for epoch in range(given["epochs"] + 10):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(epoch)
    return found


def averages():
    model = torch.nn.Linear(len(given["weights"][0]), 1, bias=False)
    model.weight.data = torch.tensor([given["weights"][0]])
    average = ModelEma(model, decay=given["decay"])
    for weights in given["weights"][1:]:
        model.weight.data = torch.tensor([weights])
        average.update(model)
    return average.ema.state_dict()["weight"].flatten().tolist()


def clipped():
    parameters = [torch.nn.Parameter(torch.zeros(8)) for _ in given["weights"]]
    for parameter, gradient in zip(parameters, given["weights"]):
        parameter.grad = torch.tensor(gradient)
    norm = torch.nn.utils.clip_grad_norm_(parameters, given["maxNorm"])
    return {"norm": norm.item(), "gradients": [parameter.grad.tolist() for parameter in parameters]}


print(json.dumps({**orders(), "rates": rates(), "average": averages(), "clipped": clipped()}))
