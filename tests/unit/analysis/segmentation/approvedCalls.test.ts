import { readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { rowsOf as allOf } from "../../../../src/analysis/provenance";
import { boundaryBands } from "../../../../src/analysis/segmentation/boundary";
import { countPieces } from "../../../../src/analysis/segmentation/countPieces";
import { countsFrom, countsTable } from "../../../../src/analysis/segmentation/countsTable";
import { segmentation, segmentationOptions } from "../../../../src/analysis/segmentation/evaluate";
import { segmentationMaps } from "../../../../src/analysis/segmentation/maps";
import {
  addCounts,
  countImage,
  emptyCounts,
  objectSizes,
  type SegmentationCounts,
} from "../../../../src/analysis/segmentation/meter";
import { squares, wholeImages } from "../../../../src/analysis/segmentation/prepare";
import { SegmentationEvaluation } from "../../../../src/analysis/segmentation/result";
import { SegmentationScores } from "../../../../src/analysis/segmentation/scores";
import { LuvitError } from "../../../../src/core/errors";
import { showWorkWith } from "../../../../src/core/progress";
import { Rng } from "../../../../src/core/rng";
import { startBackend } from "../../../../src/core/tf";
import { SkipReport } from "../../../../src/data/dataset";
import { wholeImages as wholes } from "../../../../src/data/wholeImages";
import { readTable, writeTable } from "../../../../src/io/tables/table";
import { segmenter } from "../../../../src/models";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { paintedImage } from "../../data/support";
import { maskedImages } from "../support";

before(async () => void (await startBackend()));

const rowsOf = (table: Parameters<typeof allOf>[0]) => allOf(table).map(({ commit, ...row }) => row);

/** Counts of random maps of 5 x 7 pixels with every kind of id. */
function counted(classes = 4, images = 6): SegmentationCounts {
  const rng = new Rng(7);
  const counts = emptyCounts(classes);
  for (let image = 0; image < images; image++) {
    const ids = (ignored: boolean) =>
      Int32Array.from({ length: 35 }, (_, i) =>
        ignored && i % 11 === 3 ? 1000 : rng.integer(4) < 2 ? 0 : 1 + rng.integer(classes - 2),
      );
    countImage(counts, ids(false), ids(true), 5, 7);
  }
  return counts;
}

test("counts of pixels, and scores from them, are approved", async () => {
  const calls = new Calls();
  const draw = (ids: Int32Array, width: number) =>
    Array.from({ length: ids.length / width }, (_, y) =>
      [...ids.subarray(y * width, (y + 1) * width)].join(""),
    ).join(" ");
  const maps: [string, Int32Array, number, number][] = [
    ["even", new Int32Array(48), 6, 8],
    ["halves", Int32Array.from({ length: 63 }, (_, i) => Number(i % 9 > 3)), 7, 9],
    [
      "a square",
      Int32Array.from({ length: 81 }, (_, i) => (i % 9 > 1 && i % 9 < 7 && i > 17 && i < 63 ? 3 : 0)),
      9,
      9,
    ],
    ["a row", Int32Array.of(1, 1, 1, 2, 2, 2, 2, 2), 1, 8],
    ["a column", Int32Array.of(1, 1, 1, 2, 2, 2, 2, 2), 8, 1],
    ["one", Int32Array.of(5), 1, 1],
    ["large", Int32Array.from({ length: 60 * 50 }, (_, i) => Number(i % 50 > 24)), 60, 50],
  ];
  for (const [name, ids, height, width] of maps)
    calls.note(
      `boundaryBands ${name}`,
      width < 20
        ? draw(boundaryBands(ids, height, width), width)
        : boundaryBands(ids, height, width).slice(30 * 50, 31 * 50),
    );
  calls.note("emptyCounts", emptyCounts(2));
  const image = (
    name: string,
    prediction: number[],
    target: number[],
    height: number,
    width: number,
    classes = 3,
  ) =>
    calls.does(`countImage ${name}`, () => {
      const counts = emptyCounts(classes);
      countImage(counts, Int32Array.from(prediction), Int32Array.from(target), height, width);
      return counts;
    });
  await image("right", [0, 1, 1, 0], [0, 1, 1, 0], 2, 2);
  await image("another class", [0, 2, 2, 0], [0, 1, 1, 0], 2, 2);
  await image("nothing found", [0, 0, 0, 0], [0, 1, 1, 0], 2, 2);
  await image("nothing there", [0, 1, 0, 0], [0, 0, 0, 0], 2, 2);
  await image("ignored", [2, 1, 1, 0], [1000, 1, 1000, 2], 1, 4);
  await image("all ignored", [1, 1], [1000, 1000], 1, 2);
  await image("two of a size", [1, 1, 2, 2, 2, 0], [1, 2, 2, 2, 2, 0], 2, 3);
  for (const object of [1, 5, 6, 25, 26, 50, 51, 100])
    await calls.does(`the size of ${object} %`, () => {
      const counts = emptyCounts(2);
      countImage(
        counts,
        new Int32Array(100),
        Int32Array.from({ length: 100 }, (_, i) => Number(i < object)),
        10,
        10,
      );
      return objectSizes.map((size) => [size, counts.sizes[size].target[1], counts.sizes[size].target[0]]);
    });
  await image("a class beyond", [0, 3], [0, 0], 1, 2);
  await image("a class below 0", [0, -1], [0, 0], 1, 2);
  await image("a target beyond", [0, 0], [0, 999], 1, 2);
  await image("too few", [0], [0, 0], 1, 2);
  await image("too few targets", [0, 1], [0], 1, 2);
  const [one, two] = [counted(), counted(4, 2)];
  const before = JSON.stringify(two.whole.both);
  addCounts(one, two);
  calls.note("addCounts", [one, JSON.stringify(two.whole.both) === before]);
  calls.title("tables");
  calls.note("countsTable", rowsOf(countsTable(two)));
  const folder = temporaryFolder();
  await writeTable(join(folder, "c.arrow"), countsTable(two));
  calls.note(
    "read again",
    inspect(countsFrom(await readTable(join(folder, "c.arrow")), 4), { depth: 9 }) ===
      inspect(two, { depth: 9 }),
  );
  calls.note("countsFrom of more classes", countsFrom(countsTable(emptyCounts(2)), 3));
  calls.title("scores");
  const scores = new SegmentationScores(one, ["a", "b", "c"], {
    model: "m",
    data: "d",
    recipe: "r",
    seed: 1,
  });
  calls.note("summary", [
    scores.summary,
    scores.ious,
    rowsOf(scores.table),
    inspect(scores) === String(scores),
  ]);
  for (const line of String(scores).split("\n")) calls.note("text", line);
  calls.note("of nothing", new SegmentationScores(emptyCounts(2), ["a"]).summary);
  for (const line of String(new SegmentationScores(emptyCounts(2), ["a"])).split("\n"))
    calls.note("text of nothing", line);
  calls.note(
    "of 919",
    String(
      new SegmentationScores(
        emptyCounts(920),
        Array.from({ length: 919 }, (_, i) => `c${i}`),
      ),
    )
      .split("\n")
      .slice(14),
  );
  await calls.does("too few names", () => new SegmentationScores(one, ["a"]));
  const parts = {
    classes: ["a", "b", "c"],
    about: {},
    protocol: "whole images, shorter side 256",
    shapes: { "8 x 8": 2, "8 x 16": 1 },
    missing: [],
    unreadable: [],
  };
  for (const change of [
    {},
    { shapes: {} },
    { shapes: { "8 x 8": 2 } },
    { missing: ["images 3 to 4", "image 9"] },
    { unreadable: ["x: why", "y: why"] },
  ]) {
    const evaluation = new SegmentationEvaluation(one, { ...parts, ...(change as object) });
    calls.note(`evaluation ${JSON.stringify(change)}`, [
      evaluation.complete,
      evaluation.protocol,
      evaluation.shapes,
      evaluation.missing,
      evaluation.unreadable,
      evaluation.table.numRows,
      evaluation.summary === evaluation.scores.summary,
      String(evaluation).split("\n").slice(14),
      inspect(evaluation) === String(evaluation),
    ]);
  }
  await calls.does("evaluation of no counts", () => new SegmentationEvaluation({} as never, parts));
  await calls.does("evaluation of no parts", () => new SegmentationEvaluation(one, {} as never));
  calls.approve("analysis/segmentation/counts");
});

test("how images are prepared and counted piece by piece is approved", async () => {
  const out = temporaryFolder();
  const calls = new Calls({ out });
  calls.note("options", Object.keys(segmentationOptions.optional));
  await calls.does("segmentation of no model", () => segmentation({} as never, {} as never));
  await calls.does("segmentationMaps of no model", () => segmentationMaps({} as never, {} as never));
  const small = segmenter.create({
    encoder: { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2, mlpRatio: 2 },
    classes: 2,
  });
  const masked = await maskedImages([
    ["object", "ground", "ground", "ignored"],
    ["ground", "ground", "object", "object"],
  ]);
  await segmentationMaps(small, masked); // what an engine opens once stays open
  for (const options of [
    { protocol: "crop" },
    { shorterSide: 0 },
    { batchSize: 0 },
    { graphs: 0 },
    { shard: { index: 2, count: 1 } },
    { keepEvery: 0 },
    { size: 1 },
  ]) {
    await calls.does(`segmentation ${JSON.stringify(options)}`, () =>
      segmentation(small, masked, options as never),
    );
    await calls.does(`segmentationMaps ${JSON.stringify(options)}`, () =>
      segmentationMaps(small, masked, options as never).then(({ length }) => length),
    );
  }
  await calls.does("segmentation of no set", () => segmentation(small, {} as never));
  await calls.does("segmentationMaps of no set", () => segmentationMaps(small, {} as never));
  await calls.does("segmentationMaps of images without masks", () =>
    segmentationMaps(small, wholes({ data: new Uint8Array(768), width: 16, height: 16 })).catch(
      (error) => error.message,
    ),
  );
  await calls.does("segmentationMaps of no such layer", () =>
    segmentationMaps(small, masked, { layer: "blocks.7" }),
  );
  for (const options of [
    { protocol: "square" },
    { shorterSide: 24, shard: { index: 2, count: 2 } },
    {},
  ] as const) {
    await calls.once(`segmentation ${JSON.stringify(options)}`, async () => {
      const { protocol, shapes, missing, unreadable, scores, complete } = await segmentation(
        small,
        masked,
        options,
      );
      return [
        protocol,
        shapes,
        missing,
        unreadable,
        complete,
        scores.counts.images.count,
        scores.counts.whole.target,
      ];
    });
  }
  const kept = async (options: object) => {
    const { missing, complete, scores, shapes } = await segmentation(small, masked, {
      out,
      keepEvery: 1,
      shorterSide: 24,
      ...options,
    });
    return [
      missing,
      complete,
      scores.counts.images.count,
      [...scores.counts.whole.target],
      shapes,
      readdirSync(join(out, "segmentation"), { recursive: true }).sort(),
    ];
  };
  await calls.once("kept, before it is begun", () => kept({ signal: AbortSignal.abort() }));
  await calls.once("kept, the second shard", async () =>
    (await kept({ shard: { index: 2, count: 2 } })).slice(2),
  );
  await calls.once("kept, all", () => kept({}));
  await calls.once("kept, again", () => kept({}));
  await calls.once("kept, of another side", () => kept({ shorterSide: 16 }));
  await calls.once("kept, of squares", () => kept({ protocol: "square", shorterSide: undefined }));
  await calls.once("kept, of other data", () => kept({ data: "other" }));
  await calls.once("segmentationMaps", async () =>
    (await segmentationMaps(small, masked, { batchSize: 1 })).map(
      ({ sample, shape, truth, prediction, grid, entropy }) => [
        sample.index,
        shape,
        truth.length,
        prediction.length,
        grid,
        entropy.length,
      ],
    ),
  );
  const set = (sizes: readonly (readonly [number, number])[]) => {
    const report = new SkipReport();
    return {
      report,
      length: sizes.length,
      path: (i: number) => `p${i}`,
      label: () => 0,
      size: 4,
      classes: ["a"],
      async pair(i: number) {
        const [width, height] = sizes[i];
        if (width === 0) throw new LuvitError("bad-image", `p${i}: bad`);
        if (width < 0) throw new LuvitError("bad-file", `p${i}: worse`);
        return {
          image: paintedImage(width, height, (x, y) => [9 * x, 9 * y, 50]),
          mask: { ids: new Int32Array(width * height), width, height },
        };
      },
      async load(index: number) {
        return {
          image: new Float32Array(48).fill(index),
          label: 0,
          path: `p${index}`,
          index: index === 1 ? 0 : index,
          ids: Int32Array.from({ length: 16 }, (_, i) => i),
        };
      },
    } as never;
  };
  const model = { encoder: { config: { patchSize: 4 } } } as never;
  const sizes = [
    [8, 8],
    [9, 8],
    [8, 9],
    [13, 8],
    [8, 30],
    [40, 8],
    [16, 16],
    [0, 8],
    [-1, 8],
  ] as const;
  const images = set(sizes);
  for (const side of [8, 12])
    for (const [i, [width, height]] of sizes.entries())
      await calls.does(`wholeImages ${width} x ${height} to ${side}`, async () => {
        const found = await wholeImages(images, model, side)(i);
        return (
          found && {
            ...found,
            pixels: found.pixels.length,
            target: [found.target.height, found.target.width],
          }
        );
      });
  calls.note("report", (images as { report: SkipReport }).report.skipped);
  for (const i of [0, 1, 2])
    await calls.does(`squares ${i}`, async () => {
      const found = await squares(images)(i);
      return found && { ...found, pixels: found.pixels.length };
    });
  calls.title("pieces");
  const log: unknown[] = [];
  const work = (change: object = {}) =>
    ({
      classes: 3,
      batchSize: 2,
      total: 9,
      pieces: [
        { start: 0, end: 3 },
        { start: 3, end: 5 },
        { start: 6, end: 7 },
      ],
      data: "d",
      prepare: async (index: number) => {
        log.push(`prepare ${index}`);
        if (index === 4) return undefined;
        const height = index === 1 ? 2 : 1;
        return {
          index,
          path: `p${index}`,
          pixels: Float32Array.of(index),
          height,
          width: 2,
          target: { ids: Int32Array.from({ length: 2 * height }, () => index % 3), height, width: 2 },
        };
      },
      forwards: {
        run: async (pixels: Float32Array[], height: number, width: number) => {
          log.push(`run ${pixels.map(([first]) => first)} of ${height} x ${width}`);
          return pixels.map(() => ({
            logits: Float32Array.from({ length: 3 * height * width }, (_, i) =>
              Number(Math.floor(i / (height * width)) === 1),
            ),
            rows: height,
            columns: width,
          }));
        },
      },
      ...change,
    }) as never;
  showWorkWith((about) => {
    log.push(about);
    return { advance: (done: number) => void log.push(done), end: (how: string) => void log.push(how) };
  });
  const count = async (name: string, change: object = {}) => {
    const kept: unknown[] = [];
    await calls.once(`countPieces ${name}`, () =>
      countPieces(
        work(change),
        async (piece, { whole, images }) => void kept.push([piece, whole, images.count]),
      ),
    );
    calls.note("  kept", kept);
    calls.note("  log", log.splice(0));
  };
  await count("all");
  await count("without a name, one at a time", { data: undefined, batchSize: 1 });
  await count("nothing", { pieces: [] });
  await count("that was stopped", { signal: AbortSignal.abort() });
  const stop = new AbortController();
  await count("that is stopped at 3", {
    signal: stop.signal,
    prepare: async (index: number) => {
      if (index === 3) stop.abort();
      return undefined;
    },
  });
  await count("that fails", {
    prepare: async () => {
      throw new Error("why");
    },
  });
  await count("of ids that are none", {
    pieces: [{ start: 0, end: 1 }],
    prepare: async (index: number) => ({
      index,
      path: "bad path",
      pixels: Float32Array.of(1),
      height: 1,
      width: 2,
      target: { ids: Int32Array.of(7, 7), height: 1, width: 2 },
    }),
  });
  showWorkWith(() => ({ advance: () => {}, end: () => {} }));
  calls.approve("analysis/segmentation/pieces");
});
