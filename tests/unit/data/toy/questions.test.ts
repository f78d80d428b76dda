import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { batches, toy, transforms } from "../../../../src/data";
import { isLuvitError } from "../../nn/support";

const COUNT = 240;
const sets = {
  trained: toy.questions(1, COUNT),
  "held out": toy.questions(1, COUNT, { combinations: "held out" }),
};
const all = (set: toy.QuestionSet) =>
  Array.from({ length: set.length }, (_, i) => [set.question(i), set.facts(i)] as const);

describe("every answer follows from the facts of its drawing", () => {
  for (const [name, set] of Object.entries(sets)) {
    test(name, () => {
      for (const [{ kind, question, answer, choices }, { objects, background }] of all(set)) {
        const [first, second] = objects;
        assert.ok(choices.includes(answer), `${question} ${answer}`);
        if (kind === "what") assert.equal(answer, first.name);
        if (kind === "color")
          assert.deepEqual([question, answer], [`what color is the ${first.name}?`, first.color]);
        if (kind === "behind") assert.equal(answer, background);
        if (kind === "same") assert.equal(answer === "yes", first.color === second.color);
        if (kind === "where") {
          const [dx, dy] = [first.x - 0.5, first.y - 0.5];
          const place = Math.abs(dx) > Math.abs(dy) ? (dx < 0 ? "left" : "right") : dy < 0 ? "top" : "bottom";
          assert.equal(answer, place);
        }
        if (kind !== "relation") continue;
        const [, a, how, b] = /^is the (\w+) (left of|above) the (\w+)\?$/.exec(question)!;
        const [one, other] = [a, b].map((which) => objects.find((object) => object.name === which)!);
        assert.equal(answer === "yes", how === "above" ? one.y < other.y : one.x < other.x);
      }
    });
  }
});

test("the kinds come equally often, and answers of yes and no are even", () => {
  const asked = all(sets.trained).map(([question]) => question);
  for (const kind of sets.trained.classes)
    assert.equal(asked.filter((one) => one.kind === kind).length, COUNT / 6);
  for (const kind of ["relation", "same"]) {
    const yes = toy.questions(3, 200, { kinds: [kind as "same"] });
    const share = all(yes).filter(([{ answer }]) => answer === "yes").length / 200;
    assert.ok(share > 0.38 && share < 0.66, `${kind}: ${share}`);
  }
});

test("what is held out is never trained with, and always asked about", () => {
  const combination = ({ name, color }: { name: string; color: string }) => `${color} ${name}`;
  const trained = new Set(all(sets.trained).flatMap(([, { objects }]) => objects.map(combination)));
  const asked = new Set(all(sets["held out"]).map(([, { objects }]) => combination(objects[0])));
  assert.equal(asked.size, 6);
  assert.deepEqual(
    [...asked].filter((one) => trained.has(one)),
    [],
  );
  assert.ok(trained.size > 30);
});

test("a color that is asked for is the color that is drawn", () => {
  const set = toy.questions(4, 90, { kinds: ["color"] });
  const solid = ["star", "heart", "fish"]; // others have a hole, or another color, in their middle
  const numbers = Array.from({ length: 90 }, (_, i) => i).filter((i) =>
    solid.includes(set.facts(i).objects[0].name),
  );
  const middle = (i: number) => {
    const { data, width } = set.pixels(i);
    const { x, y } = set.facts(i).objects[0];
    const at = 3 * (Math.floor(y * width) * width + Math.floor(x * width));
    return { red: data[at], green: data[at + 1], blue: data[at + 2] };
  };
  for (const name of ["red", "green", "blue"] as const) {
    const asked = numbers.filter((i) => set.question(i).answer === name);
    assert.ok(asked.length > 2, name);
    for (const i of asked) {
      const seen = middle(i);
      assert.equal(
        seen[name],
        Math.max(seen.red, seen.green, seen.blue),
        `question ${i}: ${JSON.stringify(seen)}`,
      );
    }
  }
});

test("everything follows from the seed, in subsets too", async () => {
  const again = toy.questions(1, COUNT);
  assert.deepEqual(again.pixels(7), sets.trained.pixels(7));
  assert.deepEqual(again.question(7), sets.trained.question(7));
  assert.notDeepEqual(toy.questions(2, COUNT).pixels(7), again.pixels(7));
  const part = again.subset([30, 7]);
  assert.deepEqual(part.pixels(1), again.pixels(7));
  const { image, question, index } = await part.load(1, new Rng(0));
  assert.equal(index, 1);
  assert.equal(question, again.question(7).question);
  assert.deepEqual(image, (await again.load(7, new Rng(0))).image);
});

test("batches carry the questions", async () => {
  const set = toy.questions(1, 8).withTransform(transforms.none(64));
  for await (const { samples, indices, images } of batches(set, { batchSize: 4 })) {
    const questions = samples.map((sample) => (sample as unknown as toy.QuestionSample).question);
    assert.deepEqual(
      questions,
      Array.from(indices, (index) => set.question(index).question),
    );
    assert.equal(images.length, 4 * 3 * 64 * 64);
  }
});

test("what cannot be is refused by name", () => {
  assert.throws(() => toy.questions(1, 0), isLuvitError("bad-argument", "count"));
  assert.throws(() => toy.questions(1, 5, { kinds: [] }), isLuvitError("bad-argument", "kinds"));
  assert.throws(
    () => toy.questions(1, 5, { combinations: "all" as never }),
    isLuvitError("bad-argument", "combinations"),
  );
  assert.throws(() => toy.questions(1, 5).question(5), isLuvitError("bad-argument", "5"));
});

test("a question keeps its kind and its name in every view, and what was drawn is drawn once", async () => {
  const set = toy.questions(1, 30);
  const part = set.subset([13, 2]).take(1);
  assert.deepEqual(
    [part.label(0), part.path(0), part.question(0).kind],
    [1, "toy question 13 of seed 1, trained", "color"],
  );
  assert.equal(part.pixels(0), set.pixels(13));
  assert.equal(part.question(0), set.question(13));
  const other = part.withTransform(transforms.evaluation(8));
  assert.deepEqual([other.size, other.label(0), other.pixels(0) === set.pixels(13)], [8, 1, true]);
  assert.equal((await other.load(0, new Rng(0))).image.length, 3 * 64);
});
