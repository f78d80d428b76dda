import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, test } from "node:test";
import type { Table } from "apache-arrow";
import { forwardBatches } from "../../../src/analysis/forwardBatches";
import { expectSameWork, gatherRows, type RowWork } from "../../../src/analysis/gatherRows";
import { releaseKept, takeForward } from "../../../src/analysis/keptForward";
import { rowsOf } from "../../../src/analysis/provenance";
import { squareSamples } from "../../../src/analysis/squareSamples";
import { showWorkWith } from "../../../src/core/progress";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { readTable } from "../../../src/io/tables";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";
import { perturb } from "../models/support";
import { inMemory, smallClassifier, smallViT } from "./imagesInMemory";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const lines = (table: Table) => rowsOf(table).map(({ commit: _, ...row }) => row);
/** What is shown of work, and what happens at an advance. */
function watched(at: (done: number) => void = () => {}): unknown[] {
  const log: unknown[] = [];
  showWorkWith((work) => {
    log.push(work);
    const advance = (done: number) => {
      log.push(done);
      at(done);
    };
    return { advance, end: (state) => void log.push(state) };
  });
  return log;
}

test("batches of images, and what is read for them, are approved", async () => {
  const calls = new Calls();
  const model = smallClassifier();
  const body = (images: Tensor) => ({
    sum: tf.sum(images, [1, 2, 3]),
    first: tf.slice(tf.reshape(images, [images.shape[0], -1]), [0, 0], [images.shape[0], 2]),
  });
  const batches = async (
    set: ReturnType<typeof inMemory>,
    options: object = {},
    made: object = body,
    of = model,
  ) => {
    const all: unknown[] = [];
    for await (const { samples, variants, ...batch } of forwardBatches(of, set, made as never, {
      batchSize: 2,
      ...eager,
      ...options,
    }))
      all.push({ samples: samples.map(({ path }) => path), ...batch, variants: variants.length });
    return all;
  };
  for (const batchSize of [1, 2, 5, 16])
    await calls.does(`batches of ${batchSize}`, () => batches(inMemory(), { batchSize }));
  for (const ranges of [
    [],
    [{ start: 1, end: 4 }],
    [
      { start: 0, end: 1 },
      { start: 3, end: 5 },
    ],
  ]) {
    await calls.does(`ranges ${JSON.stringify(ranges)}`, () => batches(inMemory(), { ranges }));
    await calls.does(`whole, ranges ${JSON.stringify(ranges)}`, () =>
      batches(
        inMemory({
          shapes: [
            [8, 16],
            [4, 12],
          ],
        }),
        { ranges },
      ),
    );
  }
  for (const broken of [[0], [1, 2], [4], [0, 1, 2, 3, 4]]) {
    await calls.does(`without ${broken}`, () => batches(inMemory({ broken })));
    await calls.does(`whole, without ${broken}`, () =>
      batches(
        inMemory({
          broken,
          shapes: [
            [8, 16],
            [4, 12],
          ],
        }),
      ),
    );
  }
  const seven = {
    count: 9,
    shapes: [
      [8, 16],
      [8, 16],
      [4, 12],
    ] as const,
  };
  for (const options of [{ graphs: 1 }, { positions: "dino" }, { batchSize: 3 }, { batchSize: 1 }])
    await calls.does(`whole, ${JSON.stringify(options)}`, () => batches(inMemory(seven), options));
  for (const shape of [
    [8, 6],
    [6, 8],
    [0, 8],
    [4, 4],
    [2, 2],
  ] as const)
    await calls.does(`whole of ${shape}`, () => batches(inMemory({ shapes: [shape] })));
  const broken = (set: ReturnType<typeof inMemory>, value: number) => ({
    ...set,
    load: async (...given: Parameters<typeof set.load>) => {
      const sample = await set.load(...given);
      if (given[0] === 3) sample.image[5] = value;
      return sample;
    },
  });
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    await calls.does(`with ${value}`, () => batches(broken(inMemory(), value)));
    await calls.does(`whole, with ${value}`, () => batches(broken(inMemory({ shapes: [[8, 8]] }), value)));
  }
  await calls.does("masks of other cells", () => batches(inMemory({ masks: 6 })));
  await calls.does("whole, masks of other cells", () => batches(inMemory({ masks: 2, shapes: [[8, 16]] })));
  await calls.does("masks that fit", () => batches(inMemory({ masks: 4 })));
  await calls.does("another size", () => batches(inMemory({ size: 16 })));
  await calls.does("no images", () => batches(inMemory({ count: 0 })));
  await calls.does("no images, no ranges", () => batches(inMemory({ count: 0 }), { ranges: [] }));
  const registers = smallClassifier({ encoder: { ...smallViT, registers: 2 } });
  await calls.does("registers", () => batches(inMemory(), {}, body, registers));
  await calls.does("registers that are known", () =>
    batches(inMemory({ count: 1 }), { anyTokens: true }, body, registers),
  );
  await calls.does("fed beside, in variants", () =>
    batches(
      inMemory({ count: 3 }),
      {
        beside: { width: 2, of: ({ index }: { index: number }) => [index, 7] },
        variants: { shape: [1, 2], feeds: [Float32Array.of(1, 2), Float32Array.of(10, 20)] },
      },
      (_: Tensor, { beside, variant, grid }: Record<string, Tensor>) => ({
        product: tf.mul(beside, variant),
        grid: tf.tensor([
          [(grid as never as { rows: number }).rows, 0],
          [0, 0],
        ]),
      }),
    ),
  );
  await calls.does("whole, fed beside", () =>
    batches(
      inMemory({ count: 3, shapes: [[8, 4]] }),
      { beside: { width: 1, of: ({ index }: { index: number }) => [index + 0.5] } },
      (_: Tensor, { beside, context, grid }: Record<string, Tensor>) => ({
        half: beside,
        what: tf.tensor([
          [
            (grid as never as { columns: number }).columns,
            (context as never as { positions: string }).positions.length,
          ],
        ]),
      }),
    ),
  );
  await calls.does("a body that fails", () =>
    batches(inMemory(), {}, () => {
      throw new Error("no layer");
    }),
  );
  const log: unknown[] = [];
  await calls.once("what is read", async () => {
    for await (const { images: _, ...batch } of squareSamples(
      inMemory({ log, broken: [2] }),
      model.encoder.config,
      2,
      [
        { start: 0, end: 3 },
        { start: 4, end: 5 },
      ],
    ))
      log.push({ ...batch, samples: batch.samples.map(({ path }) => path) });
  });
  calls.note("log", log);
  await calls.does("black ones behind", async () => {
    const all: unknown[] = [];
    for await (const { images } of squareSamples(inMemory({ broken: [0] }), model.encoder.config, 2, [
      { start: 0, end: 2 },
    ]))
      all.push(
        [0, 432, 864].map((at) => images[at]),
        images.slice(430, 436),
      );
    return all;
  });
  calls.approve("analysis/batches");
});

test("a graph stays open for the next call with the same weights", async () => {
  const calls = new Calls();
  const [model, other, log] = [smallClassifier(), smallClassifier({ seed: 2 }), [] as string[]];
  let opened = 0;
  const open = async () => {
    const own = `${++opened}`;
    log.push(`open ${own}`);
    return {
      engine: own,
      isGraph: true,
      run: async () => ({}),
      dispose: async () => void log.push(`close ${own}`),
    };
  };
  const step = async (name: string, body: () => unknown) => {
    await calls.once(name, body);
    calls.note("  log", log.splice(0));
  };
  const taken: Awaited<ReturnType<typeof takeForward>>[] = [];
  const take = async (of: typeof model, key: string) => {
    taken.push(await takeForward(of, key, open));
    return taken.at(-1)!.forward.engine;
  };
  await step("release nothing", () => releaseKept());
  await step("take", () => take(model, "a"));
  await step("take while it is out", () => take(model, "a"));
  await step("give back", () => taken[0].giveBack());
  await step("give the other back", () => taken[1].giveBack());
  await step("take again", () => take(model, "a"));
  await step("give back", () => taken[2].giveBack());
  await step("of another key", () => take(model, "b"));
  await step("give back", () => taken[3].giveBack());
  await step("of another model", () => take(other, "b"));
  await step("give back", () => taken[4].giveBack());
  perturb(other, (path) => path === "head.bias");
  await step("after a change of weights", () => take(other, "b"));
  await step("give back", () => taken[5].giveBack());
  await step("fails to open", () => takeForward(model, "c", () => Promise.reject(new Error("no memory"))));
  await step("take", () => take(model, "c"));
  await step("give back", () => taken[6].giveBack());
  await step("release", () => releaseKept());
  await step("release twice", () => releaseKept());
  calls.approve("analysis/keptForward");
});

test("rows that are gathered, kept, stopped and gone on with are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const model = smallClassifier();
  type Row = { index: number; image: string; value: number | null };
  const work = (given: object = {}, set = inMemory({ count: 11, broken: [3] })): RowWork<Row> => ({
    model,
    dataset: set,
    label: "rows",
    body: (images) => ({
      first: tf.slice(tf.reshape(images, [images.shape[0], -1]), [0, 1], [images.shape[0], 1]),
    }),
    rows: ({ samples, results }) =>
      samples.map(({ index, path }, i) => ({
        index,
        image: path,
        value: index === 6 ? null : results.first[i],
      })),
    facts: { layer: "blocks.0" },
    forward: { batchSize: 2, ...eager },
    ...given,
  });
  const gathered = async (given?: object, set?: ReturnType<typeof inMemory>) => {
    const found = await gatherRows(work(given, set));
    return { ...found, rows: found.rows.map(({ index, value }) => `${index}: ${value?.toFixed(3)}`) };
  };
  const step = async (
    name: string,
    given?: object,
    set?: ReturnType<typeof inMemory>,
    at?: (done: number) => void,
  ) => {
    const log = watched(at);
    await calls.once(name, () =>
      gathered(given, set).catch((error) => {
        throw Object.assign(error, { message: error.message.replace(/[0-9a-f]{64}/g, "digest") });
      }),
    );
    calls.note("  shown", log);
    const out = (given as { out?: string })?.out;
    if (out) calls.note("  kept", readdirSync(join(out, "rows"), { recursive: true }).map(String).sort());
  };
  await step("all");
  await step("with the set's name", { data: "mine" });
  for (const shard of [
    { index: 1, count: 1 },
    { index: 1, count: 3 },
    { index: 2, count: 3 },
    { index: 3, count: 3 },
    { index: 5, count: 20 },
  ])
    await step(`shard ${JSON.stringify(shard)}`, { shard });
  const out = join(folder, "a");
  const stop = new AbortController();
  await step("stopped after six", { out, keepEvery: 4, signal: stop.signal }, undefined, (done) => {
    if (done === 6) stop.abort();
  });
  calls.note(
    "facts",
    JSON.parse(readFileSync(join(out, "rows", "facts.json"), "utf8").replace(/[0-9a-f]{64}/, "digest")),
  );
  await step("aborted before", { out, signal: AbortSignal.abort() });
  await step("gone on with", { out, keepEvery: 3 });
  await step("nothing left but the broken one", { out });
  await step("other facts", { out, facts: { layer: "blocks.1", more: 2 } });
  await step("another name", { out, data: "mine" });
  await step("another length", { out }, inMemory({ count: 10 }));
  await step("another model", { out, model: smallClassifier({ seed: 3 }) });
  const shared = join(folder, "b");
  await step("first half", { out: shared, shard: { index: 1, count: 2 } });
  await step("both, the rest", { out: shared });
  for (const keepEvery of [0, -1, 1.5, Number.NaN]) await step(`keepEvery ${keepEvery}`, { keepEvery });
  await step("no images", {}, inMemory({ count: 0 }));
  await step("no images of a name", { data: "mine" }, inMemory({ count: 0 }));
  await step("none can be read", { data: "mine" }, inMemory({ count: 2, broken: [0, 1] }));
  await step("fails in rows", {
    rows: () => {
      throw new Error("no mask");
    },
  });
  const whole = inMemory({
    count: 9,
    shapes: [
      [8, 4],
      [4, 8],
    ],
  });
  await step(
    "whole images",
    { out: join(folder, "c"), keepEvery: 5, forward: { batchSize: 1, positions: "dino", ...eager } },
    whole,
  );
  await step(
    "whole images, other positions",
    { out: join(folder, "c"), forward: { batchSize: 1, positions: "mae", ...eager } },
    whole,
  );
  calls.note("a table", lines(await readTable(join(folder, "a", "rows", "kept", "000000-000004.arrow"))));
  const path = join(folder, "facts.json");
  for (const facts of [
    { a: 1, b: undefined, list: [1] },
    { a: 1, list: [1] },
    { a: 2, list: [1] },
    { a: 1, list: [1, 2] },
  ])
    await calls.once(`expectSameWork ${JSON.stringify(facts)}`, () => expectSameWork(path, work({ facts })));
  calls.note("listeners", process.listenerCount("SIGINT"));
  calls.approve("analysis/rows");
});
