"""Loads what luvit wrote with transformers and PEFT, and prints the largest differences as JSON."""

import json
import sys

import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

folder = sys.argv[1]
given = json.load(open(f"{folder}/given.json"))
ids = torch.tensor([given["ids"]])


def difference(logits, name):
    return (logits.flatten() - torch.tensor(given[name])).abs().max().item()


with torch.no_grad():
    model = LlamaForCausalLM.from_pretrained(f"{folder}/model", dtype=torch.float32)
    base = difference(model(ids).logits, "base")
    adapted = PeftModel.from_pretrained(model, f"{folder}/adapter")
    lora = difference(adapted(ids).logits, "lora")
print(json.dumps({"base": base, "lora": lora}))
