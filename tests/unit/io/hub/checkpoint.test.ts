import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { before, beforeEach, test } from "node:test";
import type { WeightFile } from "../../../../src/io/checkpoint";
import { fetchHubCheckpoint, withHubCheckpoint } from "../../../../src/io/hub";
import { HubTransport } from "../../../../src/io/hub/transport";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { commit, type Imitation } from "../../../support/hubImitation";
import { assertRejects, eighths, temporaryFolder } from "../support";
import { asking, startHub } from "./support";

const folder = temporaryFolder();
const location = { repo: "org/name", revision: undefined, file: undefined, isGuess: false };
let hub: Imitation;

before(async () => {
  for (const [name, rows] of [
    ["one.safetensors", 50_000],
    ["two.safetensors", 7],
    ["other.safetensors", 3],
  ] as const)
    await writeSafetensors(join(folder, name), new Map([[`${name.split(".")[0]}.w`, eighths([rows, 4])]]));
  const map = { "one.w": "one.safetensors", "two.w": "two.safetensors" };
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ own: 1 }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify({ model: null }));
  hub = await startHub({ folder });
});
beforeEach(() => {
  hub.behave();
  hub.forget();
});

const namesOf = async ({ names }: WeightFile) => names;

test("the revision of the location goes before that of the options, and main is taken where neither says one", async () => {
  const asked = (revision: string | undefined, options: object) =>
    withHubCheckpoint({ ...location, revision }, { ...asking(hub), ...options }, namesOf);
  const none = (revision: string) => ["missing-file", `no revision "${revision}"`] as const;
  await assertRejects(() => asked("v1", { revision: "v2" }), ...none("v1"));
  await assertRejects(() => asked(undefined, { revision: "v2" }), ...none("v2"));
  const { result } = await asked(commit, { revision: "v2" });
  assert.deepEqual(result, ["one.w", "two.w"]);
  hub.forget();
  await asked(undefined, {});
  assert.ok(hub.seen[0].url.pathname.endsWith("/revision/main"));
});

test("the file of the location is the one that is opened", async () => {
  const { result, report } = await withHubCheckpoint(
    { ...location, file: "other.safetensors" },
    asking(hub),
    async (file) => {
      assert.equal(basename(file.source), "other.safetensors");
      assert.deepEqual(JSON.parse(readFileSync(file.configPath!, "utf8")), { own: 1 });
      return (await file.readTensors(file.names)).get("other.w")!.data;
    },
  );
  assert.deepEqual(result, eighths([3, 4]).data);
  const sizes = ["other.safetensors", "config.json"].map((name) => statSync(join(folder, name)).size);
  assert.equal(report.bytesReceived, sizes[0] + sizes[1]);
  assert.deepEqual(report.notes, []);
});

test("what a reader throws is thrown, and connections are ended then as they are when all went well", async (t) => {
  const close = t.mock.method(HubTransport.prototype, "close");
  const own = new RangeError("mine");
  const failing = withHubCheckpoint(location, asking(hub), async () => {
    throw own;
  });
  await assert.rejects(failing, (error) => error === own);
  assert.equal(close.mock.callCount(), 1);
  await withHubCheckpoint(location, asking(hub), namesOf);
  assert.equal(close.mock.callCount(), 2);
  await assertRejects(
    () => withHubCheckpoint({ ...location, repo: "org/none" }, asking(hub), namesOf),
    "no-access",
    /^http:.*org\/none cannot be read/,
  );
  assert.equal(close.mock.callCount(), 3);
});

test("a checkpoint is fetched with what is asked for beside it, once its headers were accepted, and nothing else", async () => {
  const options = asking(hub);
  const beside = ["tokenizer.json", "none.json"];
  const bytesOf = (...names: string[]) =>
    names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const refusal = new RangeError("not this one");
  const refused = fetchHubCheckpoint(location, options, beside, async (file) => {
    assert.deepEqual([file.names, file.files.length], [["one.w", "two.w"], 2]);
    throw refusal;
  });
  await assert.rejects(refused, (error) => error === refusal);
  assert.ok(hub.contentBytes < bytesOf("one.safetensors"), `${hub.contentBytes}`);
  assert.ok(!hub.seen.some(({ url }) => url.pathname.includes("tokenizer.json")));

  const { path, report } = await fetchHubCheckpoint(location, options, beside, async () => {});
  assert.equal(basename(path), "model.safetensors.index.json");
  const all = ["one.safetensors", "two.safetensors", "config.json", "tokenizer.json", basename(path)];
  for (const name of all)
    assert.deepEqual(readFileSync(join(dirname(path), name)), readFileSync(join(folder, name)), name);
  assert.ok(!existsSync(join(dirname(path), "other.safetensors")));
  assert.ok(report.bytesReceived > 0 && report.bytesReceived < bytesOf(...all));
  assert.deepEqual(report.notes, [], "all of it was checked");

  hub.forget();
  const again = await fetchHubCheckpoint(location, options, beside, async () => {});
  assert.deepEqual([again.path, again.report.bytesReceived, hub.contentBytes], [path, 0, 0]);
});
