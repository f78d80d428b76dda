import type { AttentionMaps } from "../../analysis/attentionMaps";
import { type Body, forwardBatches, type MaskedOrPlain } from "../../analysis/forwardBatches";
import type { GatedImage } from "../../analysis/interventions/headGates";
import { headsOf } from "../../analysis/interventions/heads";
import { logitsWithoutEach } from "../../analysis/interventions/withoutEach";
import { lens } from "../../analysis/lens";
import type { LookOptions } from "../../analysis/options";
import { type RelevanceMethod, relevance } from "../../analysis/relevance";
import { minMax } from "../../analysis/relevance/display";
import { tokenNorms } from "../../analysis/representations";
import { patchDistances } from "../../analysis/representations/attentionDistance";
import { softmaxOf } from "../../analysis/softmax";
import { forAnswer, stagesOf } from "../../analysis/stages";
import { LuvitError } from "../../core/errors";
import { beginWork } from "../../core/progress";
import type { Tensor } from "../../core/tf";
import { type ImageDataset, SkipReport } from "../../data/dataset";
import type { Classifier } from "../../models/classifier";
import { openForward } from "../../train/forward";
import type { Numbers } from "./browser/evidence";

/** Methods whose maps differ from class to class. */
export type ClassRelevanceMethod = Exclude<RelevanceMethod, "rollout">;

/** What is computed for a page beside attention. */
export interface Gathering {
  readonly relevance: readonly ClassRelevanceMethod[];
  readonly lens: boolean;
  readonly norms: boolean;
  readonly heads: boolean;
  readonly ablate: boolean;
  /** Whether the image keeps its own shape. */
  readonly ownShape: boolean;
  readonly engine: LookOptions;
}

/** An image of a set as the model gets it: of its own shape, or the model's square. */
export interface LookedSample {
  readonly sample: MaskedOrPlain;
  readonly ownShape: boolean;
}

/** Several copies of one image as a set, each with its own label. */
function copiesOf({ sample, ownShape }: LookedSample, size: number, labels: readonly number[]): ImageDataset {
  const classes = Array.from({ length: Math.max(...labels) + 1 }, (_, label) => String(label));
  const set: Pick<ImageDataset, "classes" | "length" | "size" | "report" | "load" | "ownShapes"> = {
    ...{ classes, length: labels.length, size, report: new SkipReport() },
    ...(ownShape && { ownShapes: true }),
    load: async (index) => ({ ...sample, index, label: labels[index] }),
  };
  // The analyses of images read a set by these alone.
  return set as ImageDataset;
}

/** Logits [K] of an image. */
export async function logitsOf(
  model: Classifier,
  looked: LookedSample,
  options: LookOptions,
): Promise<Float32Array> {
  const one = copiesOf(looked, model.encoder.config.imageSize, [0]);
  const body: Body = (images, { context }) => ({
    logits: model.forward(images, { ...context, ...forAnswer(model) }),
  });
  const batches = forwardBatches(model, one, body, { batchSize: 1, ...options });
  for await (const { results } of batches) return results.logits;
  throw new LuvitError("bad-dataset", `lookInside: ${looked.sample.path} cannot be read`);
}

/** Names of the numbers are those of `Evidence`; labels are classes of the model, to be named where the page is written. */
export async function gather(
  model: Classifier,
  maps: AttentionMaps,
  logits: Float32Array,
  choices: readonly number[],
  what: Gathering,
): Promise<Numbers> {
  const { imageSize } = model.encoder.config;
  const looked = { sample: maps.sample, ownShape: what.ownShape };
  const one = copiesOf(looked, imageSize, [0]);
  const found = new Map<string, Uint8Array | Uint16Array | Float32Array>();
  const add = (numbers: Readonly<Record<string, Uint8Array | Uint16Array | Float32Array>>) => {
    for (const [name, values] of Object.entries(numbers)) found.set(name, values);
  };
  add(answers("answer", [logits], choices));
  for (const method of what.relevance) {
    const copies = copiesOf(looked, imageSize, choices);
    const made = await relevance(model, copies, { method, class: "label", ...what.engine });
    const levels = made.flatMap(({ patches }) => Array.from(minMax(patches), (x) => Math.round(255 * x)));
    add({ [`relevance.${method}`]: Uint8Array.from(levels) });
  }
  if (what.lens) add(await lensNumbers(model, one, maps, choices, what.engine));
  if (what.norms) add({ norms: await norms(model, one, maps, what.engine) });
  if (what.heads) add(headNumbers(maps));
  if (what.ablate) add(await ablations(model, maps, choices, what));
  return found;
}

/** ln p of the chosen classes, the likeliest class and its probability, per row of logits. */
function answers(name: string, rows: readonly Float32Array[], choices: readonly number[]) {
  const chances = rows.map(softmaxOf);
  const tops = chances.map((row) => row.indexOf(Math.max(...row)));
  return {
    [name === "heads" ? "heads.answer" : name]: Float32Array.from(
      rows.flatMap((row) => {
        const most = Math.max(...row);
        const whole = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
        return choices.map((choice) => row[choice] - whole);
      }),
    ),
    [`${name}.label`]: Uint16Array.from(tops),
    [`${name}.chance`]: Float32Array.from(tops, (top, i) => chances[i][top]),
  };
}

async function lensNumbers(
  model: Classifier,
  one: ImageDataset,
  { layers, tokens }: AttentionMaps,
  choices: readonly number[],
  engine: LookOptions,
) {
  const sites = layers.map(({ layer }) => `${layer}.out`);
  const [maps] = await lens(model, one, { sites, ...engine });
  const [count, classes] = [layers.length * tokens, model.classes];
  const made = {
    "lens.label": new Uint16Array(count),
    "lens.chance": new Uint8Array(count),
    "lens.choices": new Uint8Array(count * choices.length),
  };
  for (const [s, site] of sites.entries()) {
    const { logits } = maps.sites.find((found) => found.site === site)!;
    for (let token = 0; token < tokens; token++) {
      const chances = softmaxOf(logits.subarray(token * classes, (token + 1) * classes));
      const top = chances.indexOf(Math.max(...chances));
      made["lens.label"][s * tokens + token] = top;
      made["lens.chance"][s * tokens + token] = Math.round(255 * chances[top]);
      for (const [c, choice] of choices.entries())
        made["lens.choices"][(s * choices.length + c) * tokens + token] = Math.round(255 * chances[choice]);
    }
  }
  return made;
}

/** Norms of the patches that every layer is given, [S × P]. */
async function norms(
  model: Classifier,
  one: ImageDataset,
  { layers }: AttentionMaps,
  engine: LookOptions,
): Promise<Float32Array> {
  const { norms } = await tokenNorms(model, one, engine);
  const inputs = new Map(stagesOf(model).map(({ layer, input }) => [layer, input]));
  return Float32Array.from(layers.flatMap(({ layer }) => Array.from(norms.get(inputs.get(layer)!)!)));
}

/** Mean entropy (nats, all queries) and mean distance (patches' sides, patch queries and keys) of every head. */
export function headNumbers({ layers, grid, tokens }: AttentionMaps) {
  const patches = tokens - 1;
  const between = patchDistances(grid, 1);
  const entropy: number[] = [];
  const distance: number[] = [];
  for (const { heads, pattern, entropy: rows } of layers) {
    for (let head = 0; head < heads; head++) {
      const own = rows.subarray(head * tokens, (head + 1) * tokens);
      entropy.push(own.reduce((sum, x) => sum + x / tokens, 0));
      let sum = 0;
      for (let query = 0; query < patches; query++) {
        const row = head * tokens + query + 1;
        let levels = 0;
        for (let key = 0; key < patches; key++)
          levels += pattern.levels[row * tokens + key + 1] * between[query * patches + key];
        sum += (levels * pattern.greatest[row]) / 255 / patches;
      }
      distance.push(sum);
    }
  }
  return { "heads.entropy": Float32Array.from(entropy), "heads.distance": Float32Array.from(distance) };
}

/** The image as gates take it. */
export function gatedImage(
  model: Classifier,
  { sample, ownShape }: LookedSample,
  { positions }: LookOptions,
): GatedImage {
  const { imageSize } = model.encoder.config;
  const { height = imageSize, width = imageSize } = ownShape ? sample : {};
  return { data: sample.image, height, width, context: ownShape ? { positions: positions ?? "mae" } : {} };
}

/** What the model answers without each head. */
async function ablations(
  model: Classifier,
  { sample }: AttentionMaps,
  choices: readonly number[],
  { ownShape, engine: options }: Gathering,
) {
  const { data, height, width, context } = gatedImage(model, { sample, ownShape }, options);
  const { positions: _, graphs: __, ...engine } = options;
  const heads = headsOf(model, "lookInside");
  const images = { data, shape: [1, 3, height, width] };
  const body = ({ images: fed }: Readonly<Record<string, Tensor>>) =>
    logitsWithoutEach(model, fed, heads, context);
  const forward = await openForward("heads", model, { inputs: { images }, body }, engine);
  const work = beginWork({ label: "heads", total: heads.places.length, kept: 0 });
  try {
    const logits = await forward.run({ images });
    work.advance(heads.places.length);
    work.end("done");
    const rows = heads.places.map(({ layer, head }) =>
      logits[layer].slice(head * model.classes, (head + 1) * model.classes),
    );
    return answers("heads", rows, choices);
  } catch (error) {
    work.end("failed");
    throw error;
  } finally {
    await forward.dispose();
  }
}
