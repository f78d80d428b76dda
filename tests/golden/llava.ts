import { type Tensor, tf } from "../../src/core/tf";
import { Encoder } from "../../src/models/encoder";
import { LlamaLanguageModel } from "../../src/models/languageModel";
import { llavaKey } from "../../src/models/llavit/keys";
import { Llavit } from "../../src/models/llavit/llavit";
import { answerTargets } from "../../src/models/llavit/targets";
import { towerFeatures } from "../../src/models/llavit/tower";
import type { StepSpec } from "../unit/graph/support";
import { type Evaluate, type Steps, WithInput } from "./gradients";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { languageConfig, rowsOf } from "./masks";
import { compareAll, type GoldenTensors, load, stateDict, tensor, vitConfig } from "./support";

const towerOf = (config: Record<string, number>) =>
  new Encoder({ vit: vitConfig(config), finalNorm: false, positions: "learned", init: "timm", seed: 0 });

/** Final norm and head of a tower, which features do not pass. */
const unused = ["norm.", "fc_norm.", "head."];

export const runTowerFeatures =
  (evaluate: Evaluate): CaseRunner =>
  async (folder, { config, recommended_tolerance: tolerance }) => {
    const io = load(folder, "io.safetensors");
    const tower = towerOf(config);
    tower.loadStateDict(stateDict(load(folder, "state.safetensors")), { allowUnexpected: unused });
    tower.freeze();
    const model = new WithInput(tower, { shape: [1], data: [0] });
    const wanted = Object.entries<number[]>(config.layers_counted_from_1);
    const { results } = await evaluate({
      model,
      inputs: { images: tensor(io.get("images")!) },
      body: ({ images }) => ({
        ...Object.fromEntries(
          wanted.map(([name, layers]) => [name, towerFeatures(tower, images, layers, {})]),
        ),
        loss: tf.sum(tf.square(model.input.value)),
      }),
    });
    return wanted.map(([name]) => ({
      name,
      error: maxAbsError(results[name], io.get(name)!.data),
      tolerance: tolerance.features_abs,
    }));
  };

/** Layers counted from 1; an integer counts like a Python index into the input and the output of every block. */
const layersOf = (given: number | number[], depth: number) =>
  [given].flat().map((layer) => (layer < 0 ? depth + 1 + layer : layer));

export const runLlavaMultilayer =
  (evaluate: Evaluate, steps: Steps): CaseRunner =>
  async (folder, { config, recommended_tolerance: tolerance }) => {
    const io = load(folder, "io.safetensors");
    const checks: Check[] = [];
    for (const [name, given] of Object.entries<number | number[]>(config.vision_feature_layer)) {
      const model = llavaOf(config, layersOf(given, config.tower.depth));
      model.loadStateDict(
        new Map([
          ...stateDict(load(folder, "tower.safetensors"), (key) => `vision_tower.${key}`),
          ...stateDict(load(folder, `state_${name}.safetensors`), (key) => llavaKey(key)!),
        ]),
        { allowUnexpected: unused.map((key) => `vision_tower.${key}`) },
      );
      const { inputs, start, isReal } = inputsOf(io, config);
      const loss: StepSpec["loss"] = (fed) => model.loss(fed as never, start);
      const { results, gradients } = await evaluate({
        model,
        inputs,
        body: (fed) => {
          const { images, ids } = fed as Record<"images" | "ids", Tensor>;
          const embeddings = model.splice(model.see(images), ids, start);
          return { embeddings, logits: model.forward({ images, ids }, start), loss: loss(fed) };
        },
      });
      const golden = (what: string) => io.get(`${name}.${what}`)!.data;
      const real = (what: ArrayLike<number>) => whereReal(what, isReal);
      const named = (file: string): GoldenTensors =>
        new Map([...load(folder, file)].map(([key, x]) => [llavaKey(key)!, x]));
      const bounds = { abs: tolerance.grads_abs, relative: tolerance.grads_rel_to_tensor_max };
      const add = (what: string, error: number, bound: number) =>
        checks.push({ name: `${name} ${what}`, error, tolerance: bound });
      add("embeddings", maxAbsError(results.embeddings, golden("embeddings")), tolerance.embeddings_abs);
      add("logits", maxAbsError(real(results.logits), real(golden("logits"))), tolerance.logits_abs);
      checks.push(...compareAll(`${name} gradients`, gradients, named(`grads_${name}.safetensors`), bounds));
      const losses = golden("losses");
      const trained = await steps({
        model,
        betas: config.betas,
        eps: config.eps,
        weightDecay: config.weight_decay,
        rates: config.lrs.slice(0, losses.length),
        inputs,
        loss,
      });
      add("losses", maxAbsError(trained.losses, losses), tolerance.loss_abs);
      if (losses.length < config.lrs.length) continue;
      const after = compareAll(
        `${name} parameters`,
        trained.parameters,
        named(`params_after_${name}.safetensors`),
        {
          abs: tolerance.params_abs,
        },
      );
      checks.push(...after);
    }
    return checks;
  };

function llavaOf(config: Record<string, Record<string, number>>, layers: readonly number[]): Llavit {
  const { layers: depth, vocab: vocabulary } = config.language;
  const language = new LlamaLanguageModel({ ...languageConfig(config.language), depth, vocabulary });
  return new Llavit({ tower: towerOf(config.tower), language, layers, visionMask: "causal" });
}

function inputsOf(io: GoldenTensors, config: Record<string, number>) {
  const ids = io.get("input_ids")!;
  const begins = rowsOf(ids).map((row) => row.indexOf(config.image_token_id));
  const starts = begins.map((at) => (at < 0 ? undefined : at));
  const start = starts.every((at) => at === starts[0]) ? (starts[0] ?? starts) : starts;
  const vocabulary = (config.language as unknown as Record<string, number>).vocab;
  const { rows, targets } = answerTargets(rowsOf(io.get("labels")!), vocabulary);
  return {
    start,
    isReal: io.get("attention_mask")!.data,
    inputs: {
      images: tensor(io.get("images")!),
      ids: tensor(ids),
      rows: tf.tensor(rows, [rows.length], "int32"),
      targets: tf.tensor(targets, [rows.length, vocabulary]),
    },
  };
}

/** Rows of what a batch gave at tokens that are not there to fill up. */
function whereReal(values: ArrayLike<number>, isReal: ArrayLike<number>): number[] {
  const width = values.length / isReal.length;
  return Array.from(values).filter((_, i) => isReal[Math.floor(i / width)] === 1);
}
