import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { suite } from "../../../src/analysis/suite";
import { main } from "../../../src/commandLine/main";
import { startBackend } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { classifier } from "../../../src/models";
import { temporaryFolder, tinyViT, writeImages } from "../train/support";

const folder = temporaryFolder();
const shard = (index: number) => join(folder, `${index}`);

before(async () => {
  await startBackend();
  const set = await imageFolder(await writeImages(join(folder, "images")), {
    transform: transforms.evaluation(16),
  });
  const net = classifier.create({ encoder: tinyViT, classes: 2 });
  for (const index of [1, 2, 3]) {
    const about = { recipe: "finetuneLuvit", seed: 0, out: shard(index), shard: { index, count: 3 } };
    await suite(net, { in1k: set }, about).done;
  }
});

async function merge(...words: string[]): Promise<{ status: number; said: string }> {
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const status = await main(["evaluate", "--merge", ...words], { print: hear, complain: hear });
  return { status, said: said.join("\n") };
}

/** A copy of the second shard in which something was changed. */
function changed(name: string, change: (at: string) => void): string {
  const at = join(folder, name);
  cpSync(shard(2), at, { recursive: true });
  change(at);
  return at;
}

test("a whole set of shards is merged in any order, to the same numbers, with status 0", async () => {
  const ordered = await merge(shard(1), shard(2), shard(3), "--out", join(folder, "a"));
  const mixed = await merge(shard(3), shard(1), shard(2), "--out", join(folder, "b"));
  assert.deepEqual(ordered, mixed);
  assert.equal(ordered.status, 0);
  const lines = (name: string) => readFileSync(join(folder, name, "results.jsonl"), "utf8");
  assert.equal(lines("a"), lines("b"));
  assert.doesNotMatch(ordered.said, /not evaluated/);
});

test("an incomplete set names what is missing and ends with 1", async () => {
  const { status, said } = await merge(shard(3), shard(1));
  assert.equal(status, 1);
  assert.match(said, /not evaluated:\n\s+shard 2\/3 never came\n\s+in1k: images 4 to 7/);
});

test("a shard that has begun and not ended is told from one that never came, in a folder of all, too", async () => {
  const shared = join(folder, "shared");
  for (const index of [1, 3]) cpSync(shard(index), shared, { recursive: true });
  const begun = changed("begun", (at) => rmSync(join(at, "answers", "in1k"), { recursive: true }));
  for (const folders of [
    [shared, begun],
    [begun, shard(1), shard(3)],
  ]) {
    const { status, said } = await merge(...folders);
    assert.equal(status, 1);
    assert.match(said, /not evaluated:\n\s+shard 2\/3 has not ended\n\s+in1k: images 4 to 7/);
  }
});

test("answers of another recipe, seed or model are refused", async () => {
  for (const [key, value] of [
    ["recipe", "supervised"],
    ["seed", 1],
  ]) {
    const other = changed(`other-${key}`, (at) => {
      const path = join(at, "suite.json");
      const facts = JSON.parse(readFileSync(path, "utf8"));
      facts.provenance[key] = value;
      writeFileSync(path, JSON.stringify(facts));
    });
    const out = join(folder, `refused-${key}`);
    const { status, said } = await merge(shard(1), other, shard(3), "--out", out);
    assert.equal(status, 1);
    assert.match(said, new RegExp(`${key}: was .*, now "?${value}"?`));
    assert.ok(!existsSync(out));
  }
});

test("shards that contradict each other are refused", async () => {
  const other = classifier.create({ encoder: tinyViT, classes: 2 });
  const bias = other.head.bias!;
  // Everything is the class that the other model does not choose.
  const set = await imageFolder(join(folder, "images"), { transform: transforms.evaluation(16) });
  const own = await suite(other, { in1k: set }).done;
  const chosen = own.answers("in1k").getChild("prediction")!.get(4) as number;
  bias.load({ shape: [2], data: Float32Array.of(chosen === 0 ? -1e4 : 1e4, chosen === 0 ? 1e4 : -1e4) });
  const out = join(folder, "contradicting");
  await suite(other, { in1k: set }, { recipe: "finetuneLuvit", seed: 0, out, shard: { index: 2, count: 3 } })
    .done;
  cpSync(join(shard(2), "suite.json"), join(out, "suite.json")); // as if the weights were the same
  const { status, said } = await merge(shard(1), shard(2), out, shard(3));
  assert.equal(status, 1);
  assert.match(said, /is answered twice: label/);
});

test("answers under a name that promises others, and facts that are none, are refused", async () => {
  const renamed = changed("renamed", (at) => {
    const answers = join(at, "answers", "in1k");
    const [file] = readdirSync(answers);
    renameSync(join(answers, file), join(answers, "000000-000004.arrow"));
  });
  const wrong = await merge(renamed);
  assert.equal(wrong.status, 1);
  assert.match(wrong.said, /answers image 4, expected images 0 to 3, as its name says/);
  for (const facts of ["{}", '{"parts":[]}', "null", '{"sha256":1,"classes":-1}']) {
    const strange = changed("strange", (at) => writeFileSync(join(at, "suite.json"), facts));
    const { status, said } = await merge(shard(1), strange);
    assert.equal(status, 1);
    assert.match(said, /suite\.json: /);
    assert.doesNotMatch(said, /fault of luvit's/);
  }
});

test("facts that name parts outside of their folder are refused before anything is read", async () => {
  const strange = changed("outside", (at) => {
    const facts = JSON.parse(readFileSync(join(at, "suite.json"), "utf8"));
    facts.parts = { "../../1/answers/in1k": 8 };
    writeFileSync(join(at, "suite.json"), JSON.stringify(facts));
  });
  const { status, said } = await merge(strange);
  assert.equal(status, 1);
  assert.match(said, /suite\.json: not what a suite writes/);
});
