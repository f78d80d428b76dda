"""Tiny LLaVAs of transformers with random weights, in the layouts that are about, and what they answer with."""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, MistralConfig, Qwen2Config

IMAGE = 60
VISION = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=4, num_attention_heads=3, image_size=20, patch_size=5)
TEXT = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, vocab_size=64,
            pad_token_id=0, bos_token_id=1, eos_token_id=2)


def model_of(vision, text, layers, seed):
    torch.manual_seed(seed)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**{**VISION, **vision}), text_config=text,
        image_token_index=IMAGE, vision_feature_layer=layers,
    )
    config._attn_implementation = "eager"
    model = LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.08)
    return model


def old_name(name):
    """As llava-hf's checkpoints have it, whatever transformers calls its modules today."""
    name = name.removeprefix("model.")
    if name.startswith("lm_head."):
        return f"language_model.{name}"
    if name.startswith("language_model."):
        return "language_model.model." + name.removeprefix("language_model.")
    if name.startswith("vision_tower.") and not name.startswith("vision_tower.vision_model."):
        return "vision_tower.vision_model." + name.removeprefix("vision_tower.")
    return name


MODELS = {
    "llama": ({}, LlamaConfig(**TEXT), -2),
    "qwen2": ({"hidden_act": "gelu", "num_attention_heads": 2}, Qwen2Config(**TEXT, num_key_value_heads=2), [1, 3, -1]),
    "mistral": ({"num_hidden_layers": 3}, MistralConfig(**TEXT, num_key_value_heads=1, sliding_window=9, head_dim=10), 0),
}


def write(model, place, kind):
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(model.config.to_dict()))
    state = {name: x.detach().clone().contiguous() for name, x in model.state_dict().items()}
    if kind == "saved":
        model.save_pretrained(place, max_shard_size="60kB")
    elif kind == "modules":
        save_file(state, place / "model.safetensors")
    else:
        state = {old_name(name): x for name, x in state.items()}
        if kind == "old":
            save_file(state, place / "model.safetensors")
            return
        names = list(state)
        index = {}
        for part in range(2):
            file = f"pytorch_model-0000{part + 1}-of-00002.bin"
            own = names[part::2]
            torch.save({name: state[name] for name in own}, place / file)
            index.update({name: file for name in own})
        (place / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def main():
    folder = Path(sys.argv[1])
    io = {}
    for seed, (name, (vision, text, layers)) in enumerate(MODELS.items()):
        model = model_of(vision, text, layers, seed)
        for kind in ("saved", "modules", "old", "bin"):
            write(model, folder / name / kind, kind)
        side = model.config.vision_config.image_size
        patches = (side // model.config.vision_config.patch_size) ** 2
        images = torch.randn(3, 3, side, side)
        # Text before the image of three lengths; what fills up stands behind, where nothing sees it.
        starts = [0, 5, 2]
        length = patches + 12
        ids = torch.randint(3, 59, (3, length))
        for row, start in enumerate(starts):
            ids[row, start : start + patches] = IMAGE
        with torch.no_grad():
            logits = model(input_ids=ids, pixel_values=images).logits
            plain = model.model.language_model(input_ids=torch.where(ids == IMAGE, 3, ids)).last_hidden_state
            blind = model.lm_head(plain)
            said = model.generate(input_ids=ids[1:2], pixel_values=images[1:2], attention_mask=torch.ones_like(ids[1:2]),
                                  max_new_tokens=6, min_new_tokens=6, do_sample=False)
        values = {"images": images, "ids": ids.int(), "starts": torch.tensor(starts).int(), "logits": logits,
                  "blind": blind, "said": said[0, length:].int()}
        io.update({f"{name}.{key}": x.contiguous() for key, x in values.items()})
    save_file(io, folder / "io.safetensors")
    print(json.dumps({"models": list(MODELS)}))


main()
