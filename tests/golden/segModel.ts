import { tf } from "../../src/core/tf";
import type { EngineOptions } from "../../src/engine";
import { create, type Segmenter } from "../../src/models/segmenter";
import { segmentTargets } from "../../src/models/segmentTargets";
import { resizeBilinear } from "../../src/nn/resizeBilinear";
import { openFolder, segmenting } from "../unit/engine/goldenRuns";
import { openComputation } from "./compute";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { checkGroups, trainAndCompare } from "./luvit";
import { absolute, atStep, load, stateDict, tensor, vitConfig } from "./support";

function goldenSegmenter(folder: string, config: Record<string, number>): Segmenter {
  const model = create({ encoder: vitConfig(config), classes: config.num_classes });
  model.loadStateDict(stateDict(load(folder, "state.safetensors")));
  return model;
}

/** The `seg_forward` case: logits and positions of squares and rectangles, on tfjs or through an engine. */
export const runSegForward =
  (engine?: EngineOptions): CaseRunner =>
  async (folder, { config, recommended_tolerance: tolerance }) => {
    const golden = load(folder, "io.safetensors");
    const model = goldenSegmenter(folder, config);
    const { pos_embed, patch_embed } = model.encoder;
    const classPosition = (await pos_embed.read()).data.subarray(0, config.embed_dim);
    const checks: Check[] = [];
    for (const [height, width] of config.sizes_rows_columns as [number, number][]) {
      const of = (name: string) => golden.get(`${height}x${width}.${name}`)!;
      const { shape, data } = of("image");
      const computation = await openComputation(
        model,
        { image: shape },
        ({ image }) => {
          const [rows, columns] = [height, width].map((side) => side - (side % config.patch_size));
          const patches = patch_embed.forward(tf.slice(image, [0, 0, 0, 0], [1, 3, rows, columns]));
          const placed = model.encoder.embedPatches(image, { positions: "dino" });
          return { logits: model.forward(image), positions: tf.sub(placed, patches) };
        },
        engine,
      );
      const { logits, positions } = await computation.run({ image: data });
      await computation.dispose();
      const size = `${height} x ${width}`;
      const error = maxAbsError(logits, of("logits").data);
      checks.push({ name: `logits ${size}`, error, tolerance: tolerance.logits_abs });
      const table = [...classPosition, ...Array.from(positions)];
      const moved = maxAbsError(table, of("pos_embed").data);
      checks.push({ name: `positions ${size}`, error: moved, tolerance: tolerance.pos_embed_abs });
    }
    return checks;
  };

/** The `seg_step` case on tfjs: targets, doubled logits, groups, first gradients, steps. */
export const runSegStep: CaseRunner = async (folder, meta) => {
  const { config, recommended_tolerance: tolerance } = meta;
  const opened = openFolder(folder);
  const { io } = opened;
  const { step, feedsAt } = segmenting(opened);
  const { model, rules } = step;
  const side = 2 * (config.img_size / config.patch_size);
  const maps = atStep(io.get("targets")!, 0);
  const { ids, weights } = segmentTargets(
    { ids: maps.data, height: maps.shape[1], width: maps.shape[2] },
    { rows: side, columns: side, classes: config.num_classes },
  );
  const shrunk = ids.map((id, i) => (weights[i] === 0 ? config.ignore_index : id));
  const small = maxAbsError(shrunk, io.get("step1_small_targets")!.data);
  const logits = model.patchLogits(tensor(atStep(io.get("images")!, 0)));
  const doubled = tf.transpose(resizeBilinear(logits, side, side), [0, 3, 1, 2]);
  return [
    { name: "small targets", error: small, tolerance: 0 },
    absolute("doubled logits", doubled, io.get("step1_large_logits")!, tolerance.logits_abs),
    ...checkGroups(rules, meta),
    ...(await trainAndCompare(folder, meta, model, rules, (at) => step.loss(feedsAt(at)), io)),
  ];
};
