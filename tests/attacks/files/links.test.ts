import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { streamOf } from "../../../src/core/hostTensor";
import { decodeImage } from "../../../src/data/reading";
import { huggingFace } from "../../../src/data/sets";
import { toyFiles, writeToySet } from "../../../src/data/toy/toySet";
import * as transforms from "../../../src/data/transforms";
import { openCheckpoint } from "../../../src/io/checkpoint";
import { readAdapter } from "../../../src/io/peft";
import {
  appendMetrics,
  RunLock,
  readMetrics,
  replaceMetrics,
  writeTrainingCheckpoint,
} from "../../../src/io/runs";
import { openRun } from "../../../src/train/openRun";
import { temporaryFolder } from "../../unit/io/support";

/*
 * Folders that came with links, pipes and devices in the places of files: nothing is written where a link leads, and
 * nothing waits for a pipe that nobody writes to.
 */

const folder = temporaryFolder();
const precious = join(folder, "precious");
before(() => writeFileSync(precious, "precious\n"));

let number = 0;
/** A new folder with a link in the place of a file of its own. */
function linked(name: string, target = precious): string {
  const own = join(folder, `linked${number++}`);
  mkdirSync(dirname(join(own, name)), { recursive: true });
  symlinkSync(target, join(own, name));
  return own;
}

/** … with a pipe there. */
function piped(name: string): string {
  const own = join(folder, `piped${number++}`);
  mkdirSync(dirname(join(own, name)), { recursive: true });
  execFileSync("mkfifo", [join(own, name)]);
  return own;
}

const untouched = () => assert.equal(readFileSync(precious, "utf8"), "precious\n");
const none = streamOf(new Map());
const state = { model: none, optimizer: none, state: { step: 1 } };
const refused = (work: () => unknown, ...words: RegExp[]) =>
  assert.rejects(
    async () => work(),
    (error: unknown) => {
      assert.ok(error instanceof LuvitError, String((error as Error)?.stack));
      for (const word of words) assert.match(error.message, word);
      return true;
    },
  );

test("a log that is a link is neither written nor cut where the link leads", async () => {
  for (const target of [precious, join(folder, "not-there-yet")]) {
    const log = join(linked("metrics.jsonl", target), "metrics.jsonl");
    await refused(() => appendMetrics(log, { step: 1 }), /is a link/);
    await refused(() => replaceMetrics(log, { step: 1 }), /is a link/);
  }
  assert.ok(!existsSync(join(folder, "not-there-yet")));
  untouched();
});

test("a lock that is a link, into nothing or to a file, is nobody's and not waited for", async () => {
  for (const target of [precious, join(folder, "nowhere"), "run.lock"])
    await refused(() => RunLock.take(linked("run.lock", target)), /run\.lock: not a regular file/);
  await refused(() => RunLock.take(piped("run.lock")), /run\.lock: not a regular file/);
  untouched();
});

test("a lock goes, and a link that was put in its place meanwhile stays where it is", () => {
  const own = join(folder, "locked");
  mkdirSync(own);
  const lock = RunLock.take(own) as RunLock;
  execFileSync("ln", ["-sf", precious, join(own, "run.lock")]);
  lock.release();
  assert.ok(lstatSync(join(own, "run.lock")).isSymbolicLink());
  untouched();
});

test("a checkpoint takes the place of a link, and what the link led to stays", async () => {
  const elsewhere = join(folder, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "model.safetensors"), "precious");
  for (const name of [
    "checkpoint-000001",
    `checkpoint-000001.tmp-${process.pid}`,
    "checkpoint-000001.old.tmp-1",
  ]) {
    const own = linked(name, elsewhere);
    const written = await writeTrainingCheckpoint(own, 1, state);
    assert.ok(!lstatSync(written).isSymbolicLink());
    assert.equal(readFileSync(join(elsewhere, "model.safetensors"), "utf8"), "precious");
  }
});

test("drawn images take the place of links", async () => {
  const sizes = {
    size: 16,
    train: 1,
    validation: 1,
    imageNet9: 2,
    trainSemi: 1,
    scenes: 0,
    validationScenes: 1,
  };
  const name = toyFiles(sizes)[0]!.path;
  const own = linked(name);
  await writeToySet(own, sizes);
  assert.ok(lstatSync(join(own, name)).isFile());
  untouched();
});

const transform = transforms.none(8);
const readers: Readonly<Record<string, (path: string) => unknown>> = {
  "metrics.jsonl": (path) => readMetrics(join(path, "metrics.jsonl")),
  "checkpoint-000001/state.json": openRun,
  "README.md": (path) => huggingFace(path, { transform }),
  "dataset_info.json": (path) => huggingFace(path, { transform }),
  "state.json": (path) => huggingFace(path, { transform }),
  "dataset_dict.json": (path) => huggingFace(path, { transform }),
  "train-00000-of-00001.parquet": (path) => huggingFace(path, { transform }),
  "a/b.png": (path) => decodeImage(join(path, "a", "b.png")),
  "adapter_config.json": readAdapter,
  "model.safetensors": (path) => openCheckpoint(join(path, "model.safetensors")),
  "model.pth": (path) => openCheckpoint(join(path, "model.pth")),
  "model.gguf": (path) => openCheckpoint(join(path, "model.gguf")),
};

for (const [name, read] of Object.entries(readers)) {
  test(`a pipe, a folder and an endless device in the place of ${name} are refused`, {
    timeout: 60_000,
  }, async () => {
    await refused(() => read(piped(name)));
    await refused(() => read(linked(name, "/dev/zero")));
    await refused(() => read(linked(name, folder)));
    await refused(() => read(linked(name, name.split("/").at(-1)!)));
  });
}
