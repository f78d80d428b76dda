import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../src/core/errors";
import { huggingFace } from "../../src/data/sets";
import { temporaryFolder } from "../support/temporaryFolder";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("pyarrow");

test("what pyarrow compresses is read to the byte, with labels in words, numbers and dictionaries", {
  skip,
}, async () => {
  const folder = temporaryFolder("arrow");
  runPython("arrow.py", folder);
  const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
  const files = readdirSync(folder).filter((name) => name.endsWith(".arrow"));
  assert.equal(files.length, 12);
  for (const file of files) {
    const { classes, shards, rows } = await huggingFace(join(folder, file), { cache: false });
    const [shard] = shards;
    assert.deepEqual([shard.rows, shard.groups], [700, [0, 256, 512]], file);
    for (const [row, hex] of expected.images.entries()) {
      const label = classes[rows.labels[row]];
      assert.equal(`n${label.replace("n", "").padStart(8, "0")}`, expected.labels[row]);
      const found = await shard.image(row).catch((error: LuvitError) => error);
      if (hex === null) assert.ok(found instanceof LuvitError && found.code === "bad-image");
      else assert.ok(Buffer.from(hex, "hex").equals(found as Uint8Array), `${file} row ${row}`);
    }
  }
});
