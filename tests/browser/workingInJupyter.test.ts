import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { placeCells, shippedCell } from "./jupyter/notebooks";
import { JupyterBrowser, type NotebookPage, until } from "./jupyter/page";
import { jupyter as installed, skip } from "./jupyter/server";

const options = { skip, timeout: 600_000 };

const course = "course/01-an-image-becomes-tokens.ipynb";

const cells = {
  imports: `import * as luvit from "luvit";
const { check, data, figures, mae, recipes, train, vit } = luvit;`,
  sum: "1 + 1",
  training: `const images = await data.imageFolder("../data/shapes/train", { transform: data.transforms.mae(64) });
const model = mae.create({ encoder: vit.toy, decoder: mae.decoderToy });
const run = train.pretrain(model, images, { ...recipes.pretrainToy, epochs: 1000, name: "long" });
luvit.live(run);
await run.done;`,
  kept: "console.log(run.state, run.history.length > 0, run.history.length < run.totalSteps)",
  loop: 'let turns = 0;\nconsole.log("begun");\nwhile (true) turns++;',
  turned: "turns > 0",
  failing: 'function fail(layer: number): never {\n  throw new RangeError("no layer " + layer);\n}\nfail(7)',
  misspelt: "luvit.vitt",
  figure: `const step = (step: number, loss: number) => ({ step, epoch: 0, loss, lr: 1, imagesPerSecond: 1 });
figures.historyCurves({ LUViT: [step(1, 3), step(2, 2), step(3, 1)] }, { title: "Loss", yTitle: "loss" })`,
  inside: `const photos = await data.imageFolder("../data/shapes/val", { transform: data.transforms.none(64) });
const looked = luvit.classifier.create({ encoder: vit.toy, classes: 6, pooling: "cls" });
const { weight } = looked.head;
weight.value.assign(luvit.tf.mul(weight.value, 8)); // so that its answers differ
await figures.lookInside(looked, photos, { ablate: true })`,
  bothOff: `const { sample } = await luvit.analysis.attentionMaps(looked, photos);
const open = luvit.tf.tensor([0, 1, 1, 1], [1, 4, 1, 1]);
const off = ["blocks.2.attn.heads", "blocks.3.attn.heads"];
const edit = (name: string, value: luvit.tf.Tensor) => (off.includes(name) ? luvit.tf.mul(value, open) : value);
const answers = looked.forward(luvit.tf.tensor(sample.image, [1, 3, 64, 64]), { edit });
const chances = luvit.tf.softmax(answers).dataSync();
const top = chances.indexOf(Math.max(...chances));
console.log(photos.classes[top] + " (" + (100 * chances[top]).toFixed(1) + " %)")`,
  debugged: "const edge = 3;\nconst area = edge * edge;\narea",
  counted: shippedCell(course, "tokens/count"),
  patchified: shippedCell(course, "tokens/patchify"),
  complete: "luvit.llama.loadBl",
  inspect: "luvit.mae.create",
};
const at = Object.fromEntries(Object.keys(cells).map((name, index) => [name, index])) as Record<
  keyof typeof cells,
  number
>;

let jupyter: JupyterBrowser;
let opened: NotebookPage;
before(async () => {
  if (skip) return;
  jupyter = await JupyterBrowser.start();
  opened = await jupyter.open(placeCells(jupyter.server, "working.ipynb", Object.values(cells)));
  await opened.run(at.imports);
}, options);
after(() => jupyter?.close());

/** Starts a cell, stops it when it is seen to be under way, and returns how long stopping took beside a sum. */
async function stopped(cell: number, underWay: () => Promise<boolean>): Promise<[took: number, sum: number]> {
  const sum = await timeOf(() => opened.run(at.sum));
  await opened.start(cell);
  await until("the cell is under way", underWay);
  return [await timeOf(() => opened.stop().then(() => opened.finished())), sum];
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const from = Date.now();
  await work();
  return Date.now() - from;
}

const outputsOf = async (cell: number) => (await opened.cells())[cell]!.outputs;

test(
  "the stop button ends a training run within two seconds; it keeps what it has, and the next cell runs",
  options,
  async () => {
    const live = opened.page.locator(".luvit-live");
    const liveText = async () =>
      (await live.count()) > 0 ? ((await live.getAttribute("aria-label")) ?? "") : "";
    const [took, sum] = await stopped(at.training, async () => / step ([2-9]|\d\d)/.test(await liveText()));
    assert.ok(took < 2000 + sum, `it took ${took} ms; a sum takes ${sum} ms`);
    await until("the display says so", async () => / stopped$/.test(await liveText()));
    assert.match(
      (await opened.output(at.training).textContent())!,
      /long stopped\s*step \d|KeyboardInterrupt/,
    );
    const { outputs } = await opened.run(at.kept);
    assert.deepEqual(outputs, [{ output_type: "stream", name: "stdout", text: "stopped true true\n" }]);
  },
);

test("it ends a loop that waits for nothing, and says so", options, async () => {
  const [took, sum] = await stopped(at.loop, async () =>
    /begun/.test(JSON.stringify(await outputsOf(at.loop))),
  );
  assert.ok(took < 2000 + sum, `it took ${took} ms; a sum takes ${sum} ms`);
  assert.match(JSON.stringify(await outputsOf(at.loop)), /KeyboardInterrupt/);
  assert.match((await opened.output(at.loop).textContent())!, /KeyboardInterrupt: the cell was interrupted/);
  assert.match(JSON.stringify((await opened.run(at.turned)).outputs), /"text\/plain":"true"/);
});

test("an error shows its name, the line and where the cell called it", options, async () => {
  const { count } = await opened.run(at.failing);
  const shown = (await opened.output(at.failing).textContent())!;
  const traceback = [
    "RangeError: no layer 7",
    "throw new RangeError",
    `at fail (cell [${count}]:2:9)`,
    `at cell [${count}]:4:1`,
  ];
  for (const line of traceback) assert.ok(shown.includes(line), `${line} is not in ${shown}`);
});

test("a type error shows the compiler's words below the line", options, async () => {
  const { count } = await opened.run(at.misspelt);
  const shown = (await opened.output(at.misspelt).textContent())!;
  const words = `cell [${count}]:1:7 - error TS2551: Property 'vitt' does not exist on type 'typeof import("luvit")'.`;
  for (const line of [words, "Did you mean 'vit'?", "~~~~"])
    assert.ok(shown.includes(line), `${line} is not in ${shown}`);
});

test(
  "a figure that is a cell's value is drawn in the page and reads the nearest point",
  options,
  async () => {
    await opened.run(at.figure);
    const drawing = opened.output(at.figure).locator(".drawing");
    await drawing.scrollIntoViewIfNeeded();
    const { width, height } = await drawing.evaluate(({ clientWidth, clientHeight }) => ({
      width: clientWidth,
      height: clientHeight,
    }));
    await drawing.hover({ position: { x: width / 2, y: height / 2 } });
    assert.match((await opened.output(at.figure).locator(".tip").textContent())!, /step 2/);
  },
);

test(
  "Tab completes with the compiler's names, Shift+Tab shows signature and documentation",
  options,
  async () => {
    const { keyboard } = opened.page;
    await opened.editor(at.complete).click();
    await keyboard.press("End");
    await keyboard.press("Tab");
    await until(
      "it is completed",
      async () =>
        /loadBlock$/.test((await opened.editor(at.complete).textContent())!.trim()) ||
        (await opened.completions.allTextContents()).includes("loadBlock"),
    );
    await keyboard.press("Escape");
    await opened.editor(at.inspect).click();
    await keyboard.press("End");
    await keyboard.press("Shift+Tab");
    await until("the signature is shown", async () =>
      /function create\(/.test((await opened.tooltip.allTextContents()).join()),
    );
  },
);

/** Types over a line of a cell, from 0 on, and runs the cell; what it says. */
async function answered(cell: number, line: number, text: string): Promise<string> {
  const { keyboard } = opened.page;
  await opened.editor(cell).click();
  await keyboard.press("Control+Home");
  for (let above = 0; above < line; above++) await keyboard.press("ArrowDown");
  await keyboard.press("Home");
  await keyboard.press("Shift+End");
  await keyboard.type(text);
  await opened.run(cell);
  return (await opened.output(cell).textContent())!;
}

test("a student types answers into the course's cells and reads what is said of them", options, async () => {
  await opened.run(at.counted);
  assert.match((await opened.output(at.counted).textContent())!, /… open/);
  const patches = "const count = (224 / 16) ** 2;";
  assert.match(await answered(at.counted, 0, patches), /not yet.*one more token stands before them/);
  assert.match(await answered(at.counted, 0, "const count = 14 * 14 + 1;"), /✔ right/);
  const lines = [
    "const patches: number[][] = [];",
    "for (let top = 0; top < image.length; top += p)",
    "for (let left = 0; left < image[0].length; left += p)",
    "patches.push(image.slice(top, top + p).flatMap((row) => row.slice(left, left + p)));",
    "return patches;",
  ];
  assert.match(await answered(at.patchified, 1, lines.join("\n")), /✔ right.*Nothing is lost/);
});

test("two heads switched off in a page are answered by the kernel that made it", options, async () => {
  await opened.run(at.inside);
  const said = (await opened.run(at.bothOff)).outputs;
  const answer = (said[0] as { text: string }).text.trim();
  const page = opened.output(at.inside).locator(".luvit-attention");
  await page.scrollIntoViewIfNeeded();
  const cells = page.locator(".cell");
  await cells.nth(8).click();
  await cells.nth(12).click();
  const text = async () => ((await page.locator(".answer").textContent()) ?? "").replace(/\s/g, " ");
  await until("the kernel has answered", async () =>
    /head 1 of ViT block 4: (?!the kernel is asked)/.test(await text()),
  );
  const shown = await text();
  assert.ok(shown.endsWith(`head 1 of ViT block 4: ${answer}.`), `${shown} expected ${answer}`);
});

const noDebugger = installed?.kind === "lab" ? false : "this Jupyter's page has no debugger";

test("the bug button lights up; a click beside a line stops the cell there, its variables are shown, and it goes on", {
  ...options,
  skip: skip || noDebugger,
}, async () => {
  const { page } = opened;
  const cell = opened.codeCell(at.debugged);
  const textOf = async (part: string) =>
    ((await page.locator(`.jp-Debugger${part}-body`).first().textContent()) ?? "").replace(/\s+/g, " ");
  await opened.editor(at.debugged).click();
  await page.locator('[data-jp-item-name="debugger-icon"]').first().click();
  // Lab asks for what there is between cells first; what a cell shows that stops before the answer is overwritten by it.
  await until("the variables between cells are shown", async () => /luvit/.test(await textOf("Variables")));
  await cell.locator(".cm-breakpoint-gutter .cm-gutterElement").nth(2).click();
  await until("the breakpoint is shown", async () => (await cell.locator(".cm-breakpoint-icon").count()) > 0);
  await opened.start(at.debugged);
  await until("the call stack is shown", async () => /cell/.test(await textOf("Callstack")));
  await until("the variable is shown", async () => /edge:? ?3/.test(await textOf("Variables")));
  assert.ok((await opened.progress())[at.debugged]!.running, "it waits at the breakpoint");
  await page.locator('#jp-debugger-sidebar [data-command="debugger:continue"]').first().click();
  const { outputs } = (await opened.finished())[at.debugged]!;
  assert.match(JSON.stringify(outputs), /"text\/plain":"9"/);
});
