"""Vision towers (CLIP, SigLIP; of transformers and of timm) with random weights, and what they make of images."""

import json
import os
import sys

import timm
import torch
from safetensors.torch import save_file
from transformers import (CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModel, SiglipConfig, SiglipModel,
                          SiglipVisionConfig, SiglipVisionModel, Siglip2VisionConfig, Siglip2VisionModel, ViTConfig,
                          ViTForImageClassification, ViTModel)

folder = sys.argv[1]
shape = dict(hidden_size=32, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4, image_size=40, patch_size=8)
text = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=20)
kinds = {
    "clip": (CLIPVisionModel, CLIPVisionConfig(**shape)),
    "clip-gelu": (CLIPVisionModel, CLIPVisionConfig(**shape, hidden_act="gelu", layer_norm_eps=1e-3)),
    "clip-whole": (CLIPModel, CLIPConfig(vision_config=shape, text_config=text)),
    "siglip": (SiglipVisionModel, SiglipVisionConfig(**shape)),
    "siglip-whole": (SiglipModel, SiglipConfig(vision_config=shape, text_config=text)),
}
timms = {
    "timm-clip": ("vit_base_patch16_clip_quickgelu_224", {}),
    "timm-siglip": ("vit_so400m_patch16_siglip_256", {}),
}
io = {}


def fill(model):
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


torch.manual_seed(0)
with torch.no_grad():
    images, large = torch.randn(2, 3, 40, 40), torch.randn(1, 3, 56, 24)
    io["images"], io["large"] = images, large
    for name, (model_of, config) in kinds.items():
        model = fill(model_of(config))
        model.save_pretrained(f"{folder}/{name}")
        tower = getattr(model, "vision_model", model)
        tower.config._attn_implementation = "eager"
        result = tower(images, output_attentions=True)
        # CLIP gives back what enters its last norm, SigLIP what leaves it.
        last = tower.post_layernorm if name.startswith("clip") else torch.nn.Identity()
        io[f"{name}.normed"] = last(result.last_hidden_state)
        io[f"{name}.attention"] = result.attentions[-1]
        io[f"{name}.pooled"] = result.pooler_output
        io[f"{name}.large"] = last(tower(large, interpolate_pos_encoding=True).last_hidden_state)
    for name, model_of in (("vit", ViTModel), ("vit-classes", ViTForImageClassification)):
        model = fill(model_of(ViTConfig(**shape, layer_norm_eps=1e-3 if name == "vit" else 1e-12)))
        model.save_pretrained(f"{folder}/{name}")
        inner = getattr(model, "vit", model)
        inner.config._attn_implementation = "eager"
        result = inner(images, output_hidden_states=True)
        io[f"{name}.normed"] = result.last_hidden_state
        io[f"{name}.hidden"] = torch.cat([result.hidden_states[i][:, 1:] for i in (1, 2)], 2)
        io[f"{name}.large"] = inner(large, interpolate_pos_encoding=True).last_hidden_state
    model = fill(Siglip2VisionModel(Siglip2VisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                                                        num_attention_heads=4, num_patches=16, patch_size=8)))
    model.save_pretrained(f"{folder}/naflex")
    for name, (architecture, options) in timms.items():
        model = fill(timm.create_model(architecture, embed_dim=32, depth=3, num_heads=4, img_size=40, patch_size=8,
                                       num_classes=0, **options))
        os.makedirs(f"{folder}/{name}")
        save_file(model.state_dict(), f"{folder}/{name}/model.safetensors")
        with open(f"{folder}/{name}/config.json", "w") as file:
            json.dump({"architecture": architecture, "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}}, file)
        io[f"{name}.normed"] = model.forward_features(images)
        io[f"{name}.pooled"] = model.forward_head(io[f"{name}.normed"], pre_logits=True)
    save_file({key: value.contiguous() for key, value in io.items()}, f"{folder}/io.safetensors")
print("{}")
