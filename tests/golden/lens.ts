import { lensOf } from "../../src/analysis/lens/lens";
import { type Tensor, tf } from "../../src/core/tf";
import type { EngineOptions } from "../../src/engine";
import { goldenClassifiers } from "./classifiers";
import { openComputation } from "./compute";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { load } from "./support";

/** The head on every token of every place, on tfjs or through an engine. */
export const runLens =
  (engine?: EngineOptions): CaseRunner =>
  async (folder, meta) => {
    const golden = load(folder, "io.safetensors");
    const images = golden.get("images")!;
    const checks: Check[] = [];
    for (const [kind, model] of goldenClassifiers(folder, meta.config)) {
      const { run, dispose } = await openComputation(
        model,
        { images: images.shape },
        ({ images }) => {
          const found = lensOf(model, images);
          const part = (names: readonly string[]) =>
            tf.stack(
              names.map((name) => found.get(name)!.logits),
              1,
            );
          const inside = [...found.keys()].filter((name) => /^(fusion\.mapper1|llama)/.test(name));
          const outside = [...found.keys()].filter((name) => !inside.includes(name));
          const all = part(outside);
          return {
            logits: model.forward(images),
            lens: patchesOf(all),
            lens_class_token: tf.slice(all, [0, 0, 0, 0], [all.shape[0], outside.length, 1, model.classes]),
            lens_pooled: tf.stack(
              outside.map((name) => found.get(name)!.pooled),
              1,
            ),
            ...(inside.length > 0 && { lens_inside: patchesOf(part(inside)) }),
          };
        },
        engine,
      );
      const found: Record<string, ArrayLike<number>> = await run({ images: images.data });
      await dispose();
      found.lens_argmax = argmax(found.lens, model.classes);
      for (const [name, values] of Object.entries(found)) {
        const expected = golden.get(`${kind}.${name}`);
        if (!expected) continue;
        const tolerance = name === "lens_argmax" ? 0 : meta.recommended_tolerance.logits_abs;
        checks.push({ name: `${kind}.${name}`, error: maxAbsError(values, expected.data), tolerance });
      }
    }
    const compared = checks.map(({ name }) => name);
    const missing = [...golden.keys()].filter((name) => name !== "images" && !compared.includes(name));
    return [...checks, { name: `not compared: ${missing}`, error: missing.length, tolerance: 0 }];
  };

/** [B, S, T, K] without the class token. */
function patchesOf(x: Tensor): Tensor {
  const [batch, sites, tokens, classes] = x.shape as [number, number, number, number];
  return tf.slice(x, [0, 0, 1, 0], [batch, sites, tokens - 1, classes]);
}

function argmax(values: ArrayLike<number>, width: number): Int32Array {
  const rows = Array.from(values);
  return Int32Array.from({ length: rows.length / width }, (_, row) => {
    const own = rows.slice(row * width, (row + 1) * width);
    return own.indexOf(Math.max(...own));
  });
}
