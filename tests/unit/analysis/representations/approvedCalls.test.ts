import { before, test } from "node:test";
import { inspect } from "node:util";
import {
  massMask,
  meanDistance,
  patchDistances,
} from "../../../../src/analysis/representations/attentionDistance";
import { attentionDistances } from "../../../../src/analysis/representations/attentionDistances";
import { cka } from "../../../../src/analysis/representations/cka";
import { median, rowNorms, shareAbove } from "../../../../src/analysis/representations/norms";
import { patchFeatures } from "../../../../src/analysis/representations/patchFeatures";
import { principalComponents } from "../../../../src/analysis/representations/pca";
import { symmetricEigen } from "../../../../src/analysis/representations/symmetricEigen";
import { TokenNorms, tokenNorms } from "../../../../src/analysis/representations/tokenNorms";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { resultTable } from "../../../../src/io/tables/resultTable";
import { Calls } from "../../../support/calls";
import { tinyClassifier } from "../support";

before(async () => void (await startBackend()));

const drawn = (count: number, seed: number) => {
  const rng = new Rng(seed);
  return Float64Array.from({ length: count }, () => rng.normal());
};

test("distances, norms, components and likenesses by hand are approved", async () => {
  const calls = new Calls();
  await calls.of(patchDistances, { rows: 2, columns: 3 }, 16);
  await calls.of(patchDistances, { rows: 3, columns: 1 }, 4);
  const pattern = () =>
    tf.tensor(
      Float32Array.from({ length: 2 * 2 * 5 * 5 }, (_, i) => ((i * 7) % 11) / 20),
      [2, 2, 5, 5],
    );
  const distances = () => tf.tensor(patchDistances({ rows: 2, columns: 2 }, 8), [4, 4]);
  for (const [rescale, first] of [
    [undefined, undefined],
    [true, 1],
    [false, 0],
    [true, 0],
  ] as const)
    await calls.does(`meanDistance ${rescale} ${first}`, () =>
      tf.tidy(() => meanDistance(pattern(), distances(), rescale, first)),
    );
  for (const [weights, mass] of [
    [[0.1, 0.4, 0.2, 0.3], 0.6],
    [[0.1, 0.4, 0.2, 0.3], 0],
    [[0.1, 0.4, 0.2, 0.3], 1],
    [[5, 5, 5, 5], 0.5],
    [[5, 5, 5, 5], 0.51],
    [[1], 0.3],
    [[], 0.5],
    [Float32Array.of(3, 0, 1), 0.9],
  ] as const)
    await calls.of(massMask, weights, mass);
  for (const [weights, mass] of [
    [[1, -1], 0.5],
    [[1, Number.NaN], 0.5],
    ["12", 0.5],
    [3, 0.5],
    [[1], 1.1],
    [[1], -0.1],
    [[1], Number.NaN],
    [[1], "x"],
  ])
    await calls.of(massMask, weights, mass);
  await calls.of(rowNorms, [3, 4, 0, 0, 1, 2, 2, 0], 4);
  await calls.of(rowNorms, [], 4);
  for (const values of [[3, 1, 2], [10, 9, 100, 2], [5], [-1, -20], [2, 10, 1]])
    await calls.of(median, values);
  for (const [values, times] of [
    [[1, 2, 3, 9], 3],
    [[1, 1, 4], 3],
    [[1, 1, 3], 3],
    [[2, 2], 0],
  ] as const)
    await calls.of(shareAbove, values, times);
  calls.title("likenesses");
  const [a, b, c] = [drawn(18, 1), drawn(24, 2), drawn(18, 1).map((x, i) => 3 * x + 100 * (i % 3))];
  const given = [
    { values: a, dim: 3 },
    { values: b, dim: 4 },
    { values: c, dim: 3 },
  ];
  for (const debiased of [undefined, false, true])
    await calls.does(`cka ${debiased}`, () => cka(given, { debiased }));
  await calls.does("cka of one", () => cka([given[0]]));
  await calls.does("cka of rows of Float32Array", () =>
    cka([{ values: Float32Array.from(a), dim: 3 }, given[1]]),
  );
  for (const count of [1, 2, 3, 4])
    for (const debiased of [false, true])
      await calls.does(`cka of ${count}, ${debiased}`, () =>
        cka(
          [
            { values: drawn(2 * count, 5), dim: 2 },
            { values: drawn(3 * count, 6), dim: 3 },
          ],
          { debiased },
        ),
      );
  await calls.does("cka of other counts", () => cka([given[0], { values: b, dim: 3 }]));
  await calls.does("cka of no whole rows", () =>
    cka([
      { values: a, dim: 4 },
      { values: a, dim: 4 },
    ]),
  );
  await calls.does("cka of NaN", () =>
    cka([
      given[0],
      { values: a.map((x, i) => (i === 4 ? Number.NaN : x)), dim: 3 },
      { values: a.map(() => Number.POSITIVE_INFINITY), dim: 3 },
    ]),
  );
  for (const wrong of [[], 3, [3], [{ values: a }]])
    await calls.does(`cka of ${JSON.stringify(wrong).slice(0, 20)}`, () => cka(wrong as never));
  await calls.does("cka of another option", () => cka(given, { biased: true } as never));
  calls.title("components");
  const values = Float64Array.from(
    { length: 12 * 4 },
    (_, i) => [5, 1, 0.2, 0.01][i % 4] * drawn(48, 3)[i] + (i % 4),
  );
  for (const count of [1, 3, 4])
    await calls.does(`principalComponents ${count}`, () => principalComponents(values, 4, count));
  await calls.does("principalComponents, default", () => principalComponents(values, 4).variance.length);
  await calls.does("principalComponents of the same rows", () =>
    principalComponents([1, 2, 1, 2, 1, 2], 2, 2),
  );
  await calls.does("principalComponents of two rows", () => principalComponents([1, 2, 3, 0], 2, 1));
  await calls.does("principalComponents of many channels", () =>
    (({ variance, share, components }) => [variance, share, components.subarray(0, 5)])(
      principalComponents(drawn(20 * 40, 4), 40, 2),
    ),
  );
  for (const [dim, count] of [
    [4, 5],
    [5, 1],
    [48, 1],
    [0, 1],
    [4, 0],
    [4, 1001],
    [1.5, 1],
  ])
    await calls.does(`principalComponents ${dim}, ${count}`, () => principalComponents(values, dim, count));
  await calls.does("principalComponents of NaN", () => principalComponents([1, Number.NaN, 2, 3], 2, 1));
  await calls.does("principalComponents of a text", () => principalComponents("1234" as never, 2, 1));
  for (const [matrix, n, count] of [
    [[2, 1, 1, 2], 2, 2],
    [[0, 0, 0, 0], 2, 2],
    [[4, 0, 0, 0, 9, 0, 0, 0, 1], 3, 2],
    [[3], 1, 1],
  ] as const)
    await calls.does(`symmetricEigen ${matrix}`, () => {
      const { values, vectors } = symmetricEigen(Float64Array.from(matrix), n, count);
      return [values, vectors.map((x) => Math.round(1e4 * Math.abs(x)) / 1e4)];
    });
  const n = 40;
  const [factor, square] = [drawn(n * n, 8), new Float64Array(n * n)];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let k = 0; k < n; k++) square[i * n + j] += factor[i * n + k] * factor[j * n + k];
  await calls.does("symmetricEigen of 40 x 40", () => symmetricEigen(square, n, 3).values);
  calls.approve("analysis/representations/byHand");
});

test("what analyses of tokens refuse, and their table in words, are approved", async () => {
  const calls = new Calls();
  const image = { data: new Uint8Array(3 * 256), width: 16, height: 16 };
  const model = tinyClassifier(1);
  const names = { attentionDistances, patchFeatures, tokenNorms } as Record<
    string,
    (model: unknown, images: unknown, options?: unknown) => Promise<unknown>
  >;
  for (const [name, look] of Object.entries(names)) {
    await calls.does(`${name} of no model`, () => look({}, [image]));
    for (const images of [[], 3, {}])
      await calls.does(`${name} of ${JSON.stringify(images)}`, () => look(model, images));
    for (const options of [
      { batchSize: 0 },
      { batchSize: 1.5 },
      { layers: [1] },
      { layer: 3 },
      { above: [] },
      { above: [-1] },
      { above: 3 },
    ])
      await calls.does(
        `${name} ${JSON.stringify(options)}`,
        async () => Object.keys((await look(model, [image], options)) as object).length > 0,
      );
  }
  const features = await patchFeatures(model, [image, image, image], { batchSize: 2 });
  calls.note("patchFeatures", [
    features.values.length,
    features.dim,
    features.layer,
    features.grid,
    features.size,
    features.samples.map(({ index, path }) => [index, path]),
  ]);
  calls.note(
    "patchFeatures of a layer",
    await patchFeatures(model, image, { layer: "blocks.0.out" }).then(({ values, dim, layer }) => [
      values.length,
      dim,
      layer,
    ]),
  );
  await calls.does("patchFeatures of no such layer", () =>
    patchFeatures(model, image, { layer: "blocks.9.out" }).catch((error) => [
      error.code,
      error.message.slice(0, 60),
    ]),
  );
  const table = await attentionDistances(model, [image, image, image], { batchSize: 2 });
  calls.note(
    "attentionDistances",
    table
      .toArray()
      .map(({ layer, head, images, distance, rescaled }) => [
        layer,
        head,
        images,
        distance > 0 && distance < 32,
        rescaled >= distance,
      ]),
  );
  const norms = await tokenNorms(model, [image, image, image], { above: [0, 1.5], batchSize: 2 });
  calls.note("tokenNorms", [
    norms.table
      .toArray()
      .map((row) => [
        row.place,
        row.layer,
        row.above,
        row.images,
        row.median > 0,
        row.largest >= row.median,
        row.above === 0 ? row.share : "",
        row.drawn === null,
        row.classToken === null,
      ]),
    [...norms.norms].map(([place, values]) => [place, values.length]),
  ]);
  const rng = new Rng(5);
  const images = [0, 1, 2].map(() => ({
    ...image,
    data: Uint8Array.from({ length: 768 }, () => rng.integer(256)),
  }));
  const near = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    a.length === b.length && Array.from(a).every((x, k) => Math.abs(x - b[k]) < 1e-4);
  const together = await patchFeatures(model, images, { batchSize: 2 });
  const alone = await Promise.all(images.map((one) => patchFeatures(model, one)));
  calls.note(
    "features together are those of each alone",
    near(
      together.values,
      alone.flatMap(({ values }) => [...values]),
    ),
  );
  const columns = (table: { toArray(): { distance: number; rescaled: number }[] }) =>
    table.toArray().flatMap(({ distance, rescaled }) => [distance, rescaled]);
  const each = await Promise.all(images.map(async (one) => columns(await attentionDistances(model, one))));
  calls.note(
    "distances together are the mean of each",
    near(
      columns(await attentionDistances(model, images, { batchSize: 2 })),
      each[0].map((_, k) => (each[0][k] + each[1][k] + each[2][k]) / 3),
    ),
  );
  const rows = (await tokenNorms(model, images, { above: [0, 1e6, 1.1], batchSize: 2 })).table.toArray();
  calls.note(
    "all patches and the class token draw all attention",
    rows
      .filter(({ above, layer }) => above === 0 && layer)
      .map(({ drawn, classToken }) => Math.abs(drawn + classToken - 1) < 1e-5),
  );
  calls.note(
    "no patch is that far out",
    rows.filter(({ above, layer }) => above === 1e6 && layer).map(({ drawn, share }) => [drawn, share]),
  );
  const single = await Promise.all(
    images.map(async (one) => (await tokenNorms(model, one, { above: [1.1] })).table.toArray()),
  );
  for (const name of ["median", "largest", "share", "drawn", "classToken"]) {
    const mean = single[0].map((_, k) => single.reduce((sum, table) => sum + (table[k][name] ?? 0), 0) / 3);
    calls.note(
      `${name} is the mean of each`,
      near(
        rows.filter(({ above }) => above === 1.1).map((row) => row[name] ?? 0),
        mean,
      ),
    );
  }
  const own = new TokenNorms(
    resultTable(
      {
        place: ["a", "b"],
        above: [3, 2.5],
        median: [1.23456, null],
        largest: [1e6 / 7, 2],
        share: [0, 0.25],
        drawn: [null, 1],
        classToken: [null, null],
      },
      {},
    ) as never,
    new Map(),
  );
  for (const line of String(own).split("\n")) calls.note("text", line);
  calls.note("inspected", inspect(own) === String(own));
  calls.approve("analysis/representations/tokens");
});
