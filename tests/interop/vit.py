"""make: ViTs of timm as their users keep them, with their logits. read: the logits timm and torch compute from ours."""

import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file

folder = sys.argv[2]
shape = dict(patch_size=8, embed_dim=32, depth=2, num_heads=2, mlp_ratio=2.0, num_classes=5)
variants = {
    "token": dict(global_pool="token"),
    "avg": dict(global_pool="avg"),
    "bare": dict(global_pool="token", qkv_bias=False, no_embed_class=True),
}


def vit(img_size=32, **options):
    from timm.models.vision_transformer import VisionTransformer
    return VisionTransformer(img_size=img_size, **{**shape, **options}).eval()


def make():
    from timm.models.vision_transformer import checkpoint_filter_fn
    torch.manual_seed(0)
    io = {}
    for name, options in variants.items():
        model = vit(**options)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        state = model.state_dict()
        if name == "avg":
            os.makedirs(f"{folder}/avg")
            save_file(state, f"{folder}/avg/model.safetensors")
            json.dump({"architecture": "vit_tiny_patch16_224", "global_pool": "avg"}, open(f"{folder}/avg/config.json", "w"))
        else:
            torch.save(state if name == "token" else {"state_dict": state, "epoch": 3}, f"{folder}/{name}.pth")
        for size in (32, 64, 16):
            resized = vit(size, **options)
            resized.load_state_dict(checkpoint_filter_fn(dict(state), resized))
            io[f"{name}.{size}.images"] = images = torch.randn(2, 3, size, size)
            io[f"{name}.{size}.logits"] = resized(images)
    save_file({key: value.detach().contiguous() for key, value in io.items()}, f"{folder}/io.safetensors")
    return {}


def read():
    from timm.models import load_checkpoint
    given = load_file(f"{folder}/given.safetensors")
    found = {}
    for file in ("cls.pth", "mean.pth", "mean.safetensors", "half.pth"):
        model = vit(global_pool="token" if file == "cls.pth" else "avg")
        load_checkpoint(model, f"{folder}/{file}", strict=True)
        if file.endswith(".pth"):
            plain = torch.load(f"{folder}/{file}", weights_only=True)
            assert set(plain) == {"model", "epoch"} and plain["epoch"] == 7, plain.keys()
            torch.load(f"{folder}/{file}", weights_only=True, mmap=True)
        found[file] = (model(given["images"]) - given[file]).abs().max().item()
    found["luvit.pth"] = (fused(given["images"]) - given["luvit.pth"]).abs().max().item()
    return found


def fused(images):
    """A ViT of timm's blocks, then LUViT's path through a decoder layer of transformers, from one merged checkpoint."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer
    state = torch.load(f"{folder}/luvit.pth", weights_only=True)["model"]
    encoder = vit(global_pool="avg")
    own = {key: value for key, value in state.items() if not key.startswith("llama")}
    encoder.load_state_dict(own, strict=True)
    config = LlamaConfig(hidden_size=48, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64,
                         rms_norm_eps=1e-5)
    config._attn_implementation = "eager"
    block = LlamaDecoderLayer(config, 0)
    names = {"attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj",
             "attention.wo": "self_attn.o_proj", "feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj",
             "feed_forward.w3": "mlp.up_proj", "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    block.load_state_dict({f"{hf}.weight": state[f"llama.layers.0.{meta}.weight"] for meta, hf in names.items()})
    tokens = encoder.forward_features(images)
    x = tokens @ state["llama_dim_mapper1.weight"].T
    still = (torch.ones(1, x.shape[1], 12), torch.zeros(1, x.shape[1], 12))
    mask = torch.zeros(1, 1, x.shape[1], x.shape[1])
    x = block(x, attention_mask=mask, position_embeddings=still)
    x = x[0] if isinstance(x, tuple) else x
    x = state["llama.norm.weight"] * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)
    return encoder.forward_head(x @ state["llama_dim_mapper2.weight"].T)


with torch.no_grad():
    print(json.dumps({"make": make, "read": read}[sys.argv[1]]()))
