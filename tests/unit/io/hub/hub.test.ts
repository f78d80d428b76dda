import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { showWorkWith } from "../../../../src/core/progress";
import { readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { commit, type Imitation } from "../../../support/hubImitation";
import { assertRejects, assertSameTensors, goldenCases, temporaryFolder, watchWork } from "../support";
import { asking, blockBytes, blockOf, languageModel, layers, servedCheckpoint, startHub } from "./support";

let hub: Imitation;
const folder = servedCheckpoint((started) => {
  hub = started;
});

const shards = () => readdirSync(folder).filter((name) => name.endsWith(".safetensors"));
const stretchBytes = (cache: string) =>
  readdirSync(join(cache, "models--org--name", "luvit"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".json"))
    .reduce((sum, { parentPath, path, name }) => sum + statSync(join(parentPath ?? path, name)).size, 0);

test("a block comes from the hub with its config, and little more than its bytes are transferred", async () => {
  const read = await readLlamaBlocks("org/name", { block: 3, ...asking(hub) });
  assertSameTensors(read.tensors, blockOf(2));
  assert.equal(read.totalLayers, layers);
  assert.equal(read.config.hiddenDim, 704);
  const headers = 2 * 2 ** 16;
  assert.ok(hub.contentBytes < blockBytes + 2 * headers + 20_000, `${hub.contentBytes} for ${blockBytes}`);
  assert.equal(read.bytesReceived, hub.contentBytes, "configs and indices among them");
  assert.ok(hub.contentBytes >= blockBytes);
  assert.match(read.notes.join("\n"), /SHA-256, which is of the whole file, could not be checked/);
});

test("a download is shown with its bytes while it runs, and one that takes no time is not", async () => {
  const shown = watchWork();
  try {
    await readLlamaBlocks("org/name", { block: 2, ...asking(hub) }); // 3 MB
    assert.equal(shown.length, 0);
    await readLanguageModel("org/name", asking(hub));
    assert.ok(shown.length > 0);
    for (const { work, done, state } of shown) {
      assert.match(work.label, /safetensors/);
      assert.deepEqual([work.unit, state, done], ["bytes", "done", work.total - work.kept]);
    }
  } finally {
    showWorkWith(() => ({ advance: () => {}, end: () => {} }));
  }
});

test("the second time nothing is asked but the revision, and nothing at all of a known commit or offline", async () => {
  const options = { block: 2, ...asking(hub) };
  await readLlamaBlocks("org/name", options);
  hub.forget();
  const again = await readLlamaBlocks("org/name", options);
  assertSameTensors(again.tensors, blockOf(1));
  assert.equal(again.bytesReceived, 0);
  assert.deepEqual(
    hub.seen.map(({ url }) => url.pathname),
    ["/api/models/org/name/revision/main"],
  );
  hub.forget();
  await readLlamaBlocks(`hf://org/name@${commit}`, options);
  const offline = { ...options, hub: { ...options.hub, offline: true } };
  assertSameTensors((await readLlamaBlocks("org/name", offline)).tensors, blockOf(1));
  assert.equal(hub.seen.length, 0);
  await assertRejects(
    () => readLlamaBlocks("org/name", { ...offline, block: 4 }),
    "network",
    /HF_HUB_OFFLINE forbids/,
  );
});

test("the cache has the hub's own layout for whole files", async () => {
  const { hub: settings } = asking(hub);
  await readLlamaBlocks("org/name", { block: 1, hub: settings });
  const repository = join(settings.cache, "models--org--name");
  assert.equal(readFileSync(join(repository, "refs", "main"), "utf8"), commit);
  for (const name of ["config.json", "model.safetensors.index.json"]) {
    const bytes = readFileSync(join(folder, name));
    const hash = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
    const link = join(repository, "snapshots", commit, name);
    assert.equal(readlinkSync(link), join("..", "..", "blobs", hash));
    assert.deepEqual(readFileSync(link), bytes);
  }
});

test("files that were read whole are checked and become the cache's own", async () => {
  const options = asking(hub);
  const read = await readLanguageModel("org/name", options);
  assertSameTensors(read.tensors, languageModel());
  const snapshot = join(options.hub.cache, "models--org--name", "snapshots", commit);
  for (const name of shards())
    assert.deepEqual(readFileSync(join(snapshot, name)), readFileSync(join(folder, name)));
  assert.equal(stretchBytes(options.hub.cache), 0);
  const offline = { hub: { ...options.hub, offline: true } };
  assertSameTensors((await readLanguageModel("org/name", offline)).tensors, languageModel());
});

test("a cache filled by others is used without asking, listing or not", async () => {
  const options = asking(hub);
  const snapshot = join(options.hub.cache, "models--org--name", "snapshots", commit);
  mkdirSync(join(options.hub.cache, "models--org--name", "refs"), { recursive: true });
  writeFileSync(join(options.hub.cache, "models--org--name", "refs", "main"), commit);
  cpSync(folder, snapshot, { recursive: true });
  const offline = { block: 2, hub: { ...options.hub, offline: true } };
  assertSameTensors((await readLlamaBlocks("org/name", offline)).tensors, blockOf(1));
  assertSameTensors((await readLlamaBlocks("org/name", { block: 2, ...options })).tensors, blockOf(1));
  assert.equal(hub.contentBytes, 0);
});

test("where nobody answers the cached commit is taken and said so", async () => {
  const options = { block: 2, ...asking(hub) };
  await readLlamaBlocks("org/name", options);
  const dead = { ...options, hub: { ...options.hub, endpoint: "http://127.0.0.1:9" } };
  const { tensors, notes } = await readLlamaBlocks("org/name", dead);
  assertSameTensors(tensors, blockOf(1));
  assert.match(notes.join("\n"), /cannot be reached.*taken from the cache/);
  await assertRejects(() => readLlamaBlocks("hf://org/name@other", dead), "network", /cannot be reached/);
});

test("the token goes to the hub and not to where it redirects", async () => {
  const guarded = await startHub({ folder, token: "any-secret" });
  const { hub: settings } = asking(guarded);
  await readLlamaBlocks("org/name", { block: 1, hub: { ...settings, token: "any-secret" } });
  const isHub = ({ url }: { url: URL }) => url.origin === guarded.endpoint;
  assert.ok(guarded.seen.filter(isHub).every(({ authorization }) => authorization === "Bearer any-secret"));
  assert.ok(guarded.contentRequests.length > 0);
  assert.ok(guarded.contentRequests.every(({ authorization }) => authorization === undefined));
  await assertRejects(
    () => readLlamaBlocks("org/name", { block: 1, ...asking(guarded) }),
    "no-access",
    /gated/,
    `accept its conditions at ${guarded.endpoint}/org/name and give a token in HF_TOKEN`,
  );
});

test("what is not there is named: repository, revision, file, local folder", async () => {
  const options = asking(hub);
  await assertRejects(
    () => readLlamaBlocks("org/nothing", options),
    "no-access",
    /^org\/nothing: there is no such folder here, and of the hub: .*no such repository, or it is private/,
  );
  await assertRejects(
    () => readLlamaBlocks("org/name", { ...options, revision: "v9" }),
    "missing-file",
    /no revision "v9"/,
  );
  await assertRejects(
    () => readLlamaBlocks("hf://org/name/other.gguf", options),
    "missing-file",
    /other\.gguf: no such file; the repository holds\n {2}config\.json/,
  );
  await assertRejects(
    () => readLlamaBlocks("hf://org", options),
    "bad-argument",
    /expected hf:\/\/org\/name/,
  );
});

test("a repository without weights that can be read says what it holds", async () => {
  const bare = temporaryFolder();
  writeFileSync(join(bare, "README.md"), "nothing");
  const empty = await startHub({ folder: bare });
  await assertRejects(
    () => readLlamaBlocks("org/name", asking(empty)),
    "missing-file",
    /looked for model\.safetensors\.index\.json, /,
    /README\.md/,
  );
});

test("a config that comes damaged is refused and not cached", async () => {
  const options = asking(hub);
  hub.misbehave({ where: (url) => url.pathname.includes("resolve-cache"), shorten: 5, times: 2 });
  await assertRejects(() => readLlamaBlocks("org/name", options), "bad-file", /hash [0-9a-f]{40} came/);
  hub.behave();
  assertSameTensors((await readLlamaBlocks("org/name", { block: 1, ...options })).tensors, blockOf(0));
});

test("blocks of torch files in a zip archive are read by ranges as well", async () => {
  const meta = temporaryFolder();
  cpSync(join(goldenCases, "checkpoints", "meta"), meta, { recursive: true });
  const torch = await startHub({ folder: meta });
  const remote = await readLlamaBlocks("org/name", { block: 1, ...asking(torch) });
  const local = await readLlamaBlocks(meta, { block: 1 });
  assertSameTensors(remote.tensors, local.tensors);
  assert.deepEqual(remote.config, local.config);
});
