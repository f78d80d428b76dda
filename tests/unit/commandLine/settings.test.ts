import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import sharp from "sharp";
import { trainedFrom } from "../../../src/commandLine/models";
import { latestTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { assertSameBits, readLines, temporaryFolder, writeImages } from "../train/support";
import { encoder, type TrainingByFile, trainByFile } from "./support";

const folder = temporaryFolder();

before(async () => void (await writeImages(join(folder, "images"))));

/** What a run by a file was made with, as its checkpoint says. */
async function settingsOf(asked: TrainingByFile): Promise<Record<string, unknown>> {
  const { status, out, said } = await trainByFile(folder, asked);
  assert.equal(status, 0, said);
  return (await latestTrainingCheckpoint(out))!.state.plan as Record<string, unknown>;
}

test("--seed has the last word over the file's seed, which has it over none", async () => {
  for (const [command, recipe] of [
    ["pretrain", "pretrainToy"] as const,
    ["finetune", "finetuneToy"] as const,
  ]) {
    const seedOf = async (options: object, words: readonly string[]) =>
      (await settingsOf({ command, recipe, options, words })).seed;
    assert.equal(await seedOf({ seed: 5 }, ["--seed", "7"]), 7, command);
    assert.equal(await seedOf({ seed: 5 }, []), 5, command);
    assert.equal(await seedOf({}, ["--seed", "7"]), 7, command);
    assert.equal(await seedOf({}, []), 0, command);
  }
});

test("--seed has the last word over that of the model's first weights too", async () => {
  for (const [command, recipe] of [
    ["pretrain", "pretrainToy"] as const,
    ["finetune", "finetuneToy"] as const,
  ]) {
    const weights = async (seed: number, words: readonly string[]) => {
      const asked = { command, recipe, options: { seed: 1 }, model: { seed }, words };
      const { status, out, said } = await trainByFile(folder, asked);
      assert.equal(status, 0, said);
      return (await latestTrainingCheckpoint(out))!.model;
    };
    const named = await weights(5, ["--seed", "7"]);
    assertSameBits(named, await weights(7, ["--seed", "7"]));
    const [five, seven] = [await weights(5, []), await weights(7, [])];
    assert.throws(() => assertSameBits(five, seven), /differs/);
  }
});

test("the averaged weights of a run are taken where they are asked for, whether or not the model is described", async () => {
  const asked = { command: "finetune", recipe: "finetuneToy", options: { emaDecay: 0.5, lr: 1e-2 } } as const;
  const { status, out, said } = await trainByFile(folder, asked);
  assert.equal(status, 0, said);
  const saved = (await latestTrainingCheckpoint(out))!;
  assert.throws(() => assertSameBits(saved.model, saved.average!), /differs/);
  for (const described of [{ encoder, classes: 2 }, {}])
    for (const averaged of [true, false, undefined]) {
      const named = { ...described, weights: out, averaged };
      const { model } = await trainedFrom(
        named,
        (path) => path,
        () => {},
      );
      assertSameBits(await model.stateDict(), averaged ? saved.average! : saved.model);
    }
});

test("drop path is 0.1 where the recipe's source has it, and what a file says before that", async () => {
  const dropPath = async (recipe: string, options: object) =>
    (await settingsOf({ command: "finetune", recipe, options: { lr: 1e-3, ...options } })).dropPath;
  for (const recipe of ["finetuneLuvit", "finetuneMae", "supervised"])
    assert.equal(await dropPath(recipe, {}), 0.1, recipe);
  assert.equal(await dropPath("finetuneToy", {}), 0, "too small a model for it");
  assert.equal(await dropPath("finetuneLuvit", { dropPath: 0.3 }), 0.3);
});

test("images of validation are judged as they are: their middle, and nothing at random", async () => {
  await writeStripes(join(folder, "stripes"));
  const options = { epochs: 20, lr: 1e-2, layerDecay: 1 };
  const data = { validation: { path: "stripes" } };
  const { status, out, said } = await trainByFile(folder, {
    command: "finetune",
    recipe: "finetuneToy",
    options,
    data,
  });
  assert.equal(status, 0, said);
  assert.equal(readLines(out).at(-1)!.top1, 100);
});

/** Images of two classes whose middle is of their class's color, and the rest of the other's. */
async function writeStripes(root: string): Promise<void> {
  const colors = { green: { r: 0, g: 200, b: 60 }, red: { r: 200, g: 0, b: 60 } };
  const size = { width: 24, height: 24, channels: 3 } as const;
  for (const [name, own, other] of [
    ["green", colors.green, colors.red],
    ["red", colors.red, colors.green],
  ] as const) {
    await mkdir(join(root, name), { recursive: true });
    const middle = await sharp({ create: { ...size, background: own } })
      .png()
      .toBuffer();
    for (let i = 0; i < 6; i++) {
      await sharp({ create: { ...size, width: 240 + i, background: other } })
        .composite([{ input: middle, left: 108, top: 0 }])
        .png()
        .toFile(join(root, name, `${i}.png`));
    }
  }
}
