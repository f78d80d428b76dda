"""Reads the last block of a sharded LLaMA checkpoint as float32, one time per line of stdin."""
import json
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open


def read_block(folder):
    places = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    last = max(int(name.split(".")[2]) for name in places if ".layers." in name)
    names = [name for name in places if f".layers.{last}." in name]
    with safe_open(folder / places[names[0]], framework="pt") as file:
        block = {name: file.get_tensor(name).float() for name in names}
    if not all(torch.isfinite(tensor).all() for tensor in block.values()):
        raise ValueError("weights that are not finite")
    return block[names[0]].flatten()[0].item()


def main():
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(job["threads"])
    print(json.dumps({}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        result = read_block(Path(job["folder"]))
        print(json.dumps({"ms": (time.perf_counter() - started) * 1e3, "result": result}), flush=True)


main()
