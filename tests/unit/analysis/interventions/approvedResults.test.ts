import { readdirSync } from "node:fs";
import { afterEach, before, test } from "node:test";
import { inspect } from "node:util";
import { ablateHeads, HeadAblation } from "../../../../src/analysis/interventions/ablateHeads";
import {
  ActivationPatching,
  patchActivations,
} from "../../../../src/analysis/interventions/patchActivations";
import { rowsOf } from "../../../../src/analysis/provenance";
import { showWorkWith } from "../../../../src/core/progress";
import { startBackend } from "../../../../src/core/tf";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { inMemory, smallClassifier, smallLuvit, smallViT } from "../imagesInMemory";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const lines = (table: unknown) =>
  (rowsOf(table as never) as Record<string, unknown>[]).map(({ commit: _, ...row }) => row);

test("what heads are worth is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const [model, set] = [smallLuvit(), inMemory({ count: 5, broken: [3] })];
  const log: unknown[] = [];
  showWorkWith((work) => {
    log.push(work);
    return { advance: (done) => void log.push(done), end: (state) => void log.push(state) };
  });
  const found = async (options: object = {}, of: object = model, from: object = set) => {
    const made = await ablateHeads(of as never, from as never, { ...eager, ...options });
    return {
      accuracy: made.accuracy,
      missing: made.missing,
      unreadable: made.unreadable,
      table: lines(made.table),
      text: String(made).split("\n"),
    };
  };
  for (const options of [
    {},
    { layers: ["blocks.1"], replaceBy: "mean" },
    {
      replaceBy: "zero",
      layers: ["llama.layers.0", "blocks.0"],
      model: "m",
      data: "d",
      recipe: "r",
      seed: 2,
    },
    { replaceBy: "mean", layers: ["llama.layers.0"] },
  ]) {
    await calls.once(JSON.stringify(options), () => found(options));
    calls.note("shown", log.splice(0));
  }
  for (const pooling of ["cls", "attention"] as const) {
    const pooled = smallClassifier({ pooling });
    await calls.once(pooling, () => found({ layers: ["blocks.1"] }, pooled, set.take(2)));
    await calls.once(`${pooling}, mean`, () =>
      found({ layers: ["blocks.1", "blocks.0"], replaceBy: "mean" }, pooled, set.take(2)),
    );
  }
  log.splice(0);
  await calls.once("aborted", () => found({ signal: AbortSignal.abort() }));
  await calls.once("kept", () => found({ out: folder, layers: ["blocks.0"], keepEvery: 2 }));
  calls.note("files", readdirSync(folder, { recursive: true }).map(String).sort());
  await calls.once("kept, of other layers", () => found({ out: folder, layers: ["blocks.1"] }));
  await calls.once("kept, with the mean", () =>
    found({ out: folder, layers: ["blocks.0"], replaceBy: "mean" }),
  );
  for (const options of [
    { layers: ["x"] },
    { layers: [] },
    { replaceBy: "x" },
    { keepEvery: 0 },
    { batchSize: 2 },
  ])
    await calls.once(JSON.stringify(options), () => found(options));
  await calls.once("of more classes", () => found({}, model, inMemory({ classes: ["a", "b", "c", "d"] })));
  await calls.once("of whole images", () =>
    found(
      { layers: ["blocks.1"], positions: "dino" },
      model,
      inMemory({
        count: 2,
        shapes: [
          [4, 12],
          [8, 4],
        ],
      }),
    ),
  );
  await calls.once("of whole images, by a mean", () =>
    found({ replaceBy: "mean" }, model, inMemory({ count: 2, shapes: [[4, 12]] })),
  );
  await calls.once("of nothing readable", () => found({}, model, inMemory({ count: 1, broken: [0] })));
  await calls.once("of no classifier", () => found({}, {}));
  const row = (index: number, layer: string, head: number, margin: number) => ({
    index,
    layer,
    head,
    margin,
    right: Number(margin > 0),
  });
  const places = { places: Array.from({ length: 12 }, (_, head) => ({ layer: "a", head })) } as never;
  const rows = [
    row(0, "whole", -1, 2),
    row(1, "whole", -1, -0.5),
    ...Array.from({ length: 11 }, (_, head) => [
      row(0, "a", head, 2 - head),
      row(1, "a", head, 1 - head / 4),
    ]).flat(),
  ];
  const table = new HeadAblation(
    rows as never,
    places,
    { model: "m" },
    [
      { start: 2, end: 5 },
      { start: 7, end: 8 },
    ],
    1,
  );
  for (const line of lines(table.table)) calls.note("row", line);
  calls.note("text", String(table).split("\n"));
  calls.note("inspected", inspect(table) === String(table));
  await calls.does("no rows", () => new HeadAblation({} as never, places, {}, []));
  calls.approve("analysis/interventions/ablation");
});

test("activations of other images are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const model = smallLuvit();
  const [receivers, donors] = [inMemory({ count: 3 }), inMemory({ count: 6, broken: [4] }).subset([5, 3, 2])];
  const found = async (
    options: object = {},
    of: object = model,
    from: object = receivers,
    to: object = donors,
  ) => {
    const made = await patchActivations(of as never, from as never, to as never, { ...eager, ...options });
    return {
      missing: made.missing,
      unreadable: made.unreadable,
      table: lines(made.table),
      pairs: lines(made.pairs).slice(0, 5),
      count: made.pairs.numRows,
      text: String(made).split("\n").slice(0, 4),
    };
  };
  for (const options of [
    {},
    { tokens: "class", sites: ["blocks.0.out"] },
    { tokens: "all", sites: ["fusion.mapper1", "embed"], batchSize: 1 },
    { tokens: "each", sites: ["blocks.1.out"], model: "m", data: "d", recipe: "r", seed: 1 },
    { tokens: "patches", sites: ["llama.layers.0.middle", "fusion.out"], batchSize: 5 },
  ])
    await calls.once(JSON.stringify(options), () => found(options));
  const registers = smallClassifier({ encoder: { ...smallViT, registers: 2 } });
  for (const tokens of ["patches", "class", "all", "each"])
    await calls.once(`registers, ${tokens}`, () => found({ tokens, sites: ["blocks.0.out"] }, registers));
  const bare = smallClassifier({ encoder: { ...smallViT, classToken: false } });
  for (const tokens of ["patches", "class"])
    await calls.once(`no class token, ${tokens}`, () => found({ tokens, sites: ["blocks.0.out"] }, bare));
  await calls.once("a donor that cannot be read", () =>
    found({ sites: ["embed"] }, model, receivers, inMemory({ count: 3, broken: [1] })),
  );
  await calls.once("too few", () => found({}, model, receivers, donors.take(2)));
  await calls.once("of another size", () => found({}, model, receivers, inMemory({ count: 3, size: 16 })));
  await calls.once("whole images", () =>
    found({}, model, receivers, inMemory({ count: 3, shapes: [[4, 8]] })),
  );
  await calls.once("aborted", () => found({ signal: AbortSignal.abort() }));
  await calls.once("kept", () => found({ out: folder, sites: ["embed"] }));
  calls.note("files", readdirSync(folder, { recursive: true }).map(String).sort());
  await calls.once("kept, of other tokens", () => found({ out: folder, sites: ["embed"], tokens: "all" }));
  for (const options of [
    { sites: ["fusion.in"] },
    { sites: [] },
    { tokens: "x" },
    { batchSize: 0 },
    { graphs: 1 },
  ])
    await calls.once(JSON.stringify(options), () => found(options));
  await calls.once("no donors", () => found({}, model, receivers, []));
  await calls.once("no classifier", () => found({}, {}));
  const row = (index: number, site: string, token: number, recovered: number, flipped: number) => ({
    index,
    site,
    token,
    recovered,
    flipped,
  });
  const made = new ActivationPatching(
    [
      row(0, "a", -1, 0.5, 1),
      row(1, "a", -1, Number.POSITIVE_INFINITY, 0),
      row(2, "a", -1, 0.25, 0),
      row(0, "b", -1, Number.NaN, 0),
      row(0, "a", 3, 1.5, 1),
    ],
    { seed: 3 },
    [{ start: 3, end: 5 }],
    2,
  );
  for (const line of lines(made.table)) calls.note("row", line);
  calls.note("text", String(made).split("\n"));
  calls.note("inspected", inspect(made) === String(made));
  calls.note(
    "many",
    String(
      new ActivationPatching(
        Array.from({ length: 50 }, (_, token) => row(0, "a", token, token / 7, 0)),
        {},
        [],
      ),
    ).split("\n").length,
  );
  await calls.does("no rows", () => new ActivationPatching(undefined as never, {}, []));
  calls.approve("analysis/interventions/patching");
});
