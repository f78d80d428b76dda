"""DINOv2 of transformers (with and without registers, MLP and SwiGLU) with random weights, and what it makes of images."""

import json
import sys

import torch
from safetensors.torch import save_file
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

folder = sys.argv[1]
shape = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, image_size=42, patch_size=14, mlp_ratio=2,
             attn_implementation="eager")
kinds = {
    "plain": (Dinov2Model, Dinov2Config, dict(use_swiglu_ffn=False)),
    "swiglu": (Dinov2Model, Dinov2Config, dict(use_swiglu_ffn=True)),
    "registers": (Dinov2WithRegistersModel, Dinov2WithRegistersConfig, dict(num_register_tokens=3, use_swiglu_ffn=False)),
    "both": (Dinov2WithRegistersModel, Dinov2WithRegistersConfig, dict(num_register_tokens=2, use_swiglu_ffn=True)),
}
torch.manual_seed(0)
io = {}
with torch.no_grad():
    for name, (model_of, config_of, options) in kinds.items():
        model = model_of(config_of(**shape, **options)).eval()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(f"{folder}/{name}")
        images = torch.randn(2, 3, 42, 42)
        result = model(images, output_attentions=True)
        io[f"{name}.images"] = images
        io[f"{name}.tokens"] = result.last_hidden_state
        io[f"{name}.attention"] = result.attentions[-1]
    save_file({key: value.contiguous() for key, value in io.items()}, f"{folder}/io.safetensors")
print(json.dumps({name: options.get("num_register_tokens", 0) for name, (_, _, options) in kinds.items()}))
