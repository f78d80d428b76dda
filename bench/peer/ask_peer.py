"""The same answers from transformers' LLaVA of the same sizes, one per line of stdin. First line: the job as JSON."""
import json
import sys
import time

import torch
import transformers
from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, ViTConfig

IMAGE = 255


def model_of(job):
    tower, language = job["tower"], job["language"]
    vision = ViTConfig(
        hidden_size=tower["dim"], num_hidden_layers=tower["depth"], num_attention_heads=tower["heads"],
        intermediate_size=tower["dim"] * tower["mlpRatio"], image_size=tower["imageSize"], patch_size=tower["patchSize"],
    )
    text = LlamaConfig(
        hidden_size=language["dim"], num_hidden_layers=language["depth"], num_attention_heads=language["heads"],
        intermediate_size=language["hiddenDim"], vocab_size=language["vocabulary"],
        bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE, vision_feature_layer=job["layers"])
    return LlavaForConditionalGeneration(config).eval()


def main():
    job = json.loads(sys.stdin.readline())
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    model = model_of(job)
    side = job["tower"]["imageSize"]
    patches = (side // job["tower"]["patchSize"]) ** 2
    answer = {"max_new_tokens": job["tokens"], "min_new_tokens": job["tokens"], "do_sample": False}
    description = f"transformers {transformers.__version__}, PyTorch {torch.__version__} cpu, {job['threads']} threads"
    print(json.dumps({"description": description}), flush=True)
    for _ in sys.stdin:
        text = torch.randint(0, IMAGE, (1, job["text"]))
        ids = torch.cat([torch.full((1, patches), IMAGE), text], 1)
        images = torch.randn(1, 3, side, side)
        started = time.perf_counter()
        with torch.inference_mode():
            said = model.generate(input_ids=ids, pixel_values=images, attention_mask=torch.ones_like(ids), **answer)
        ms = (time.perf_counter() - started) * 1e3
        print(json.dumps({"ms": ms, "result": said.shape[1] - ids.shape[1]}), flush=True)


main()
