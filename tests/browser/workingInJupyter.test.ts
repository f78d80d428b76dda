import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { placeCells } from "./jupyter/notebooks";
import { JupyterBrowser, type NotebookPage, until } from "./jupyter/page";
import { skip } from "./jupyter/server";

const options = { skip, timeout: 600_000 };
let jupyter: JupyterBrowser;
let opened: NotebookPage;

const imports =
  'import * as luvit from "luvit";\nconst { data, mae, recipes, train, vit } = luvit;\nawait luvit.ready();';
const training = `
const pictures = await data.imageFolder("../data/shapes/train", { transform: data.maeAugment(64) });
const model = mae.create({ encoder: vit.toy, decoder: mae.decoderToy });
const run = train.pretrain(model, pictures, { ...recipes.toyPretrain, epochs: 1000, name: "long" });
luvit.live(run);
await run.done;`;

before(async () => {
  if (skip) return;
  jupyter = await JupyterBrowser.start();
  const cells = [
    imports,
    training,
    "console.log(run.state, run.history.length > 0, run.history.length < 18000)",
    "1 + 1",
    "",
  ];
  opened = await jupyter.open(placeCells(jupyter.server, "working.ipynb", cells));
}, options);
after(() => jupyter?.close());

test(
  "the stop button ends a training run within two seconds; it keeps what it has, and the next cell runs",
  options,
  async () => {
    const { page } = opened;
    await opened.run(0);
    const roundTrip = await timeOf(() => opened.run(3));
    await opened.start(1);
    await until("the run has made steps", async () => {
      const display = page.locator(".luvit-live");
      return (
        (await display.count()) > 0 && / step ([2-9]|\d\d)/.test((await display.getAttribute("aria-label"))!)
      );
    });
    const took = await timeOf(async () => {
      await opened.stop();
      await opened.finished();
    });
    assert.ok(took < 2000 + roundTrip, `stopped after ${took} ms; an empty cell takes ${roundTrip} ms`);
    await until("it is said to be stopped", async () =>
      / stopped$/.test((await page.locator(".luvit-live").getAttribute("aria-label"))!),
    );
    const next = await opened.run(2);
    assert.deepEqual(next.outputs, [{ output_type: "stream", name: "stdout", text: "stopped true true\n" }]);
  },
);

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const from = Date.now();
  await work();
  return Date.now() - from;
}
