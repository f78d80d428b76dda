import { LuvitError } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { checkOptions } from "../core/options";
import { readMaeCheckpoint } from "../io/maeCheckpoint";
import { source } from "../io/options";
import { type Classifier, create } from "./classifier";
import { openClassifierOptions } from "./options";
import { applyClassifier } from "./pretrained";
import type { ViTConfig } from "./vit";

/** Heads of the published widths; ViT-H's are 80 wide, all others 64. */
const publishedHeads: Readonly<Record<number, number>> = { 192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16 };

/**
 * A classifier of the shape that a finetuned checkpoint of MAE or timm has, with its weights: width, depth, patch and
 * image size, pooling and classes are read off the tensors. `heads` is needed for widths other than the published ones.
 *
 * @throws LuvitError("key-mismatch") for a file that holds no ViT with a head, LuvitError("bad-argument") without `heads`.
 */
export async function openClassifier(path: string, options: { heads?: number } = {}): Promise<Classifier> {
  checkOptions("classifier.open", source, { path });
  checkOptions("classifier.open", openClassifierOptions, options);
  const { tensors } = await readMaeCheckpoint(path);
  const lacking = ["head.weight", "pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight"].filter(
    (key) => !tensors.has(key),
  );
  if (lacking.length > 0) {
    throw new LuvitError("key-mismatch", `${path}: no finetuned ViT, it has no ${lacking.join(", ")}`);
  }
  const encoder = shapeOf(path, tensors, options.heads);
  const pooling = tensors.has("fc_norm.weight") ? "mean" : "cls";
  const model = create({ encoder, pooling, classes: tensors.get("head.weight")!.shape[0] });
  applyClassifier(model, tensors, path);
  return model;
}

function shapeOf(path: string, tensors: StateDict, given: number | undefined): ViTConfig {
  const shape = (key: string) => tensors.get(key)!.shape;
  const [dim, , patchSize] = shape("patch_embed.proj.weight");
  const heads = given ?? publishedHeads[dim];
  if (heads === undefined) {
    throw new LuvitError("bad-argument", `${path}: no published ViT is ${dim} wide, pass { heads }`);
  }
  const grid = Math.floor(Math.sqrt(shape("pos_embed")[1]));
  const depth = [...tensors.keys()].filter((key) => /^blocks\.\d+\.norm1\.weight$/.test(key)).length;
  const mlpRatio = shape("blocks.0.mlp.fc1.weight")[0] / dim;
  return { imageSize: grid * patchSize, patchSize, dim, depth, heads, mlpRatio };
}
