import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Cells } from "../cells";

const cells = new Cells();
after(() => cells.close());

const isLoaded = 'Object.keys(require.cache).some((path) => path.includes("typescript-for-tslab"))';

test("tslab and its compiler are loaded by the first cell that imports it, which displays through it", async () => {
  assert.equal((await cells.run(isLoaded)).value, "false");
  const { outputs } = await cells.run('import { display } from "tslab";\ndisplay.html("<b>bold</b>");');
  assert.deepEqual(
    outputs.map((one) => (one.output_type === "display_data" ? one.data : one)),
    [{ "text/html": "<b>bold</b>" }],
  );
  assert.equal((await cells.run(isLoaded)).value, "true");
});

test("a package that loads tslab by itself displays from the next cell on", async () => {
  const path = JSON.stringify(require.resolve("tslab"));
  await cells.run(`const own = require(${path});`);
  const { outputs } = await cells.run('own.display.text("words");');
  assert.deepEqual(
    outputs.map((one) => (one.output_type === "display_data" ? one.data : one)),
    [{ "text/plain": "words" }],
  );
});
