import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend } from "../../../../src/core/tf";
import { keepCheckpoint } from "../../../../src/io/checkpoint";
import { writeTorchCheckpoint } from "../../../../src/io/torch";
import { llavit } from "../../../../src/models";
import { readTensors } from "../../../golden/readTensors";
import { tensor } from "../../../golden/support";
import { commit, Imitation } from "../../../support/hubImitation";
import { assertClose, assertSameState, isLuvitError, repository, valuesOf } from "../../nn/support";

const fixtures = join(repository, "tests", "unit", "models", "llavit", "fixtures");
const llava = join(fixtures, "llava");
const folder = mkdtempSync(join(tmpdir(), "luvit-llava-"));
before(() => startBackend());
after(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the small LLaVA with its index and headers under other names, or another config. */
function copied(name: string, change: { rename?: (key: string) => string; config?: object }): string {
  const place = join(folder, name);
  cpSync(llava, place, { recursive: true });
  if (change.config) {
    const path = join(place, "config.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change.config }));
  }
  const { rename } = change;
  if (!rename) return place;
  const renamed = (entries: object) =>
    Object.fromEntries(
      Object.entries(entries).map(([key, x]) => [key === "__metadata__" ? key : rename(key), x]),
    );
  for (const file of readdirSync(place)) {
    const path = join(place, file);
    if (file.endsWith(".index.json")) {
      const index = JSON.parse(readFileSync(path, "utf8"));
      writeFileSync(path, JSON.stringify({ ...index, weight_map: renamed(index.weight_map) }));
    }
    if (!file.endsWith(".safetensors")) continue;
    const bytes = readFileSync(path);
    const end = 8 + Number(bytes.readBigUInt64LE(0));
    writeFileSync(
      path,
      Buffer.concat([headerOf(renamed(JSON.parse(bytes.toString("utf8", 8, end)))), bytes.subarray(end)]),
    );
  }
  return place;
}

function headerOf(entries: object): Buffer {
  const text = Buffer.from(JSON.stringify(entries));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

const styles: [string, ((key: string) => string) | undefined][] = [
  ["as transformers 5 writes it", undefined],
  ["as llava-hf has it", (key) => key.replace(/^vision_tower\./, "vision_tower.vision_model.")],
  [
    "as its authors name it, with its tower",
    (key) =>
      key
        .replace(/^language_model\.lm_head/, "lm_head")
        .replace(/^language_model\.model/, "model")
        .replace(/^multi_modal_projector.linear_1/, "model.mm_projector.0")
        .replace(/^multi_modal_projector.linear_2/, "model.mm_projector.2")
        .replace(/^vision_tower/, "model.vision_tower.vision_tower.vision_model"),
  ],
  [
    "as transformers names its modules",
    (key) =>
      key
        .replace(/^language_model\.lm_head/, "lm_head")
        .replace(/^language_model\.model/, "model.language_model")
        .replace(/^(vision_tower|multi_modal)/, "model.$1"),
  ],
];

for (const [name, rename] of styles) {
  test(`a LLaVA of transformers gives its logits: ${name}`, async () => {
    const model = await llavit.open(copied(name, { rename }));
    const expected = readTensors(join(fixtures, "llava-expected.safetensors"));
    const [images, ids] = [tensor(expected.get("images")!), tensor(expected.get("ids")!)];
    const logits = valuesOf(() => model.forward({ images, ids }, 3));
    assertClose(logits, expected.get("logits")!.data, 2e-5);
    assert.deepEqual(model.layers, [2]);
    assert.match(String(model), /take no part.*post_layernorm/);
  });
}

test("several layers of the tower may be named, from the front and from the back", async () => {
  const place = copied("layers", { config: { vision_feature_layer: [-2, 9] } });
  await assert.rejects(llavit.open(place), isLuvitError("bad-file", "vision_feature_layer", "[-2,9]"));
});

test("what a config says that is computed otherwise here is refused, all at once", async () => {
  const config = {
    vision_feature_select_strategy: "full",
    projector_hidden_act: "relu",
    model_type: "llava_next",
  };
  await assert.rejects(
    llavit.open(copied("otherwise", { config })),
    isLuvitError("bad-file", "vision_feature_select_strategy", "projector_hidden_act", "model_type"),
  );
  const strange = (key: string) =>
    key.includes("linear_2.bias") ? "multi_modal_projector.linear_3.bias" : key;
  await assert.rejects(
    llavit.open(copied("strange", { rename: strange })),
    isLuvitError("key-mismatch", "linear_3", "mm_projector.2.bias"),
  );
});

/** The same model in torch's files with an index, as old checkpoints have it, or in one. */
async function asTorchFiles(name: string, shards: number): Promise<string> {
  const place = join(folder, name);
  mkdirSync(place);
  cpSync(join(llava, "config.json"), join(place, "config.json"));
  const { tensors } = await keepCheckpoint(llava);
  const all = [...tensors];
  const map: Record<string, string> = {};
  for (let i = 0; i < shards; i++) {
    const file = shards === 1 ? "pytorch_model.bin" : `pytorch_model-0000${i + 1}-of-0000${shards}.bin`;
    const part = all.filter((_, at) => at % shards === i);
    await writeTorchCheckpoint(join(place, file), new Map(part), { dtype: "F32" });
    for (const [key] of part) map[key] = file;
  }
  if (shards > 1)
    writeFileSync(join(place, "pytorch_model.bin.index.json"), JSON.stringify({ weight_map: map }));
  return place;
}

for (const shards of [1, 3]) {
  test(`torch's files give the numbers of safetensors: ${shards}`, async () => {
    const place = await asTorchFiles(`torch-${shards}`, shards);
    const [model, other] = [await llavit.open(place), await llavit.open(llava)];
    assertSameState(await model.stateDict(), await other.stateDict());
    if (shards === 1) return;
    rmSync(join(place, "pytorch_model-00002-of-00003.bin"));
    rmSync(join(place, "pytorch_model-00003-of-00003.bin"));
    await assert.rejects(
      llavit.open(place),
      isLuvitError("missing-file", "00002-of-00003", "00003-of-00003"),
    );
  });
}

test("a repository of the hub is fetched once, and opened from its cache", async () => {
  const hub = await Imitation.start({ folder: llava });
  const asking = { hub: { endpoint: hub.endpoint, cache: join(folder, "cache"), retryPauses: [1] } };
  try {
    const model = await llavit.open("org/name", asking);
    const here = await llavit.open(llava);
    assertSameState(await model.stateDict(), await here.stateDict());
    assert.doesNotMatch(String(model), /read in part/);
    hub.forget();
    await llavit.open("org/name", asking);
    assert.ok(hub.seen.every(({ url }) => url.pathname.startsWith("/api/")));
  } finally {
    await hub.stop();
  }
});

test("a repository is read at the revision that is asked for, until it is asked no more", async () => {
  const hub = await Imitation.start({ folder: llava });
  const asking = { hub: { endpoint: hub.endpoint, cache: join(folder, "cache-3"), retryPauses: [1] } };
  const open = (name: string, options: object) => llavit.open(name, { ...asking, ...options });
  try {
    await assert.rejects(open("org/name", { revision: "v9" }), isLuvitError("missing-file", "v9"));
    await assert.rejects(open("org/name", { signal: AbortSignal.abort() }), isLuvitError("interrupted"));
    assert.ok(hub.contentRequests.length === 0);
    hub.forget();
    const model = await open("org/name", { revision: commit });
    assert.equal(model.layers.length, 1);
    assert.ok(hub.seen.length > 0 && hub.seen.every(({ url }) => !url.pathname.includes("main")));
  } finally {
    await hub.stop();
  }
});

test("a repository that cannot be opened is refused before its weights are fetched", async () => {
  const hub = await Imitation.start({
    folder: copied("other-kind", { config: { model_type: "llava_next" } }),
  });
  const asking = { hub: { endpoint: hub.endpoint, cache: join(folder, "cache-2"), retryPauses: [1] } };
  try {
    await assert.rejects(llavit.open("org/name", asking), isLuvitError("bad-file", "model_type"));
    const cached = readdirSync(join(folder, "cache-2", "models--org--name", "snapshots"), {
      recursive: true,
    });
    assert.ok(!cached.some((path) => String(path).endsWith(".safetensors")));
  } finally {
    await hub.stop();
  }
});

test("options that do not apply are refused by name", async () => {
  await assert.rejects(llavit.open(llava, { averaged: true }), isLuvitError("bad-argument", "averaged"));
  await assert.rejects(llavit.open(llava, { tower: "x" } as never), isLuvitError("bad-argument", "tower"));
});

test("a LLaVA whose tower is another checkpoint is refused by name", async () => {
  const config = { vision_config: undefined, mm_vision_tower: "openai/clip-vit-large-patch14-336" };
  await assert.rejects(
    llavit.open(copied("authors", { config })),
    isLuvitError("bad-file", "openai/clip-vit-large-patch14-336", "llava-hf"),
  );
});
