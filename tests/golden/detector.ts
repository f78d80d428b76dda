import { Rng } from "../../src/core/rng";
import { type Tensor, tf } from "../../src/core/tf";
import { SimpleFeaturePyramid } from "../../src/models/detector/pyramid";
import { type Execute, type Results, withGradients } from "./execute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { type GoldenTensors, load, stateDict } from "./support";

/** [B, C, H, W] -> [B, H, W, C] and back: golden maps are as torch has them. */
export const channelsLast = (x: Tensor) => tf.transpose(x, [0, 2, 3, 1]);
export const channelsFirst = (x: Tensor) => tf.transpose(x, [0, 3, 1, 2]);

/** The worst tensor by both measures; every one of `expected` must be there. */
export function compareResults(
  name: string,
  actual: Results,
  expected: GoldenTensors,
  bound: { abs: number; relative: number },
): Check[] {
  const worst = { abs: 0, relative: 0 };
  for (const [path, { data }] of expected) {
    const values = actual.get(path) ?? [];
    worst.abs = Math.max(worst.abs, maxAbsError(values, data));
    worst.relative = Math.max(worst.relative, relativeToTensorMax(values, data));
  }
  return [
    { name, error: worst.abs, tolerance: bound.abs },
    { name: `${name}, relative`, error: worst.relative, tolerance: bound.relative },
  ];
}

/** Tolerances of a kind, "values" or "grads", as a case file has them. */
export const boundOf = ({ recommended_tolerance: tolerance }: CaseFile, kind: string) => ({
  abs: tolerance[`${kind}_abs`],
  relative: tolerance[`${kind}_rel_to_tensor_max`],
});

export const renamed = (tensors: GoldenTensors, rename: (name: string) => string): GoldenTensors =>
  new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));

export const filtered = (tensors: GoldenTensors, keep: (name: string) => boolean): GoldenTensors =>
  new Map([...tensors].filter(([name]) => keep(name)));

export const pyramidRunner =
  (execute: Execute): CaseRunner =>
  async (folder, meta) => {
    const { in_channels: inputs, out_channels: outputs, norm_eps: normEps } = meta.config;
    const io = load(folder, "io.safetensors");
    const checks: Check[] = [];
    for (const [i] of meta.config.inputs.entries()) {
      const model = new SimpleFeaturePyramid({ inputs, outputs, normEps }, new Rng(0));
      model.loadStateDict(stateDict(load(folder, "state.safetensors")));
      const levels = ["p2", "p3", "p4", "p5", "p6"];
      const fed = Object.fromEntries(
        ["input", ...levels.map((level) => `upstream_${level}`)].map((name) => [
          name,
          io.get(`${name}_${i + 1}`)!,
        ]),
      );
      const results = await execute({
        name: `pyramid ${i + 1}`,
        model,
        inputs: fed,
        body: (given) => {
          const mids: Record<string, Tensor> = {};
          const tap = (name: string, value: Tensor) => {
            mids[`mid_${name}`] = channelsFirst(value);
          };
          const maps = model.forward(channelsLast(given.input), { tap }).map(channelsFirst);
          const loss = ({ input, ...upstream }: Readonly<Record<string, Tensor>>) =>
            tf.addN(
              model
                .forward(channelsLast(input))
                .map((map, level) =>
                  tf.sum(tf.mul(channelsFirst(map), upstream[`upstream_${levels[level]}`])),
                ),
            );
          const named = Object.fromEntries(maps.map((map, level) => [levels[level], map]));
          return { ...mids, ...named, ...withGradients(model, given, ["input"], loss) };
        },
      });
      const ending = `_${i + 1}`;
      const values = filtered(io, (name) => name.endsWith(ending) && /^(mid|p)/.test(name));
      const gradients = new Map([
        ...renamed(load(folder, `grads${ending}.safetensors`), (name) => `grad.${name}`),
        ["grad.input", io.get(`grad_input${ending}`)!] as const,
      ]);
      checks.push(
        ...compareResults(
          `maps ${i + 1}`,
          results,
          renamed(values, (name) => name.slice(0, -ending.length)),
          boundOf(meta, "values"),
        ),
        ...compareResults(`gradients ${i + 1}`, results, gradients, boundOf(meta, "grads")),
      );
    }
    return checks;
  };
