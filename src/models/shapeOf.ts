import { LuvitError } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import type { ViTConfig } from "./vit";

/** Heads of the published widths; 64 channels each but of the largest. */
const publishedHeads: Readonly<Record<number, number>> = {
  192: 3,
  384: 6,
  768: 12,
  1024: 16,
  1152: 16,
  1280: 16,
  1408: 16,
  1536: 24,
  1664: 16,
};

/**
 * Width, depth, patch and image size and whatever else is seen in a ViT's tensors under timm's names.
 *
 * @throws LuvitError("bad-argument") where no published ViT is as wide and `given` says no heads.
 */
export function shapeOf(path: string, tensors: StateDict, given: number | undefined): ViTConfig {
  const shape = (key: string) => tensors.get(key)!.shape;
  const [dim, , patchSize] = shape("patch_embed.proj.weight");
  const heads = given ?? publishedHeads[dim];
  if (heads === undefined) {
    throw new LuvitError("bad-argument", `${path}: no published ViT is ${dim} wide, pass { heads }`);
  }
  const grid = Math.floor(Math.sqrt(shape("pos_embed")[1]));
  const depth = [...tensors.keys()].filter((key) => /^blocks\.\d+\.norm1\.weight$/.test(key)).length;
  const sizes = { imageSize: grid * patchSize, patchSize, dim, depth, heads };
  const extras = {
    ...(tensors.has("register_tokens") && { registers: shape("register_tokens")[1] }),
    ...(tensors.has("blocks.0.ls1.gamma") && { layerScale: 1e-5 }),
    ...(!tensors.has("cls_token") && { classToken: false }),
    ...(tensors.has("norm_pre.weight") && { preNorm: true }),
  };
  // A gated branch is two thirds as wide as an MLP of the same weights.
  if (tensors.has("blocks.0.mlp.w3.weight"))
    return { ...sizes, ...extras, mlp: "swiglu", mlpRatio: (1.5 * shape("blocks.0.mlp.w3.weight")[1]) / dim };
  return { ...sizes, ...extras, mlpRatio: shape("blocks.0.mlp.fc1.weight")[0] / dim };
}
