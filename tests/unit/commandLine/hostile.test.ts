import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { main } from "../../../src/commandLine/main";
import { startBackend } from "../../../src/core/tf";
import { tinyLlavit } from "../models/llavit/support";
import { temporaryFolder, writeImages } from "../train/support";

/*
 * What nobody means, given to the commands that read models, images and configurations of strangers. Each ends with a
 * status and a sentence, and writes nothing outside of the folder it was given.
 */

const root = temporaryFolder();
const work = join(root, "work");
const here = (name: string) => join(work, name);

const encoder = { imageSize: 16, patchSize: 8, dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const engine = { engine: "eager" };

/** Configurations that a command begins with; each is changed in one place. */
const whole: Record<string, object> = {
  plan: {
    model: { encoder, decoder },
    data: { train: { path: "images" } },
    recipe: "pretrainToy",
    ...{ options: { batchSize: 4 }, engine, out: "out" },
  },
  detect: {
    model: { preset: "toy" },
    data: { train: { root: "coco", part: "train" } },
    recipe: "detectToy",
    ...{ options: { batchSize: 2 }, engine, out: "out" },
  },
  segment: {
    model: { encoder },
    data: { train: { images: "images", masks: "masks" } },
    recipe: "segmentToy",
    ...{ options: { batchSize: 2 }, engine, out: "out" },
  },
  distill: {
    model: { encoder, classes: 2 },
    teacher: { weights: "teacher" },
    data: { train: { path: "images" } },
    recipe: "distillToy",
    ...{ options: { batchSize: 2 }, engine, out: "out" },
  },
  entropy: {
    model: { weights: "teacher" },
    data: { shapes: { images: "images", masks: "masks" } },
    ...{ engine, out: "out" },
  },
  evaluate: { model: { weights: "teacher" }, data: { own: { mine: "images" } }, engine, out: "out" },
  "segment evaluate": {
    model: { weights: "teacher" },
    data: { shapes: { images: "images", masks: "masks" } },
    ...{ engine, out: "out" },
  },
  "detect evaluate": {
    model: { weights: "teacher" },
    data: { root: "coco", part: "train" },
    ...{ engine, out: "out" },
  },
};

const senseless: readonly unknown[] = [
  ...[null, true, "", " ", "\u0000", "\u001b[31m", "..", -1, 0.5, 1e300, -1e-300, [], [[]], {}],
  ...[{ length: 3 }, { toString: 1 }, JSON.parse('{"__proto__":{"depth":1}}'), "x".repeat(100_000)],
];

before(async () => {
  await startBackend();
  mkdirSync(work);
  await writeImages(here("images"));
  mkdirSync(here("masks"));
  mkdirSync(here("teacher"));
  mkdirSync(join(here("coco"), "annotations"), { recursive: true });
  writeFileSync(
    join(here("coco"), "annotations", "instances_train.json"),
    '{"images":[],"annotations":[{"id":{}}]}',
  );
  writeFileSync(
    join(here("teacher"), "config.json"),
    '{"modelType":"luvit-classifier","encoder":{"depth":1e9}}',
  );
  mkdirSync(here("folder"));
  mkdirSync(here("locked"));
  chmodSync(here("locked"), 0o000);
  writeFileSync(here("empty"), "");
  writeFileSync(here("text"), "no image");
  writeFileSync(here("zeros"), Buffer.alloc(4096));
  symlinkSync(here("loop"), here("loop"));
  execFileSync("mkfifo", [here("pipe")]);
});

async function fails(words: readonly string[], ...statuses: number[]): Promise<string> {
  const said: string[] = [];
  const hear = (line: string) => void said.push(line);
  const ended = await main([...words], { print: hear, complain: hear });
  const call = `luvit ${JSON.stringify(words).slice(0, 500)}: ${said.join("\n").slice(0, 2000)}`;
  assert.ok((statuses.length > 0 ? statuses : [1, 2]).includes(ended), `status ${ended} of ${call}`);
  if (ended !== 0) assert.match(said.join("\n"), /luvit: .{10}/s, call);
  assert.doesNotMatch(said.join("\n"), /^\s+at .*:\d+|fault of luvit's|\[object/m, call);
  assert.ok(!said.join("\n").includes("\u001b"), call);
  return said.join("\n");
}

/** The words of a command that reads a configuration. */
const words = (command: string, value: object) => [
  ...command.split(" "),
  ...(command === "plan" ? ["--workers=1", "--seconds=0.01"] : []),
  ...["--config", config(value)],
];

/** Every place in a configuration, as the keys that lead there. */
function places(value: unknown, above: readonly string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [...above, key],
    ...places(inner, [...above, key]),
  ]);
}

function changed(config: object, at: readonly string[], value: unknown): object {
  const copy = structuredClone(config);
  const holder = at
    .slice(0, -1)
    .reduce<Record<string, unknown>>((one, key) => one[key] as never, copy as never);
  holder[at.at(-1)!] = value;
  return copy;
}

function config(value: object): string {
  writeFileSync(here("config.json"), JSON.stringify(value));
  return here("config.json");
}

for (const [command, good] of Object.entries(whole))
  test(`luvit ${command}: whatever stands in one place of its file, it ends with a sentence and writes nothing`, async () => {
    const entries = readdirSync(root);
    for (const at of places(good)) {
      // What comes to the same as leaving it out, or is good: not asked of each.
      for (const value of senseless) {
        if (command === "plan" && at[0] !== "model" && at[0] !== "data") continue;
        if (at[0] === "out" || at[0] === "engine" || at.at(-1) === "options") continue;
        // A plan writes nothing: numbers of a smaller model are as good as any.
        await fails(words(command, changed(good, at, value)), ...(command === "plan" ? [0, 1] : [1]));
      }
    }
    for (const name of ["../../x", "/x", "a/../../x", "..", "\u0000"]) {
      if (!("data" in good) || !["entropy", "segment evaluate"].includes(command)) continue;
      const data = { [name]: { images: "images", masks: "masks" } };
      assert.match(await fails(words(command, { ...good, data })), /become folders/);
    }
    assert.deepEqual(readdirSync(root), entries);
    assert.ok(!readdirSync(work).includes("out"));
  });

test("luvit evaluate: sets of one's own whose names lead elsewhere are refused", async () => {
  const { model } = { model: { weights: "teacher" } };
  const good = { model, data: { own: { "../../x": "images" } }, engine, out: "out" };
  await fails(["evaluate", "--config", config(good)], 1);
});

test("luvit plan: numbers of workers, of the network and of seconds have ranges", async () => {
  const file = config(whole.plan);
  for (const flag of ["workers", "network", "seconds"])
    for (const value of ["0", "-1", "NaN", "Infinity", "1e999", "x", "", " ", "1,5", "\u0000"])
      await fails(["plan", "--workers=1", "--config", file, `--${flag}=${value}`], 2);
  for (const thing of ["folder", "empty", "pipe", "loop", "locked", "zeros", "none", "text"])
    await fails(["plan", "--workers=1", "--config", here(thing)], 1);
});

test("luvit answer: models, images and options that are none are named, and nothing waits for a pipe", async () => {
  const model = here("model");
  await (await tinyLlavit({ visionQkv: "full" })).save(model);
  for (const thing of ["folder", "empty", "pipe", "loop", "zeros", "none", "text", "teacher", "\u0000"])
    await fails(["answer", here(thing), join(here("images"), "red", "0.png"), "what?"], 1);
  await fails(["answer", model, here("folder"), "what?"], 2); // a model's place is taken for the image's
  for (const thing of ["empty", "pipe", "loop", "zeros", "\u0000"])
    await fails(["answer", model, here(thing), "what?"], 1);
  for (const question of ["\u0000", "\ud800", "why ".repeat(100_000)])
    await fails(["answer", model, here("none"), question], 1);
  for (const flag of ["temperature", "seed", "max-tokens"])
    for (const value of ["NaN", "Infinity", "1e999", "x", "", " ", "\u0000"])
      await fails(["answer", model, here("none"), "what?", `--${flag}=${value}`], 2);
  for (const option of ["--temperature=-1", "--seed=0.5", "--max-tokens=0", "--max-tokens=1e300"])
    await fails(["answer", model, join(here("images"), "red", "0.png"), "what?", option], 1);
});
