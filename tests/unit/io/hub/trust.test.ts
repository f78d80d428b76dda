import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import type { LuvitError } from "../../../../src/core/errors";
import { fileSource } from "../../../../src/io/bytes/byteSource";
import { explainRefusal } from "../../../../src/io/hub/refusal";
import { readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { commit, type Imitation } from "../../../support/hubImitation";
import { assertRejects, assertSameTensors, temporaryFolder } from "../support";
import { asking, blockOf, languageModel, startHub, writeCheckpoint } from "./support";

const folder = temporaryFolder();
let hub: Imitation;
before(async () => {
  await writeCheckpoint(folder);
  hub = await startHub({ folder });
});

const repositoryIn = (cache: string) => join(cache, "models--org--name");
/** Names of complete contents in a cache, and of what is on its way there. */
const blobsIn = (cache: string) =>
  existsSync(join(repositoryIn(cache), "blobs")) ? readdirSync(join(repositoryIn(cache), "blobs")) : [];
const snapshotIn = (cache: string) => join(repositoryIn(cache), "snapshots", commit);

test("a file that was read whole and has another SHA-256 than the hub's is refused and not kept", async () => {
  const lying = await startHub({
    folder,
    etagOf: (name) => createHash("sha256").update(name).digest("hex"),
  });
  const options = asking(lying);
  const { cache } = options.hub;
  await assertRejects(
    () => readLanguageModel("org/name", options),
    "bad-file",
    "does not have the hub's SHA-256",
    "again",
  );
  assert.deepEqual(
    blobsIn(cache).filter((name) => /^[0-9a-f]{64}/.test(name)),
    [],
  );
  const weights = readdirSync(snapshotIn(cache)).filter((name) => name.endsWith(".safetensors"));
  assert.deepEqual(weights, [], "nothing bad under a final name");
});

test("a download that was damaged on this disk is thrown away, so that loading it again succeeds", async () => {
  const options = asking(hub);
  await readLlamaBlocks("org/name", { ...options, block: 2 });
  const kept = join(repositoryIn(options.hub.cache), "luvit");
  const [largest] = readdirSync(kept, { recursive: true })
    .map((name) => join(kept, String(name)))
    .filter((path) => /^\d+\.[0-9a-f]{8}$/.test(basename(path)))
    .sort((a, b) => lstatSync(b).size - lstatSync(a).size);
  const bytes = readFileSync(largest);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(largest, bytes);
  await assertRejects(() => readLanguageModel("org/name", options), "bad-file", "SHA-256; load it again");
  assertSameTensors((await readLanguageModel("org/name", options)).tensors, languageModel());
});

test("a file read in part cannot be checked, and that is said", async () => {
  const { notes } = await readLlamaBlocks("org/name", { ...asking(hub), block: 2 });
  assert.ok(notes.some((note) => note.includes("SHA-256") && note.includes("could not be checked")));
});

test("content that the server names otherwise than the listing is refused before it is taken", async () => {
  const options = asking(hub);
  await readLlamaBlocks("org/name", { ...options, block: 2 });
  // The hub's file changes while this side still has the list of before.
  const changed = await startHub({ folder, etagOf: (name) => `${name.length % 10}`.repeat(64) });
  hub.forget();
  const hubOptions = { ...options.hub, endpoint: changed.endpoint };
  const read = () =>
    readLlamaBlocks("org/name", { revision: commit, hub: hubOptions, block: 4 } as typeof options);
  await assertRejects(read, "network", /the listing calls its content [0-9a-f]{64}, the server \d{64}/);
});

test("a config that comes with other content is under no final name", async () => {
  const other = temporaryFolder();
  await writeCheckpoint(other);
  const lying = await startHub({ folder: other });
  const options = asking(lying);
  lying.misbehave({
    where: (url) => url.pathname.includes("resolve-cache"),
    times: 100,
    shift: 1,
    shorten: 1,
  });
  await assertRejects(
    () => readLlamaBlocks("org/name", options),
    "bad-file",
    "bytes with hash",
    "were expected",
  );
  assert.deepEqual(blobsIn(options.hub.cache), []);
  assert.ok(!existsSync(join(snapshotIn(options.hub.cache), "config.json")));
});

test("a blob that was cut off is not taken from the cache, neither by its name nor by a link", async () => {
  const options = asking(hub);
  await readLanguageModel("org/name", options);
  const names = readdirSync(snapshotIn(options.hub.cache)).filter((name) => name.endsWith(".safetensors"));
  assert.ok(names.length > 1);
  for (const name of names) {
    const blob = realpathSync(join(snapshotIn(options.hub.cache), name));
    truncateSync(blob, 1000);
  }
  hub.forget();
  const again = await readLlamaBlocks("org/name", { ...options, block: 2 });
  assertSameTensors(again.tensors, blockOf(1));
  assert.ok(hub.contentBytes > 0, "it was fetched");
  await readLanguageModel("org/name", options);
  for (const name of names) {
    const here = join(snapshotIn(options.hub.cache), name);
    assert.ok(lstatSync(here).isSymbolicLink());
    assert.deepEqual(readFileSync(here), readFileSync(join(folder, name)));
  }
});

test("the config of a cache that was cut off is fetched again", async () => {
  const options = asking(hub);
  await readLlamaBlocks("org/name", { ...options, block: 1 });
  const config = join(snapshotIn(options.hub.cache), "config.json");
  writeFileSync(realpathSync(config), "{");
  await readLlamaBlocks("org/name", { ...options, block: 1 });
  assert.deepEqual(readFileSync(config), readFileSync(join(folder, "config.json")));
});

test("complete contents appear by a rename: who has the old file open goes on reading it", async () => {
  const options = asking(hub);
  await readLanguageModel("org/name", options);
  const [name] = readdirSync(snapshotIn(options.hub.cache)).filter((each) => each.endsWith(".safetensors"));
  const blob = realpathSync(join(snapshotIn(options.hub.cache), name));
  truncateSync(blob, 500);
  const old = await fileSource(blob);
  await readLanguageModel("org/name", options);
  assert.equal((await old.read(0, 500)).length, 500);
  await assertRejects(async () => old.read(0, 501), "bad-file");
  await old.close();
  assert.deepEqual(
    blobsIn(options.hub.cache).filter((each) => each.includes("incomplete")),
    [],
  );
  assertSameTensors((await readLanguageModel("org/name", options)).tensors, languageModel());
});

test("what the hub refuses is told with its own words and what to do, by its code and by its status", () => {
  const subject = { repo: "org/name", revision: "main", endpoint: "https://hub", hasToken: false };
  const told = (status: number, code?: string, more: object = {}) =>
    explainRefusal({ status, code, message: "so it says" }, { ...subject, ...more });
  const expected: [LuvitError, string, RegExp][] = [
    [
      told(403, "GatedRepo"),
      "no-access",
      /gated \("so it says"\): accept its conditions at https:\/\/hub\/org\/name and give a token/,
    ],
    [told(403, "GatedRepo", { hasToken: true }), "no-access", /with the account of your token/],
    [told(403, "DisabledRepo"), "no-access", /disabled by the hub \("so it says"\)/],
    [told(404, "RevisionNotFound"), "missing-file", /no revision "main" \("so it says"\); give a branch/],
    [
      told(404, "EntryNotFound", { file: "a.bin" }),
      "missing-file",
      /at main has no file a\.bin \("so it says"\)/,
    ],
    [told(404, undefined, { file: "a.bin" }), "missing-file", /has no file a\.bin/],
    [told(404), "no-access", /HTTP 404\) \("so it says"\): there is no such repository, or it is private/],
    [told(200, "RepoNotFound"), "no-access", /HTTP 200/],
    [told(401), "no-access", /HTTP 401.*needs a token in HF_TOKEN/],
    [told(403, undefined, { hasToken: true }), "no-access", /HTTP 403.*the token has no right to it/],
    [told(418), "network", /answered with HTTP 418 \("so it says"\)/],
  ];
  for (const [error, code, words] of expected) {
    assert.equal(error.code, code);
    assert.match(error.message, words);
  }
  const silent = explainRefusal({ status: 500, code: undefined, message: undefined }, subject);
  assert.equal(silent.message, "https://hub/org/name: the hub answered with HTTP 500");
});
