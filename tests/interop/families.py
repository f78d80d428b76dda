"""Writes tiny models of the LLaMA family as transformers and llama.cpp's converter would, with what transformers computes.

For each model: <name>/ (config.json, safetensors or .bin), <name>.gguf where the gguf package is there, and in
io.safetensors input, output and gradients of its second decoder layer, causal with rotary positions and, with an open
mask and no rotation, as LUViT uses it. Also types.gguf: one tensor of every GGUF type, with the numbers the gguf package
makes of them.
"""

import json
import math
import os
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

try:
    import gguf
except ImportError:
    gguf = None

folder = sys.argv[1]
torch.manual_seed(0)
TOKENS = 9

shape = dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96, num_hidden_layers=2,
             vocab_size=40, max_position_embeddings=4096, tie_word_embeddings=False, rms_norm_eps=1e-5)
llama3_rope = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64)
models = {
    "llama1": LlamaConfig(**{**shape, "num_key_value_heads": 4}),
    "llama2": LlamaConfig(**shape, attention_bias=True, mlp_bias=True),
    "llama3": LlamaConfig(**shape, rope_parameters=llama3_rope),
    "mistral": MistralConfig(**shape, head_dim=24, sliding_window=5),
    "qwen2": Qwen2Config(**shape, rope_parameters=dict(rope_type="default", rope_theta=1000000.0)),
    "qwen3": Qwen3Config(**shape, head_dim=32),
}


def make(config):
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.3 if "norm" in name else 1.5 / math.sqrt(shape["hidden_size"])
            parameter.copy_((1.0 if "norm" in name else 0.0) + spread * torch.randn_like(parameter))
    return model


def run(model, x, upstream, causal):
    layer = model.model.layers[1]
    cos, sin = model.model.rotary_emb(x, torch.arange(TOKENS)[None])
    mask = torch.zeros(1, 1, TOKENS, TOKENS)
    if causal:
        window = getattr(model.config, "sliding_window", None) or TOKENS
        distance = torch.arange(TOKENS)[:, None] - torch.arange(TOKENS)[None]
        mask[:, :, (distance < 0) | (distance >= window)] = float("-inf")
    else:
        cos, sin = torch.ones_like(cos), torch.zeros_like(sin)
    x = x.clone().requires_grad_()
    model.zero_grad()
    output = layer(x, attention_mask=mask, position_embeddings=(cos, sin), position_ids=torch.arange(TOKENS)[None])
    output = output[0] if isinstance(output, tuple) else output
    (output * upstream).sum().backward()
    found = {"output": output.detach(), "grad.input": x.grad}
    found.update({f"grad.{name}": p.grad.clone() for name, p in layer.named_parameters()})
    return found


def permute(weights, heads):
    """convert_hf_to_gguf.py LlamaModel.permute"""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def write_gguf(path, model, quantization):
    """Matrices of the second layer quantized; returns what the quantized matrices stand for."""
    config = model.config
    architecture = {"mistral": "llama"}.get(config.model_type, config.model_type)
    writer = gguf.GGUFWriter(path, architecture)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    writer.add_token_list([f"token {i}" for i in range(config.vocab_size)])
    if config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(config.rope_parameters, head_dim))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    stands_for = {}
    for name, tensor in model.state_dict().items():
        values = tensor.numpy()
        if quantization and ".1." in name and values.ndim == 2 and values.shape[1] % 32 == 0:
            kind = gguf.GGMLQuantizationType[quantization]
            if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
                heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
                values = permute(values, heads)
            packed = gguf.quants.quantize(values, kind)
            plain = gguf.quants.dequantize(packed, kind)
            if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
                rows = plain.reshape(heads, plain.shape[0] // heads // 2, 2, -1)
                plain = rows.swapaxes(1, 2).reshape(plain.shape)
            stands_for[name] = torch.tensor(plain)
            writer.add_tensor(names.get_name(name, (".weight", ".bias")), packed, raw_dtype=kind)
            continue
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            values = permute(values, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return stands_for


def llama3_divisors(rope, head_dim):
    """convert_hf_to_gguf.py LlamaModel.generate_extra_tensors"""
    low, high = (rope["original_max_position_embeddings"] / rope[f"{end}_freq_factor"] for end in ("low", "high"))
    divisors = []
    for i in range(0, head_dim, 2):
        wavelength = 2 * math.pi * rope["rope_theta"] ** (i / head_dim)
        if wavelength < high:
            divisors.append(1)
        elif wavelength > low:
            divisors.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / wavelength - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"])
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(divisors, dtype=np.float32)


# Where each type keeps halves, which random bits would make NaN or infinite.
scales = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}


def write_types(path):
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "none")
    expected = {}
    for name in ["F32", "F16", "BF16", *scales]:
        kind = gguf.GGMLQuantizationType[name]
        if name in scales:
            elements, length = gguf.GGML_QUANT_SIZES[kind]
            packed = random.integers(0, 256, (6, 3 * length), dtype=np.uint8)
            blocks = packed.reshape(-1, length)
            for at in scales[name]:
                blocks[:, at:at + 2] = random.normal(size=(len(blocks), 1)).astype(np.float16).view(np.uint8)
        else:
            packed = gguf.quants.quantize(random.normal(size=(6, 32)).astype(np.float32), kind)
        expected[name] = torch.tensor(gguf.quants.dequantize(packed, kind).astype(np.float32))
        writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, f"{folder}/types.safetensors")


io = {}
for i, (name, config) in enumerate(models.items()):
    model = make(config)
    if i % 2:
        model.save_pretrained(f"{folder}/{name}")
    else:
        os.makedirs(f"{folder}/{name}")
        config.save_pretrained(f"{folder}/{name}")
        torch.save(model.state_dict(), f"{folder}/{name}/pytorch_model.bin")
    x, upstream = torch.randn(1, TOKENS, shape["hidden_size"]), torch.randn(1, TOKENS, shape["hidden_size"])
    io[f"{name}.input"], io[f"{name}.upstream"] = x, upstream
    for mode in ("causal", "open"):
        for key, value in run(model, x, upstream, mode == "causal").items():
            io[f"{name}.{mode}.{key}"] = value.contiguous()
    if not gguf:
        continue
    write_gguf(f"{folder}/{name}.gguf", model, None)
    quantized = make(config)
    quantized.load_state_dict({**model.state_dict(), **write_gguf(f"{folder}/{name}.Q5_1.gguf", model, "Q5_1")})
    for key, value in run(quantized, x, upstream, True).items():
        io[f"{name}.Q5_1.{key}"] = value.contiguous()
if gguf:
    write_types(f"{folder}/types.gguf")
save_file(io, f"{folder}/io.safetensors")
print(json.dumps({"models": list(models), "gguf": gguf is not None}))
