import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { barComparison, figure, heatmapGrid } from "../../../src/figures";
import { fromAddress, toAddress } from "../../../src/figures/attention/browser/address";
import { Evidence, type Head, median, type Numbers } from "../../../src/figures/attention/browser/evidence";
import { explanation } from "../../../src/figures/attention/browser/guide";
import {
  type Layer,
  type ModelHeader,
  readModels,
  rowCount,
  rowOf,
  type ViewerHeader,
} from "../../../src/figures/attention/browser/payload";
import { shownRow, strongestPatch, type View } from "../../../src/figures/attention/browser/rows";
import {
  headName,
  layerLabel,
  layerNames,
  nats,
  percent,
  startState,
  viewsOf,
} from "../../../src/figures/attention/browser/state";
import type { HeadLink, WithoutHeads } from "../../../src/figures/attention/browser/withoutHeads";
import {
  methodName,
  type Shown,
  scaleTitle,
  sentencesOf,
  subtitleOf,
  valueText,
} from "../../../src/figures/attention/browser/words";
import { markAt, marksOf, wordsOf } from "../../../src/figures/interactive/browser/marks";
import { withView, zoomable, zoomTo } from "../../../src/figures/interactive/browser/zoom";
import { movedPatch } from "../../../src/figures/patches/browser/header";
import type { PlotlyTrace } from "../../../src/figures/spec";
import { placeFigure } from "../../../src/figures/svg/place";

/* What the scripts of pages compute, without their elements. */

const stages = [{ name: "blocks.0", heads: 2 }, { name: "llama.layers.0", heads: 3 }]; // biome-ignore format: one line
const grid = { rows: 1, columns: 2 };
const ln = (values: number[]) => Float32Array.from(values, Math.log);
const numbers: Numbers = new Map<string, Uint8Array | Uint16Array | Float32Array>([
  ["answer", ln([0.5, 0.25])],
  ["answer.label", Uint16Array.of(1)],
  ["answer.chance", Float32Array.of(0.5)],
  ["relevance.chefer", Uint8Array.of(0, 255, 51, 102)],
  ["lens.label", Uint16Array.of(0, 1, 2, 2, 1, 0)],
  ["lens.chance", Uint8Array.of(51, 102, 153, 204, 255, 0)],
  ["lens.choices", Uint8Array.from({ length: 12 }, (_, i) => 20 * i)],
  ["norms", Float32Array.of(1, 2, 3, 4)],
  ["heads.entropy", Float32Array.of(1, 2, 3, 4, 5)],
  ["heads.answer", ln([0.5, 0.25, 0.4, 0.2, 0.3, 0.1, 0.2, 0.5, 0.1, 0.05])],
  ["heads.label", Uint16Array.of(0, 1, 2, 1, 0)],
  ["heads.chance", Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5)],
]);
const evidence = new Evidence({ labels: ["ant", "bee", "cat"], choices: [2, 0] }, { grid, stages }, numbers);
const close = (a: ArrayLike<number> | undefined, b: readonly number[]) => {
  assert.equal(a?.length, b.length);
  for (const [i, value] of b.entries()) assert.ok(Math.abs(a![i]! - value) < 1e-6 || (Number.isNaN(value) && Number.isNaN(a![i]!)), `${i}: ${a![i]} and ${value}`); // biome-ignore format: one line
};

describe("what a page knows of a model", () => {
  it("stands in its numbers stage by stage, head by head, class by class", () => {
    assert.deepEqual(evidence.top, { label: "bee", chance: 0.5 });
    close(evidence.chances(), [0.5, 0.25]);
    close(evidence.chances({ layer: "llama.layers.0", head: 1 }), [0.2, 0.5]);
    const { label, chance } = evidence.topWithout({ layer: "llama.layers.0", head: 0 })!;
    assert.deepEqual([label, chance.toFixed(2)], ["cat", "0.30"]);
    assert.equal(evidence.topWithout({ layer: "none", head: 0 }), undefined);
    close(evidence.relevance("chefer", 1), [Number.NaN, 51 / 255, 102 / 255]);
    assert.equal(evidence.relevance("legrad", 0), undefined);
    close(evidence.lens("llama.layers.0", 1), [9, 10, 11].map((i) => (20 * i) / 255)); // biome-ignore format: one line
    assert.deepEqual(evidence.says("llama.layers.0", 1), { label: "bee", chance: 1 });
    close(evidence.norms("llama.layers.0"), [Number.NaN, 3, 4]);
    assert.deepEqual(evidence.ofHeads("entropy", 0).map(({ layer, values }) => [layer, [...values]]), [["blocks.0", [1, 2]], ["llama.layers.0", [3, 4, 5]]]); // biome-ignore format: one line
    close(evidence.ofHeads("effect", 1)[1]!.values, [0.1, 0.5, 0.05].map((p) => Math.log(0.25 / p))); // biome-ignore format: one line
    assert.deepEqual(
      evidence.ofHeads("distance", 0).map(({ values }) => values.length),
      [0, 0],
    );
    assert.deepEqual([evidence.has("norms"), evidence.has("heads.distance")], [true, false]);
    assert.deepEqual([median([3, 1, 2]), median([4, 1, 3, 2])], [2, 3]);
  });

  it("is read from its bytes in the order in which they were written, model by model", () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map((query) => rowOf({ columns: 3, step: 2 }, query)), [0, 1, 1, 2, 1, 1, 2]); // biome-ignore format: one line
    assert.deepEqual([rowCount({ rows: 2, columns: 3 }, 2), rowCount({ rows: 3, columns: 3 }, 2), rowCount({ rows: 2, columns: 3 }, 1)], [3, 5, 7]); // biome-ignore format: one line
    const model = { grid, layers: [{ name: "a", heads: 1, step: 2 }], sections: [{ name: "s", type: "u16", length: 2 }, { name: "t", type: "u8", length: 1 }] } as unknown as ModelHeader; // biome-ignore format: one line
    // Two rows of three levels and what is greatest in each; three entropies; the rollout as the pattern; both sections.
    const parts = [Uint8Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(0.5, 0.25), Float32Array.of(7, 8, 9), Uint8Array.of(6, 5, 4, 3, 2, 1), Float32Array.of(1, 2), Uint16Array.of(300, 2), Uint8Array.of(9)]; // biome-ignore format: one line
    const bytes = Buffer.concat(parts.map((one) => Buffer.from(one.buffer)));
    const all = Buffer.concat([bytes, bytes]);
    const models = readModels({ models: [model, model] }, all.buffer.slice(all.byteOffset, all.byteOffset + all.length) as ArrayBuffer); // biome-ignore format: one line
    for (const { layers, numbers: found } of models) {
      const [{ levels, greatest, entropy, rolloutLevels, rolloutGreatest, tokens, rows, step }] = layers as [
        Layer,
      ];
      assert.deepEqual([levels, greatest, entropy, rolloutLevels, rolloutGreatest].map((one) => [...one]), parts.slice(0, 5).map((one) => [...one])); // biome-ignore format: one line
      assert.deepEqual(
        [tokens, rows, step, [...found.get("s")!], [...found.get("t")!]],
        [3, 2, 2, [300, 2], [9]],
      );
    }
  });
});

const layer: Layer = {
  ...{ name: "blocks.0", heads: 2, tokens: 3, columns: 2, step: 1, rows: 3 },
  levels: Uint8Array.from({ length: 18 }, (_, i) => 10 * i),
  greatest: Float32Array.of(1, 2, 3, 4, 5, 6),
  entropy: Float32Array.of(0.1, 0.2, 0.3, 0.5, 0.6, 0.7),
  rolloutLevels: Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2, 1),
  rolloutGreatest: Float32Array.of(1, 10, 100),
};
const shownOf = (view: View, row: number[], more: Partial<Shown> = {}): Shown => ({ layer, wanted: "blocks.0", view, head: 1, query: 1, grid, row: Float32Array.from(row), evidence: new Evidence({ labels: [], choices: [] }, { grid, stages }, new Map()), className: "cat", method: "gradcam", ...more }); // biome-ignore format: one line

describe("what a page says", () => {
  it("is of the view that is chosen", () => {
    const rows = (view: "mean" | "max" | "head" | "rollout" | "entropy") => shownRow(layer, view, 1, 1);
    close(rows("head"), [120, 130, 140].map((level) => (5 * level) / 255)); // biome-ignore format: one line
    close(rows("mean"), [[30, 120], [40, 130], [50, 140]].map(([a, b]) => (2 * a! + 5 * b!) / 255 / 2)); // biome-ignore format: one line
    close(rows("max"), [120, 130, 140].map((level) => (5 * level) / 255)); // biome-ignore format: one line
    close(rows("rollout"), [60, 50, 40].map((level) => level / 255)); // biome-ignore format: one line
    close(rows("entropy"), [0.3, 0.4, 0.5]);
    assert.equal(strongestPatch(Float32Array.of(9, 2, 5, 5)), 2, "of equal ones the first");
  });

  it("begins with where the query looks, what is strongest, surest or longest", () => {
    const first = (view: View, row: number[], more: Partial<Shown> = {}) => sentencesOf(shownOf(view, row, more))[0]; // biome-ignore format: one line
    assert.equal(
      first("mean", [0, 0.2, 0.7]),
      "The patch in row 1, column 1 looks most at row 1, column 2 (70.0\u00a0%).",
    );
    assert.equal(
      first("mean", [0, 0.7, 0.2]),
      "The patch in row 1, column 1 looks most at itself (70.0\u00a0%).",
    );
    assert.equal(
      first("rollout", [0, 0.7, 0.2], { query: 0 }),
      "The class token holds most of row 1, column 1 (70.0\u00a0%).",
    );
    assert.equal(first("entropy", [0, 0.7, 1.2]), "Most spread: row 1, column 2 with 1.20\u00a0nats.");
    assert.equal(first("norms", [Number.NaN, 7, 1]), "Longest: row 1, column 1 with 7.0.");
    assert.equal(first("lens", [0, 0.1, 0.3]), "Surest of it: row 1, column 2 (30.0\u00a0%).");
    assert.equal(first("relevance", [0, 0.1, 0.3]), "The strongest evidence is in row 1, column 2.");
    for (const none of [[0, 0, 0], [0, Number.NaN, Number.NaN]]) assert.equal(first("relevance", none), "No patch speaks for it."); // biome-ignore format: one line
    assert.equal(
      first("norms", [Number.NaN, 7, 1], { hovered: 2 }),
      "Under the pointer, row 1, column 2: 1.0.",
    );
    assert.equal(
      first("relevance", [Number.NaN, 7, 1], { hovered: 0 }),
      "Under the pointer, the class token: –.",
    );
  });

  it("goes on with what is said there, entropy, lengths, and the object's share", () => {
    const rest = (view: View, row: number[], more: Partial<Shown> = {}) => sentencesOf(shownOf(view, row, more)).slice(1); // biome-ignore format: one line
    assert.deepEqual(rest("head", [0, 1, 2]), ["Entropy: 0.60\u00a0nats of at most ln 3 = 1.10."]);
    assert.deepEqual(rest("mean", [0, 1, 2], { query: 2 }), [
      "Mean entropy of the heads: 0.50\u00a0nats of at most ln 3 = 1.10.",
    ]);
    assert.deepEqual(rest("entropy", [0, 1, 2], { query: 0, regions: [1, 0] }), [
      "Entropy of the class token: 0.30\u00a0nats of at most ln 3 = 1.10.",
    ]);
    assert.match(rest("entropy", [0, 1, 2])[0]!, /^Entropy of the framed patch: 0\.40/);
    const norms = (...values: number[]) => rest("norms", [Number.NaN, ...values])[0];
    assert.equal(norms(1, 1, 3), "Median: 1.0; no patches are above three times that.");
    assert.equal(norms(1, 1, 3.1), "Median: 1.0; 1 patch is above three times that.");
    assert.equal(norms(1, 1, 1, 4, 5), "Median: 1.0; 2 patches are above three times that.");
    const share = "On the object: 25.0\u00a0%; the object covers 50.0\u00a0% of the patches.";
    for (const view of ["rollout", "relevance"] as const)
      assert.deepEqual(rest(view, [9, 1, 3], { regions: [1, 0] }), [share]);
    for (const view of ["max", "lens"] as const)
      assert.deepEqual(rest(view, [9, 1, 3], { regions: [1, 0] }), []);
    assert.deepEqual(rest("max", [9, 1, 3], { evidence, hovered: 2 }), [
      "This patch says: cat (60.0\u00a0%).",
    ]);
    assert.deepEqual(rest("max", [9, 1, 3], { evidence, query: 0 }), [
      "The class token says: ant (20.0\u00a0%).",
    ]);
    assert.deepEqual(rest("max", [9, 1, 3], { evidence }), ["The framed patch says: bee (40.0\u00a0%)."]);
  });

  it("names layer, heads, method and scale", () => {
    const of = (view: View, more: Partial<Shown> = {}) => subtitleOf(shownOf(view, [0, 1, 2], more));
    const block = "ViT block 1 (blocks.0)";
    const coarse = { layer: { ...layer, step: 2 } };
    assert.deepEqual((["mean", "max", "head", "rollout"] as const).map((view) => of(view, coarse)), ["mean of 2 heads", "maximum of 2 heads", "head 2 of 2", "rollout"].map((how) => `${block}, ${how}, queries in blocks of 2 × 2`)); // biome-ignore format: one line
    assert.deepEqual((["entropy", "lens", "norms"] as const).map((view) => of(view, coarse)), ["entropy, mean of 2 heads", "what patches say of cat", "norms of the tokens it is given"].map((how) => `${block}, ${how}`)); // biome-ignore format: one line
    assert.equal(of("relevance"), "Evidence for cat (Grad-CAM)");
    assert.equal(of("mean", { wanted: "llama.layers.0" }), `no LLaMA block here; ${block}, mean of 2 heads`);
    assert.deepEqual(["chefer", "legrad", "gradcam", "gradient-rollout", "own"].map(methodName), ["Chefer", "LeGrad", "Grad-CAM", "gradient rollout", "own"]); // biome-ignore format: one line
    const views = ["mean", "max", "head", "rollout", "entropy", "relevance", "lens", "norms"] as const;
    assert.deepEqual(views.map((view) => /share|entropy|evidence|probability|length/.exec(scaleTitle(view))![0]), ["share", "share", "share", "share", "entropy", "evidence", "probability", "length"]); // biome-ignore format: one line
    assert.equal(new Set(views.map((view) => explanation(view, 1))).size, 8);
    assert.deepEqual([valueText("entropy", 1.234), valueText("norms", 1.26), valueText("lens", 0.5), valueText("norms", Number.NaN)], ["1.23\u00a0nats", "1.3", "50.0\u00a0%", "–"]); // biome-ignore format: one line
    assert.deepEqual([percent(0.09995), percent(0.09994), percent(0.9995), percent(0.9994), nats(Number.NaN)], ["10.0\u00a0%", "9.99\u00a0%", "100\u00a0%", "99.9\u00a0%", "–\u00a0nats"]); // biome-ignore format: one line
    assert.deepEqual(["blocks.11", "llama.layers.0", "llama.layers.2", "own"].map((name) => layerLabel(name).short), ["12", "LLaMA", "LLaMA 3", "own"]); // biome-ignore format: one line
    assert.equal(headName({ layer: "blocks.4", head: 2 }), "head 3 of ViT block 5");
  });
});

describe("what is looked at", () => {
  const model = (names: string[], sections: string[] = []) => ({ title: "", image: "", grid: { rows: 2, columns: 3 }, leftOut: [], layers: names.map((name) => ({ name, heads: 1, step: 1 })), stages, sections: sections.map((name) => ({ name, type: "u8", length: 1 })) }) as unknown as ModelHeader; // biome-ignore format: one line
  const header = (models: ModelHeader[], methods: string[] = []) => ({ models, methods, choices: [0, 1], labels: ["a", "b"] }) as unknown as ViewerHeader; // biome-ignore format: one line

  it("begins with what the page has: the layers of the model with the most, heads' effects where both have them", () => {
    const [one, two] = [model(["blocks.0"], ["heads.answer"]), model(["blocks.0", "llama.layers.0"])];
    assert.deepEqual(
      [layerNames([one, two]), layerNames([two, one])],
      [
        ["blocks.0", "llama.layers.0"],
        ["blocks.0", "llama.layers.0"],
      ],
    );
    assert.deepEqual(
      [startState(header([one])).color, startState(header([one, two])).color],
      ["effect", "entropy"],
    );
    const { method, heads, off, layer: chosen, query } = startState(header([one, two], ["legrad", "chefer"]));
    assert.deepEqual(
      [method, heads, off, chosen, query],
      ["legrad", [0, 0], [[], []], "blocks.0", 1 + 3 + 1],
    );
    assert.equal(startState(header([model(["llama.layers.0", "own"])])).layer, "own");
  });

  it("may be what all models have numbers for", () => {
    const all = ["lens.choices", "norms"];
    assert.deepEqual(viewsOf(header([model(["a"], all)], ["x"])).slice(5), ["relevance", "lens", "norms"]);
    assert.deepEqual(viewsOf(header([model(["a"], all), model(["a"], ["norms"])])).slice(5), ["norms"]);
    assert.deepEqual(viewsOf(header([model(["a"])])), ["mean", "max", "head", "rollout", "entropy"]);
  });

  it("stands in the address to its last places, and is taken from it up to its ends, not beyond", () => {
    const page = header([model(["blocks.0"])], ["chefer"]);
    const read = (text: string) => fromAddress(text, page);
    assert.deepEqual(
      [read("query=6"), read("query=7"), read("#class=1"), read("class=2")],
      [{ query: 6 }, {}, { choice: 1 }, {}],
    );
    assert.deepEqual(["0", "1", ".5", "0.25", "1.00", "1.01", "2", "-1", "1e0"].map((text) => read(`strength=${text}`).strength), [0, 1, 0.5, 0.25, 1, undefined, undefined, undefined, undefined]); // biome-ignore format: one line
    assert.deepEqual(read("pinned=1&lines=0&outline=0&scale=1"), {
      pinned: true,
      lines: false,
      outline: false,
      sameScale: true,
    });
    assert.deepEqual([read("heads=3"), read("heads=3,4"), read("heads=x")], [{ heads: [3] }, {}, {}]);
    assert.deepEqual(read("off=blocks.0:1,llama.layers.0:2,blocks.0:2").off, [
      [
        { layer: "blocks.0", head: 1 },
        { layer: "llama.layers.0", head: 2 },
      ],
    ]);
    assert.deepEqual(
      [read("method=chefer"), read("color=effect"), read("view=relevance"), read("view=norms")],
      [{ method: "chefer" }, { color: "effect" }, { view: "relevance" }, {}],
    );
    const two = header([model(["blocks.0"]), model(["blocks.0"])]);
    const state = { ...startState(two), off: [[], [{ layer: "blocks.0", head: 0 }]], heads: [2, 1] };
    const { method, ...rest } = state;
    assert.equal(method, "", "what is empty is left out");
    assert.deepEqual(fromAddress(toAddress(state), two), rest);
  });

  it("moves over patches that stand in more columns than rows", () => {
    const wide = { rows: 2, columns: 3 };
    assert.deepEqual(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home"].map((key) => movedPatch(4, key, wide)), [3, 5, 1, 4, undefined]); // biome-ignore format: one line
    assert.deepEqual(
      [movedPatch(5, "ArrowRight", wide), movedPatch(0, "ArrowUp", wide), movedPatch(2, "ArrowDown", wide)],
      [5, 0, 5],
    );
  });
});

describe("answers with heads off", () => {
  const [one, two, three]: Head[] = [{ layer: "blocks.0", head: 0 }, { layer: "blocks.0", head: 1 }, { layer: "llama.layers.0", head: 2 }]; // biome-ignore format: one line
  const bare = new Evidence({ labels: ["a"], choices: [0] }, { grid, stages }, new Map());

  it("are the page's own for one head, the kernel's for several, asked once for the same ones in any order", async () => {
    const asked: [number, readonly Head[]][] = [];
    const settle: { resolve(answer: unknown): void; reject(error: Error): void }[] = [];
    const ask: HeadLink["ask"] = (panel, off) => { asked.push([panel, off]); return new Promise((resolve, reject) => settle.push({ resolve: resolve as never, reject })); }; // biome-ignore format: one line
    (globalThis as Record<string, unknown>).luvitKernelLink = () => ({ ask });
    const { WithoutHeads: made } =
      require("../../../src/figures/attention/browser/withoutHeads") as typeof import("../../../src/figures/attention/browser/withoutHeads");
    let changes = 0;
    const known: WithoutHeads = new made([evidence, bare], { kernel: "k", page: "p" }, () => { changes++; }); // biome-ignore format: one line
    assert.equal(known.takesSeveral, true);
    assert.equal(known.of(0, []), undefined);
    assert.ok("answer" in known.of(0, [one!])!);
    assert.deepEqual(
      [known.of(0, [one!, three!]), known.of(0, [three!, one!])],
      [{ why: "the kernel is asked" }, { why: "the kernel is asked" }],
    );
    known.of(1, [three!, one!]);
    known.of(1, [two!]);
    assert.deepEqual(asked, [[0, [one, three]], [1, [three, one]], [1, [two]]]); // biome-ignore format: one line
    const answer = { chances: Float32Array.of(1), top: { label: "a", chance: 1 } };
    settle[0]!.resolve(answer);
    settle[1]!.reject(new Error("busy"));
    await new Promise(setImmediate);
    assert.equal(changes, 2);
    assert.deepEqual(
      [known.of(0, [three!, one!]), known.of(1, [one!, three!])],
      [{ answer }, { why: "busy" }],
    );
    known.forgetProblems();
    assert.deepEqual([known.of(1, [two!]), asked.length], [{ why: "the kernel is asked" }, 3], "what is on its way is not asked again"); // biome-ignore format: one line
    known.of(1, [one!, three!]);
    known.of(0, [one!, three!]);
    assert.equal(asked.length, 4);
    const alone = new made([evidence], undefined, () => {});
    assert.deepEqual([alone.takesSeveral, alone.of(0, [one!, two!])], [false, { why: "a page by itself knows single heads only" }]); // biome-ignore format: one line
    delete (globalThis as Record<string, unknown>).luvitKernelLink;
  });
});

describe("pointing into a figure", () => {
  const margin = { l: 0, r: 0, t: 0, b: 0 };
  const layout = {
    width: 100,
    height: 100,
    margin,
    xaxis: { range: [0, 10] as [number, number] },
    yaxis: { range: [0, 10] as [number, number] },
  };
  const scatter = (more: object) => ({ type: "scatter", mode: "markers", name: "n", ...more }) as PlotlyTrace;
  const marks = (...traces: PlotlyTrace[]) => marksOf(placeFigure(figure(traces, layout, "")));
  const at = (all: ReturnType<typeof marks>, x: number, y: number) => { const mark = markAt(all, x, y); return mark && [mark.trace.name, mark.values.x]; }; // biome-ignore format: one line

  it("finds the nearest mark within 32 pixels; along lines, what is above or below counts a quarter", () => {
    const points = marks(scatter({ x: [5, 8], y: [5, 5] }));
    assert.deepEqual([at(points, 50, 50), at(points, 66, 50), at(points, 50, 81.9), at(points, 50, 82.1)], [["n", 5], ["n", 8], ["n", 5], undefined]); // biome-ignore format: one line
    const line = marks(scatter({ mode: "lines", x: [5, 8], y: [5, 5] }));
    assert.deepEqual(at(line, 50, 100), ["n", 5]);
    const both = marks(scatter({ name: "low", x: [5], y: [4] }), scatter({ name: "high", x: [5], y: [6] }));
    assert.deepEqual(at(both, 50, 45), ["high", 5]);
    const hidden = marks(
      scatter({ x: [5, 11, 3], y: [5, 5, Number.NaN] }),
      scatter({ hoverinfo: "skip", x: [5], y: [5] }),
    );
    assert.deepEqual(
      hidden.map(({ values }) => values.x),
      [5],
      "neither beyond the panel nor without a place",
    );
  });

  it("finds bars by their column, cells by themselves", () => {
    const bars = barComparison({
      categories: ["a", "b"],
      yTitle: "",
      series: [
        { name: "s", values: [1, 4] },
        { name: "t", values: [2, 3] },
      ],
    });
    const placed = placeFigure(bars);
    const all = marksOf(placed);
    const [panel] = placed.panels;
    for (const mark of all)
      assert.equal(markAt(all, mark.x, panel!.box.top + 1), mark, "high above a low bar, too");
    assert.deepEqual(wordsOf(all[1]!), ["s, b: 4"]);
    const cells = placeFigure(
      heatmapGrid({ maps: [{ title: "eye", values: [[1, -2.34567]] }], zTitle: "z" }),
    );
    const found = marksOf(cells);
    assert.deepEqual(found.map((mark) => wordsOf(mark)), [["eye", "row 0, column 0: 1"], ["eye", "row 0, column 1: −2.346"]]); // biome-ignore format: one line
    assert.equal(markAt(found, found[1]!.x, found[1]!.y), found[1]);
    assert.ok(found[0]!.color !== found[1]!.color);
  });

  it("says the numbers as the template has them, decoded, and the trace's name once", () => {
    const said = (more: object) => wordsOf(marks(scatter({ x: [5], y: [-1.23456], ...more }))[0] ?? marks(scatter({ x: [5], y: [1.23456], ...more }))[0]!); // biome-ignore format: one line
    assert.deepEqual(said({}), ["n", "5: 1.235"]);
    assert.deepEqual(said({ hovertemplate: "%{text}<br>%{y:.1f}<extra></extra>", text: ["a &lt; b"] }), [
      "n",
      "a < b",
      "1.2",
    ]);
    assert.deepEqual(said({ hovertemplate: "n at %{x:.2g}, %{customdata}, %{none}" }), ["n at 5, –, –"]);
    assert.deepEqual(said({ name: "5" }), ["5", "5: 1.235"], "a number that is the same is no name");
    const map = marksOf(placeFigure(heatmapGrid({ maps: [{ title: "1", values: [[1]] }], zTitle: "" })));
    assert.deepEqual(wordsOf(map[0]!), ["1", "row 0, column 0: 1"]);
    assert.deepEqual(said({ hovertemplate: "%{x}<br>n %{y}" }), ["5", "n 1.235"]);
    assert.deepEqual(said({ hovertemplate: "no %{y}" }), ["n", "no 1.235"]);
    assert.deepEqual(said({ name: undefined }), ["5: 1.235"]);
  });

  it("zooms by rectangles of eight pixels and more, both ways round, within the panel, equal axes alike", () => {
    const equal = {
      ...layout,
      xaxis2: { range: [0, 10] as [number, number], anchor: "y2", domain: [0.5, 1] as [number, number] },
      yaxis2: { range: [0, 5] as [number, number] },
    };
    const drawn = figure(
      [scatter({ x: [1], y: [1] }), scatter({ x: [1], y: [1], xaxis: "x2", yaxis: "y2" })],
      equal,
      "",
    );
    const [panel] = placeFigure(drawn).panels;
    const zoomed = (...rectangle: [number, number, number, number]) =>
      zoomTo(drawn, new Map(), panel!, rectangle);
    const ranges = zoomed(20, 10, 60, 50);
    assert.deepEqual([...ranges], [["xaxis", [2, 6]], ["xaxis2", [2, 6]], ["yaxis", [5, 9]]]); // biome-ignore format: one line
    assert.deepEqual([...zoomed(60, 50, 20, 10)], [...ranges]);
    assert.deepEqual([...zoomed(-50, 50, 20, 200)].map(([, range]) => range), [[0, 2], [0, 2], [0, 5]]); // biome-ignore format: one line
    assert.deepEqual(
      [zoomed(20, 10, 27.9, 50).size, zoomed(20, 10, 60, 17.9).size, zoomed(20, 10, 28, 18).size],
      [0, 0, 3],
    );
    const seen = withView(drawn, ranges, new Set([1]));
    assert.deepEqual([seen.layout.xaxis!.range, seen.layout.xaxis2!.anchor, seen.data.map(({ visible }) => visible)], [[2, 6], "y2", [undefined, "legendonly"]]); // biome-ignore format: one line
    assert.deepEqual(drawn.layout.xaxis!.range, [0, 10], "the figure stays as it was");
    assert.equal(zoomable(placeFigure(drawn), 99, 99)?.xName, "xaxis");
    assert.equal(zoomable(placeFigure(drawn), 101, 50), undefined);
    assert.equal(
      zoomable(placeFigure(heatmapGrid({ maps: [{ title: "", values: [[1]] }], zTitle: "" })), 200, 200),
      undefined,
    );
  });
});
