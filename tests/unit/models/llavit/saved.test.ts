import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend } from "../../../../src/core/tf";
import { llama, llavit, lora } from "../../../../src/models";
import { isLuvitError, valuesOf } from "../../nn/support";
import { perturb } from "../support";
import { luvitTower, qwenLanguage, start, tinyLanguage, tinyLlavit, tinySequences } from "./support";

const folder = mkdtempSync(join(tmpdir(), "luvit-llavit-"));
before(() => startBackend());
after(() => rmSync(folder, { recursive: true, force: true }));

const kinds: [string, () => Parameters<typeof tinyLlavit>[0]][] = [
  ["LLaVA", () => ({})],
  [
    "copies in some blocks over a LUViT",
    () => ({ tower: luvitTower(), layers: [0, 2], visionQkv: "full", visionBlocks: [1, 3] }),
  ],
  [
    "low-rank updates of Qwen2",
    () => ({ language: qwenLanguage(), visionQkv: "lora", rank: 2, alpha: 5, visionMask: "none" }),
  ],
  ["a tied table", () => ({ language: tinyLanguage({ tiedEmbeddings: true }), visionMask: "bidirectional" })],
];

for (const [i, [name, options]] of kinds.entries()) {
  test(`what was saved opens as the same model: ${name}`, async () => {
    const model = await tinyLlavit(options());
    perturb(model);
    model.template = { before: "<", between: ">", after: "?", end: "!" };
    const place = join(folder, String(i));
    await model.save(place);
    const opened = await llavit.open(place);
    assert.deepEqual(opened.describe(), model.describe());
    const logits = (one: typeof model) => valuesOf(() => one.forward(tinySequences(), start));
    assert.deepEqual(logits(opened), logits(model));
    const trained = (one: typeof model) =>
      [...one.namedParameters()].filter(([, p]) => p.trainable).map(([path]) => path);
    assert.deepEqual(trained(opened), trained(model));
  });
}

test("adapters of the language model are saved with it, and copies have their own", async () => {
  const language = tinyLanguage();
  lora.attach(language, { rank: 2, targets: ["q_proj"] });
  perturb(language);
  const model = await tinyLlavit({ language, visionQkv: "full" });
  const place = join(folder, "adapters");
  await model.save(place);
  const opened = await llavit.load(place);
  assert.ok(Object.keys(opened.describe().lora).includes("layers.1.attention.vision_wq"));
  const logits = (one: typeof model) => valuesOf(() => one.forward(tinySequences(), start));
  assert.deepEqual(logits(opened), logits(model));
  await assert.rejects(llama.load(place), isLuvitError("bad-argument", "holds a llavit", "llavit.load"));
});

test("options of the hub, and averages of a run, are refused of a folder that was saved, all by name", async () => {
  const place = join(folder, "options");
  await (await tinyLlavit()).save(place);
  const given = { revision: "main", hub: { token: "x" }, signal: new AbortController().signal };
  const refused = (options: object, ...texts: string[]) =>
    assert.rejects(llavit.open(place, options), isLuvitError("bad-argument", place, ...texts));
  for (const [name, value] of Object.entries(given))
    await refused({ [name]: value }, "not a repository of the hub", `these options apply: ${name}`);
  await refused(given, "these options apply: revision, hub, signal");
  await refused({ averaged: true }, "is no run's folder");
  const none = { revision: undefined, hub: undefined, signal: undefined, averaged: false };
  assert.equal((await llavit.open(place, none)).layers.length, 1);
});
