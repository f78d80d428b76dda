import { massMask, meanDistance, patchDistances } from "../../src/analysis/representations/attentionDistance";
import { cka } from "../../src/analysis/representations/cka";
import { median, rowNorms, shareAbove } from "../../src/analysis/representations/norms";
import { principalComponents } from "../../src/analysis/representations/pca";
import { Rng } from "../../src/core/rng";
import { tf } from "../../src/core/tf";
import type { EngineOptions } from "../../src/engine";
import { Linear } from "../../src/nn/layers";
import { openComputation } from "./compute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { atStep, type GoldenTensors, load } from "./support";

/** Principal components, CKA, attention distances, masks by mass, token norms. */
export const runFeatures =
  (engine?: EngineOptions): CaseRunner =>
  async (folder, meta) => {
    const files = ["pca", "cka", "distance", "norms"];
    const golden: GoldenTensors = new Map(files.flatMap((file) => [...load(folder, `${file}.safetensors`)]));
    const found = new Map<string, ArrayLike<number>>([
      ...components(golden),
      ...alignment(golden),
      ...(await distances(golden, meta, engine)),
      ...norms(golden),
    ]);
    const bounds: [RegExp, string][] = [
      [/^pca.*colours/, "colours_abs"],
      [/^pca/, "pca_abs"],
      [/debiased/, "cka_debiased_abs"],
      [/^cka/, "cka_abs"],
      [/^distance/, "distance_abs"],
      [/^norms/, "norms_abs"],
    ];
    const checks = [...found].map(([name, values]): Check => {
      const bound = bounds.find(([pattern]) => pattern.test(name))?.[1];
      const tolerance = bound ? meta.recommended_tolerance[bound] : 0;
      return { name, error: maxAbsError(values, golden.get(name)!.data), tolerance };
    });
    checks.push(...shares(golden, meta));
    const given = [...golden.keys()].filter((name) =>
      /^(pca\.tokens|cka\.[xy]\d|distance\.pattern|norms\.tokens)$/.test(name),
    );
    const missing = [...golden.keys()].filter((name) => !given.includes(name) && !found.has(name));
    return [...checks, { name: `not compared: ${missing}`, error: missing.length, tolerance: 0 }];
  };

function components(golden: GoldenTensors): [string, ArrayLike<number>][] {
  const tokens = golden.get("pca.tokens")!;
  const [images, , channels] = tokens.shape;
  const fits: [string, ArrayLike<number>][] = [["all", tokens.data]];
  for (let i = 0; i < images; i++) fits.push([`image${i}`, atStep(tokens, i).data]);
  return fits.flatMap(([name, values]) => {
    const [count] = golden.get(`pca.${name}.components`)!.shape;
    const found = principalComponents(values, channels, count);
    return [
      [`pca.${name}.mean`, found.mean],
      [`pca.${name}.components`, found.components],
      [`pca.${name}.explained_variance`, found.variance],
      [`pca.${name}.explained_variance_ratio`, found.share],
      [`pca.${name}.projections`, found.projections],
      [`pca.${name}.colours`, found.colors],
    ] as [string, ArrayLike<number>][];
  });
}

function alignment(golden: GoldenTensors): [string, ArrayLike<number>][] {
  const names = [...golden.keys()].filter((name) => /^cka\.[xy]\d+$/.test(name)).sort();
  const all = names.map((name) => ({ values: golden.get(name)!.data, dim: golden.get(name)!.shape[1] }));
  return [
    ["cka.linear", cka(all)],
    ["cka.linear_debiased", cka(all, { debiased: true })],
  ];
}

async function distances(
  golden: GoldenTensors,
  { config }: CaseFile,
  engine?: EngineOptions,
): Promise<[string, ArrayLike<number>][]> {
  const pattern = golden.get("distance.pattern")!;
  const [images, heads, tokens] = pattern.shape;
  const grid = { rows: config.grid, columns: config.grid };
  const between = patchDistances(grid, config.patch_size);
  const { run, dispose } = await openComputation(
    new Linear(1, 1, new Rng(0)),
    { pattern: pattern.shape },
    ({ pattern }) => {
      const pixels = tf.tensor(between, [tokens - 1, tokens - 1]);
      const official = meanDistance(pattern, pixels);
      return {
        official,
        renormalised: meanDistance(pattern, pixels, true),
        official_mean: tf.mean(official, 0),
      };
    },
    engine,
  );
  const found = await run({ pattern: pattern.data });
  await dispose();
  const rows = Array.from({ length: images * heads }, (_, i) =>
    pattern.data.slice(i * tokens * tokens + 1, i * tokens * tokens + tokens),
  );
  const masks = rows.flatMap((row) => Array.from(massMask(Float32Array.from(row), config.mass)));
  return [
    ["distance.pixels_between", between],
    ...Object.entries(found).map(([name, values]): [string, ArrayLike<number>] => [
      `distance.${name}`,
      values,
    ]),
    ["dino.mask", masks],
  ];
}

function norms(golden: GoldenTensors): [string, ArrayLike<number>][] {
  const tokens = golden.get("norms.tokens")!;
  const each = Array.from({ length: tokens.shape[0] }, (_, i) =>
    rowNorms(atStep(tokens, i).data, tokens.shape[2]),
  );
  return [
    ["norms.values", each.flatMap((values) => Array.from(values))],
    ["norms.median", each.map(median)],
  ];
}

function shares(golden: GoldenTensors, { results, recommended_tolerance: tolerance }: CaseFile): Check[] {
  const tokens = golden.get("norms.tokens")!;
  return Object.entries(results.outlier_share_above_k_medians as Record<string, number[]>).map(
    ([times, expected]) => ({
      name: `share above ${times} medians`,
      error: maxAbsError(
        expected.map((_, i) => shareAbove(rowNorms(atStep(tokens, i).data, tokens.shape[2]), Number(times))),
        expected,
      ),
      tolerance: tolerance.outlier_share_abs,
    }),
  );
}
