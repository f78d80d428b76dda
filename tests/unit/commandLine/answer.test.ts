import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import sharp from "sharp";
import { main } from "../../../src/commandLine/main";
import { startBackend } from "../../../src/core/tf";
import { toy } from "../../../src/data";
import { ask } from "../../../src/train/ask";
import { tinyLlavit } from "../models/llavit/support";

const folder = mkdtempSync(join(tmpdir(), "luvit-answer-command-"));
before(() => startBackend());
after(() => rmSync(folder, { recursive: true, force: true }));

async function say(...words: string[]) {
  const printed: string[] = [];
  const complained: string[] = [];
  const status = await main(["answer", ...words], {
    print: (line) => void printed.push(line),
    complain: (line) => void complained.push(line),
  });
  return { status, printed: printed.join("\n"), complained: complained.join("\n") };
}

test("luvit answer says what luvit.ask says of an image", async () => {
  const [place, image] = [join(folder, "model"), join(folder, "image.png")];
  const model = await tinyLlavit({ visionQkv: "full" });
  await model.save(place);
  const { data, width, height } = toy.questions(1, 1).pixels(0);
  writeFileSync(
    image,
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
  const expected = await ask(model, image, "what is it?", { temperature: 1, seed: 3, maxTokens: 5 });
  const words = ["--temperature", "1", "--seed", "3", "--max-tokens", "5"];
  const { status, printed } = await say(place, image, "what is it?", ...words);
  assert.equal(status, 0);
  assert.equal(printed, expected);
  const eager = await say(place, image, "what is it?", "--engine", "eager", "--max-tokens", "2");
  assert.equal(eager.status, 0);
  const refused = await say(place, image, "what?", "--engine", "eager", "--precision", "bfloat16");
  assert.equal(refused.status, 1);
  assert.match(refused.complained, /bfloat16/);
});

test("what it runs on is checked before the model is opened", async () => {
  for (const [flag, value] of [
    ["engine", "gpu"],
    ["provider", "tpu"],
    ["precision", "float8"],
    ["frozen", "int4"],
    ["threads", "all"],
  ]) {
    const { status, complained } = await say("none", "none.png", "what?", `--${flag}`, value);
    assert.equal(status, 2);
    assert.match(
      complained,
      new RegExp(`--${flag} takes .*, got ${value}|--${flag} takes a number, got all`),
    );
  }
});

test("model and image the other way round are told apart", async () => {
  const image = join(folder, "swapped.png");
  const raw = { width: 4, height: 4, channels: 3 } as const;
  for (const format of ["png", "jpeg", "gif", "webp"] as const) {
    writeFileSync(image, await sharp(Buffer.alloc(48), { raw }).toFormat(format).toBuffer());
    const alone = await say(image, image, "what?");
    assert.equal(alone.status, 1);
    assert.match(alone.complained, /swapped\.png: an image \(.*\), not the weights of a model/);
  }
  const { status, complained } = await say(image, folder, "what?");
  assert.equal(status, 2);
  assert.match(complained, /is a folder, no image; the model comes first/);
});

test("words and files that make no sense are said in a line", async () => {
  assert.equal((await say("model", "image.png")).status, 2);
  const wrong = await say("model", "image.png", "what?", "--seed", "x");
  assert.equal(wrong.status, 2);
  assert.match(wrong.complained, /--seed takes a number, got x/);
  const missing = await say(join(folder, "none"), "image.png", "what?");
  assert.equal(missing.status, 1);
  assert.match(missing.complained, /none/);
});
