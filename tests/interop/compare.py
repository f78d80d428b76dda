"""Loads what luvit wrote with transformers and PEFT; prints the largest differences of each model as JSON."""

import json
import os
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def compare(folder):
    given = json.load(open(f"{folder}/given.json"))
    ids = torch.tensor([given["ids"]])

    def difference(logits, name):
        return (logits.flatten() - torch.tensor(given[name])).abs().max().item()

    with torch.no_grad():
        model = AutoModelForCausalLM.from_pretrained(f"{folder}/model", dtype=torch.float32)
        base = difference(model(ids).logits, "base")
        adapted = PeftModel.from_pretrained(model, f"{folder}/adapter")
        return {"base": base, "lora": difference(adapted(ids).logits, "lora")}


print(json.dumps({name: compare(os.path.join(sys.argv[1], name)) for name in sorted(os.listdir(sys.argv[1]))}))
