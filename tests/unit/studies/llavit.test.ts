import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import { Rng } from "../../../src/core/rng";
import { toy } from "../../../src/data";
import { llavit } from "../../../src/models";
import { llavitStudy } from "../../../studies/llavit";
import { blindfolded, captioned, ofOneObject } from "../../../studies/llavit/drawings";

const set = toy.questions(4, 48, { size: 16 });

test("the study of LLaViT has nine variants of every seed, behind the tower that all of them see through", () => {
  const names = llavitStudy.trials({ seeds: 5, epochs: 1 }).map(({ name }) => name);
  assert.equal(names[0], "tower");
  assert.equal(new Set(names).size, 1 + 5 * 9);
});

test("every word of a question and of its answers is a token of its own", async () => {
  const words = await llavit.tokenizer(join(packageRoot(), "data", "question-words"));
  for (const combinations of ["trained", "held out"] as const) {
    const many = toy.questions(9, 600, { combinations });
    for (let i = 0; i < many.length; i++) {
      const { question, choices } = many.question(i);
      for (const text of [`${question}`, ...choices]) {
        const tokens = words.encode(text);
        assert.equal(words.decode(tokens).replaceAll(" ", ""), text.replaceAll(" ", ""));
        assert.equal(tokens.length, text.match(/\w+|\?/g)!.length, text);
      }
    }
  }
});

test("the blind are asked the same questions about other drawings, each of which is shown once", async () => {
  const blind = blindfolded(set, 0);
  const numbers = Array.from({ length: set.length }, (_, i) => i);
  const key = ({ image }: { image: Float32Array }) => Array.from(image.subarray(0, 200)).join();
  const [own, shown] = await Promise.all(
    [set, blind].map((one) => Promise.all(numbers.map(async (i) => key(await one.load(i, new Rng(0)))))),
  );
  assert.deepEqual([...shown].sort(), [...own].sort());
  assert.ok(shown.filter((image, i) => image === own[i]).length < 6);
  for (const i of numbers) assert.deepEqual(blind.question(i), set.question(i));
  const part = blind.subset([5, 3]) as typeof blind;
  assert.equal(key(await part.load(1, new Rng(0))), shown[3]);
  assert.deepEqual(part.question(1), set.question(3));
});

test("a drawing of one object is labeled with its color and its name", () => {
  const images = captioned(ofOneObject(set));
  assert.equal(images.length, 32);
  for (let i = 0; i < images.length; i++) {
    const [{ name, color }] = ofOneObject(set).facts(i).objects;
    assert.equal(images.classes[images.label(i)], `${color} ${name}`);
  }
});
