import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it, mock } from "node:test";
import { inspect } from "node:util";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import { AnswerAttention } from "../../../src/analysis/answers/answerAttention";
import { VisualTokens } from "../../../src/analysis/answers/visualTokens";
import type { AttentionMaps } from "../../../src/analysis/attentionMaps";
import { rowWeights } from "../../../src/analysis/quantizedRows";
import { type Comm, type CommMessage, type CommTarget, setKernelHost } from "../../../src/core/kernelHost";
import { imageFolder, transforms, unnormalize } from "../../../src/data";
import { ready } from "../../../src/engine";
import {
  answerViewer,
  attentionViewer,
  colormap,
  lookInside,
  type PatchViewer,
  patchWords,
} from "../../../src/figures";
import { Evidence } from "../../../src/figures/attention/browser/evidence";
import { readModels, type ViewerHeader } from "../../../src/figures/attention/browser/payload";
import { headNumbers } from "../../../src/figures/attention/gather";
import { takeQuestions } from "../../../src/figures/attention/headQuestions";
import { expectComparable } from "../../../src/figures/attention/page";
import { layerName } from "../../../src/figures/patches/answerViewer";
import { mapStart, type PatchHeader, steps } from "../../../src/figures/patches/browser/header";
import { makePatchViewer } from "../../../src/figures/patches/patchViewer";
import { classifier } from "../../../src/models";
import { assertRejects, temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";
import { writeImages } from "../train/support";
import { syntheticMaps } from "./syntheticMaps";

function contentsOf(html: string) {
  const part = (name: string) => new RegExp(`class="luvit-attention-${name}">([^<]*)<`).exec(html)![1]!;
  const header = JSON.parse(part("header")) as ViewerHeader;
  const bytes = gunzipSync(Buffer.from(part("data"), "base64"));
  const models = readModels(
    header,
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
  );
  return {
    header,
    evidence: models.map(({ numbers }, i) => new Evidence(header, header.models[i]!, numbers)),
  };
}

/** Mean over heads of a query's row. */
function meanRow({ layers, tokens }: AttentionMaps, index: number, query: number): number[] {
  const { pattern, heads } = layers[index]!;
  const rows = Array.from({ length: heads }, (_, head) => rowWeights(pattern, head * tokens + query));
  return Array.from({ length: tokens }, (_, key) => rows.reduce((sum, row) => sum + row[key]! / heads, 0));
}

describe("an attention viewer's still image", () => {
  const maps = syntheticMaps({
    grid: { rows: 2, columns: 4 },
    side: 64,
    layers: { "blocks.0": 2, "blocks.1": 3, "llama.layers.0": 2 },
  });
  const middle = 1 + 4 + 2; // the token of row 2, column 3

  it("has the image with a frame around the middle patch, and where the class token and that patch look, from nothing to the most", async () => {
    const viewer = await attentionViewer(maps);
    const svg = await viewer.image.toSvg();
    const layers = await Promise.all(
      [...svg.matchAll(/href="data:image\/png;base64,([^"]+)"/g)].map(async ([, bytes]) => {
        const { data, info } = await sharp(Buffer.from(bytes!, "base64")).removeAlpha().raw().toBuffer({ resolveWithObject: true }); // biome-ignore format: one line
        return (x: number, y: number) => [...data.subarray(3 * (info.width * y + x)).subarray(0, 3)];
      }),
    );
    assert.equal(layers.length, 3);
    const pixels = unnormalize(maps.sample.image, 64, 32);
    // 192 pixels over four patches: each is 48 wide, three times the image's own.
    const original = (x: number, y: number) => [
      ...pixels.data.subarray(3 * (64 * Math.floor(y / 3) + Math.floor(x / 3))).subarray(0, 3),
    ];
    const [black, white] = [[0, 0, 0], [255, 255, 255]]; // biome-ignore format: one line
    for (const [x, y, expected] of [
      [96, 48, black],
      [97, 49, white],
      [98, 50, black],
      [99, 51, original(99, 51)],
      [143, 95, black],
      [142, 94, white],
      [119, 71, original(119, 71)],
      [95, 47, original(95, 47)],
      [144, 48, original(144, 48)],
    ] as const)
      assert.deepEqual(layers[0]!(x, y), expected, `${x} ${y}`);
    for (const [layer, query] of [
      [1, 0],
      [2, middle],
    ] as const) {
      const row = meanRow(maps, 1, query).slice(1);
      const most = Math.max(...row);
      for (const [x, y, patch] of [
        [10, 10, 0],
        [60, 20, 1],
        [20, 80, 4],
        [120, 72, 6],
      ] as const) {
        const colors = colormap("magma", row[patch]! / most);
        const mixed = original(x, y).map((c, i) => Math.round(0.38 * c + 0.62 * colors[i]!));
        for (const [i, channel] of layers[layer]!(x, y).entries()) assert.ok(Math.abs(channel - mixed[i]!) <= 2, `${query}, ${patch}: ${layers[layer]!(x, y)} and ${mixed}`); // biome-ignore format: one line
      }
    }
    for (const word of ["image, framed patch", "class token looks at", "framed patch looks at", "ViT block 2"]) assert.ok(svg.includes(word), word); // biome-ignore format: one line
    const percent = (query: number) => (100 * Math.max(...meanRow(maps, 1, query).slice(1))).toFixed(1);
    for (const query of [0, middle]) assert.ok(svg.includes(`0 – ${percent(query)}\u00a0%`), `${query}`);
    const row = meanRow(maps, 1, middle);
    const place = row.indexOf(Math.max(...row.slice(1)));
    const most =
      place === middle
        ? "itself"
        : `the patch in row ${1 + Math.floor((place - 1) / 4)}, column ${1 + ((place - 1) % 4)}`;
    assert.ok(
      viewer.summary.endsWith(
        `mean of 3 heads: the patch in row 2, column 3 looks most at ${most} (${percent(middle)}\u00a0%).`,
      ),
      viewer.summary,
    );
  });

  it("is of the last ViT block that is chosen, else of the last layer there is", async () => {
    const block = async (layers: string[]) =>
      /model, (.*?), mean/.exec((await attentionViewer(maps, { layers })).summary)![1];
    assert.match((await block(["blocks.0", "llama.layers.0"]))!, /ViT block 1/);
    assert.match((await block(["llama.layers.0"]))!, /LLaMA/);
  });

  it("of the page goes by its title, its labels, the layers that are chosen, and what is the object", async () => {
    const { sample } = maps;
    sample.valid![3] = 0;
    const viewer = await attentionViewer([maps, maps], {
      title: "T & <b>",
      labels: ["one", "two"],
      layers: ["blocks.1"],
    });
    sample.valid![3] = 1;
    const { header } = contentsOf(viewer.html);
    assert.deepEqual(
      [header.title, viewer.title, header.models.map(({ title }) => title)],
      ["T & <b>", "T & <b>", ["one", "two"]],
    );
    assert.deepEqual(
      [header.models[0]!.layers.map(({ name }) => name), header.models[0]!.leftOut],
      [["blocks.1"], ["blocks.0", "llama.layers.0"]],
    );
    assert.deepEqual(header.models[0]!.regions, [1, 1, 0, -1, 1, 1, 0, 0]);
    assert.deepEqual(header.models[0]!.stages.map(({ name, heads }) => [name, heads]), [["blocks.0", 2], ["blocks.1", 3], ["llama.layers.0", 2]]); // biome-ignore format: one line
    assert.equal(contentsOf((await attentionViewer(maps)).html).header.title, "Where does each patch look?");
    assert.deepEqual([header.labels, header.choices, header.methods, header.live], [[], [], [], undefined]);
    for (const [name, table] of [
      ["attention", "magma"],
      ["entropy", "viridis"],
      ["effect", "coolwarm"],
    ] as const) {
      const bytes = Buffer.from(header.colors[name], "base64");
      assert.deepEqual(
        [[...bytes.subarray(0, 3)], [...bytes.subarray(765)]],
        [colormap(table, 0), colormap(table, 1)],
        name,
      );
    }
    const folder = temporaryFolder();
    assert.match(readFileSync(viewer.save(join(folder, "a.HTM")), "utf8"), /<title>T &amp; &lt;b><\/title>/);
    assert.deepEqual(readFileSync(viewer.save(join(folder, "a.Png"))), Buffer.from(viewer.image.png));
    assert.equal(readFileSync(viewer.save(join(folder, "a.svg")), "utf8"), await viewer.image.toSvg());
    assert.equal(`${viewer}`, `AttentionViewer: ${viewer.summary}`);
  });

  it("stands beside another of the same patches only, with as many labels", () => {
    const other = syntheticMaps({ grid: { rows: 4, columns: 2 }, layers: { "blocks.0": 1 } });
    expectComparable("f", [maps, maps], ["a", "b"]);
    for (const [models, labels, message] of [
      [[], [], "f: shows one model or two side by side, got 0"],
      [[maps], ["a", "b"], "f: 1 models need as many labels, got 2"],
      [[maps, other], ["a", "b"], "f: models side by side need the same patches, got 2 × 4 and 4 × 2"],
    ] as const)
      assert.throws(() => expectComparable("f", models, labels), isLuvitError("bad-argument", message));
  });

  it("counts how far heads look in sides of patches, rows and columns apart", () => {
    const { "heads.distance": distance, "heads.entropy": entropy } = headNumbers(maps);
    assert.equal(distance.length, 7);
    const { pattern, entropy: rows } = maps.layers[1]!;
    let expected = 0;
    for (let q = 0; q < 8; q++) {
      const row = rowWeights(pattern, 1 * 9 + q + 1);
      for (let k = 0; k < 8; k++)
        expected += (row[k + 1]! * Math.hypot((q % 4) - (k % 4), Math.floor(q / 4) - Math.floor(k / 4))) / 8;
    }
    assert.ok(Math.abs(distance[3]! - expected) < 1e-5, "the second head of the second layer");
    assert.ok(Math.abs(entropy[3]! - rows.subarray(9, 18).reduce((a, b) => a + b) / 9) < 1e-5);
  });
});

describe("what lookInside takes", () => {
  before(() => ready());
  const encoder = { imageSize: 16, patchSize: 4, dim: 24, depth: 2, heads: 3, mlpRatio: 2 };
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const model = classifier.create({ encoder, classes: 8, classNames: names, seed: 5 });
  const image = { data: Uint8Array.from({ length: 768 }, (_, i) => (37 * i) % 256), width: 16, height: 16 };
  const engine = { engine: "eager" } as const;
  const page = async (options: object = {}, given: unknown = image) => contentsOf((await lookInside(model, given as never, { ...engine, ...options })).html); // biome-ignore format: one line

  it("are a title, labels, layers and a size of the page", async () => {
    const { header } = await page({ title: "T", labels: ["L"], layers: ["blocks.0"] });
    assert.deepEqual(
      [header.title, header.models[0]!.title, header.models[0]!.layers.map(({ name }) => name)],
      ["T", "L", ["blocks.0"]],
    );
    await assertRejects(() => lookInside(model, image, { ...engine, layers: ["blocks.0"], maxBytes: 60_000 }), "bad-argument", "take", "maxBytes"); // biome-ignore format: one line
  });

  it("are one image of a set, or two, and names of classes: those given, the model's, the set's, else numbers", async () => {
    const set = await imageFolder(await writeImages(temporaryFolder(), 2), {
      transform: transforms.evaluation(16),
    });
    const { header, evidence } = await page({ index: [3, 0] }, set);
    assert.deepEqual(
      header.models.map(({ title }) => title),
      ["image 3", "image 0"],
    );
    const said = header.choices.map((choice) => header.labels[choice]!);
    const alone = await page({ index: 3, classes: said.map((name) => names.indexOf(name)) }, set);
    assert.deepEqual(evidence[0]!.chances(), alone.evidence[0]!.chances());
    const wide = classifier.create({ encoder, classes: 30, seed: 6 });
    const seen = async (options: object) => contentsOf((await lookInside(wide, set, { ...engine, ...options })).html); // biome-ignore format: one line
    const chances = (await seen({ classes: [...Array(30).keys()] })).evidence[0]!.chances()!;
    const likeliest = [...chances.keys()].sort((a, b) => chances[b]! - chances[a]!).slice(0, 5);
    assert.ok(!likeliest.includes(0), `${likeliest}`);
    const usual = (await seen({})).header;
    assert.deepEqual(
      usual.choices.map((choice) => usual.labels[choice]),
      [...likeliest, 0].map((one) => set.classes[one] ?? `class ${one}`),
      "the five likeliest, and the image's own",
    );
    const unnamed = classifier.create({ encoder, classes: 2, seed: 5 });
    const labelOf = async (given: unknown, options: object = {}) => contentsOf((await lookInside(unnamed, given as never, { ...engine, classes: [1], ...options })).html).header.labels[0]; // biome-ignore format: one line
    assert.equal(await labelOf(set), set.classes[1]);
    assert.equal(await labelOf(image), "class 1");
    assert.equal(await labelOf(set, { classNames: ["no", "yes"] }), "yes");
    await assertRejects(() => lookInside(model, set, { ...engine, index: [0, 1, 2] }), "bad-argument", "1 models and 3 images"); // biome-ignore format: one line
  });

  it("are numbers of heads where they are left out, or taken in with what is answered without them", async () => {
    const sections = async (options: object) => (await page({ classes: [0], ...options })).header.models[0]!.sections.map(({ name }) => name); // biome-ignore format: one line
    const start = ["answer", "answer.label", "answer.chance"];
    const heads = ["heads.entropy", "heads.distance"];
    assert.deepEqual(await sections({ heads: true, norms: true }), [...start, "norms", ...heads]);
    assert.deepEqual(await sections({ ablate: true, heads: false }), [...start, ...heads, "heads.answer", "heads.label", "heads.chance"]); // biome-ignore format: one line
    assert.deepEqual(await sections({ lens: true, relevance: ["legrad", "chefer"] }), [...start, "relevance.legrad", "relevance.chefer", "lens.label", "lens.chance", "lens.choices"]); // biome-ignore format: one line
  });

  it("leaves a page known to the kernel for its questions, and gives memory back a minute after the last", async () => {
    const targets = new Map<string, CommTarget>();
    setKernelHost({ id: "kernel-1", registerTarget: (name, open) => void targets.set(name, open), openComm: () => assert.fail(), clearOutput: () => assert.fail() }); // biome-ignore format: one line
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const plain = (await page({ classes: [3] })).header;
      assert.equal(plain.live, undefined, "only where heads can be switched off");
      assert.deepEqual([plain.title, plain.models[0]!.title], ["What is in there?", "model"]);
      const { header, evidence } = await page({ classes: [3, 1], ablate: true });
      assert.equal(header.live!.kernel, "kernel-1");
      assert.deepEqual([...targets.keys()], ["luvit.heads"]);
      const sent: object[] = [];
      const closed: unknown[] = [];
      let listen: (message: CommMessage) => void = () => assert.fail();
      const comm: Comm = { id: "c", target: "luvit.heads", send: (data) => sent.push(data), close: (data) => closed.push(data), onMessage: (own) => { listen = own; }, onClose: () => {} }; // biome-ignore format: one line
      const message = (data: Record<string, unknown>) => ({ data, metadata: {}, buffers: [] });
      targets.get("luvit.heads")!(comm, message({ page: header.live!.page }));
      const until = async (done: () => boolean) => { for (let i = 0; i < 1000 && !done(); i++) await new Promise(setImmediate); }; // biome-ignore format: one line
      const ask = async (number: number) => { listen(message({ ask: number, panel: 0, off: [{ layer: "blocks.1", head: 2 }] })); await until(() => sent.length === number); }; // biome-ignore format: one line
      await ask(1);
      mock.timers.tick(59_000);
      await ask(2);
      mock.timers.tick(59_999);
      await until(() => closed.length > 0);
      assert.equal(closed.length, 0, "each question begins the minute anew");
      const expected = evidence[0]!.chances({ layer: "blocks.1", head: 2 })!;
      const { chances } = sent[1] as { chances: number[] };
      assert.ok(
        chances.every((chance, i) => Math.abs(chance - expected[i]!) < 1e-5),
        `${chances}: ${expected}`,
      );
      mock.timers.tick(2);
      await until(() => closed.length > 0);
      assert.deepEqual(closed, [undefined]);
      const other: unknown[] = [];
      targets.get("luvit.heads")!({ ...comm, close: (data) => other.push(data) }, message({ page: "none" }));
      assert.match(inspect(other), /does not know this page/);
    } finally {
      mock.timers.reset();
      setKernelHost(undefined);
    }
  });
});

describe("pages that ask the kernel", () => {
  it("are the last 32 of it, each known by a name of its own; where no kernel is, none", () => {
    const about = { models: [], choices: [0], name: String, engine: {} };
    assert.equal(takeQuestions(about), undefined);
    let take: CommTarget = () => assert.fail();
    const host = (id: string | undefined) =>
      setKernelHost({ id, registerTarget: (_, open) => { take = open; }, openComm: () => assert.fail(), clearOutput: () => assert.fail() }); // biome-ignore format: one line
    host(undefined);
    assert.equal(takeQuestions(about), undefined, "a kernel whose name nobody knows cannot be asked");
    host("k");
    const asked = Array.from({ length: 33 }, () => takeQuestions(about)!);
    setKernelHost(undefined);
    assert.ok(asked.every(({ kernel }) => kernel === "k"));
    assert.equal(new Set(asked.map(({ page }) => page)).size, 33);
    const isKnown = (page: unknown) => {
      let closed = false;
      const comm = { id: "c", target: "t", send: () => {}, close: () => { closed = true; }, onMessage: () => {}, onClose: () => {} }; // biome-ignore format: one line
      take(comm, { data: { page }, metadata: {}, buffers: [] });
      return !closed;
    };
    assert.deepEqual([isKnown(asked[0]!.page), isKnown(asked[1]!.page), isKnown(asked[32]!.page), isKnown("constructor"), isKnown(undefined)], [false, true, true, false, false]); // biome-ignore format: one line
  });
});

describe("viewers of patches", () => {
  const grid = { rows: 1, columns: 2 };
  const image = { values: new Float32Array(192), side: 8, grid };
  const carried = ({ html }: PatchViewer) => {
    const between = (start: string) => html.split(start)[1]!.split("</script>")[0]!;
    const packed = gunzipSync(Buffer.from(between('class="luvit-patches-data">'), "base64"));
    const header: PatchHeader = JSON.parse(between('class="luvit-patches-header">'));
    return {
      header,
      numbers: Array.from(new Uint16Array(new Uint8Array(packed).buffer), (value) => value / steps),
    };
  };

  it("carry numbers from 0 to 1, in the order of their axes, and refuse more than a page bears", async () => {
    const parts = {
      ...{ where: "here", seen: image as never, title: "T <", hint: "H", start: [0, 1], unit: "U", sum: "S", zTitle: "Z", summary: "said" },
      axes: [{ name: "a", choices: ["x", "y"] }, { name: "b", choices: ["1", "2", "3"] }],
      map: ([a, b]: readonly number[]) => [a! / 2 + b! / 10, a === 1 ? 7 : -1],
      still: [{ title: "one", chosen: [1, 2] }],
    }; // biome-ignore format: an object
    const viewer = await makePatchViewer(parts);
    const { header, numbers } = carried(viewer);
    assert.deepEqual(
      numbers.map((x) => Number(x.toFixed(2))),
      [0, 0, 0.1, 0, 0.2, 0, 0.5, 1, 0.6, 1, 0.7, 1],
    );
    assert.equal(mapStart(header, [1, 0]), 6);
    assert.deepEqual(
      [header.title, header.hint, header.unit, header.sum, header.start, header.axes, header.grid],
      ["T <", "H", "U", "S", [0, 1], parts.axes, grid],
    );
    assert.match(viewer.html, /<b>T &lt;<\/b>/);
    assert.equal(viewer.image.alt, "1 image under Z, 0.7 to 7");
    assert.deepEqual([viewer.title, viewer.summary, inspect(viewer)], ["T <", "said", "PatchViewer: said"]);
    const axes = (count: number) => [{ name: "a", choices: Array(count).fill("") }];
    await assertRejects(
      () => makePatchViewer({ ...parts, axes: axes(2_000_001) }),
      "bad-argument",
      "here: 4000002 numbers, a page bears 4000000",
    );
    const folder = temporaryFolder();
    assert.match(readFileSync(await viewer.save(join(folder, "a.HTM")), "utf8"), /<title>T &lt;<\/title>/);
    assert.deepEqual(readFileSync(await viewer.save(join(folder, "a.PNG"))), Buffer.from(viewer.image.png));
    assert.equal(readFileSync(await viewer.save(join(folder, "a.svg")), "utf8"), await viewer.image.toSvg());
  });

  it("of answers begin at the last layer, with the mean of heads; of words at what is said most there", async () => {
    const weights = Float32Array.of(0.1, 0.2, 0.3, 0.2, 0.5, 0.1, 0, 0.1);
    const layers = ["layers.0", "layers.4"].map((layer) => ({ layer, heads: 2, weights }));
    const attention = new AnswerAttention("q?", "a", ["t\u001b", "u"], image as never, layers);
    const viewer = await answerViewer(attention);
    const { header } = carried(viewer);
    assert.deepEqual(
      [header.start, header.axes.map(({ name }) => name), viewer.title],
      [[0, 1, 0], ["token", "layer", "head"], "q? a"],
    );
    assert.deepEqual(header.axes[1]!.choices, ["block 1", "block 5"]);
    assert.ok(!header.axes[0]!.choices[0]!.includes("\u001b"));
    // Means of both heads: 0.2 and 0.2; 0.25 and 0.1.
    assert.match(viewer.summary, /^attention on the image in layers\.4, mean of heads: .* 40 %, “u” 35 %$/);
    const said = new VisualTokens(["red", "blue"], image as never, [
      { site: "embed", likelihood: Float32Array.of(0.9, 0.1, 0.9, 0.1) },
      { site: "layers.1.out", likelihood: Float32Array.of(0.3, 0.35, 0.2, 0.5) },
    ] as never); // biome-ignore format: a table
    const words = await patchWords(said, { title: "W" });
    assert.deepEqual([carried(words).header.start, words.title, carried(words).header.axes[1]!.choices], [[1, 1], "W", ["enters", "block 2"]]); // biome-ignore format: one line
    assert.equal(words.summary, "likeliest at a patch of layers.1.out: red 0.30, blue 0.50");
    assert.deepEqual(["layers.0", "layers.11.out", "embed", "layers.x", "llama.layers.1"].map(layerName), ["block 1", "block 12", "embed", "layers.x", "llama.layers.1"]); // biome-ignore format: one line
    const many = new VisualTokens(Array.from({ length: 11 }, (_, i) => `w${i}`), image as never, [{ site: "embed", likelihood: new Float32Array(22) }] as never); // biome-ignore format: one line
    const still = await patchWords(many);
    assert.deepEqual([still.title, still.image.alt.split(" under")[0]], ["What each patch says", "9 images"]);
  });
});
