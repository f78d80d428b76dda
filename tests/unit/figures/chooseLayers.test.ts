import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseLayers } from "../../../src/figures/attention/payload";
import { isLuvitError } from "../nn/support";
import { syntheticMaps } from "./syntheticMaps";

const layers = Object.fromEntries(
  [...Array.from({ length: 6 }, (_, i) => `blocks.${i}`), "llama.0"].map((name) => [name, 1]),
);
const models = [syntheticMaps({ grid: 2, layers })];

/** Every choice that is tried where none fits the page, as "0 1 …" for blocks and "L" for the LLaMA block, "/2" for its step. */
function tried(wanted?: readonly string[]): string[] {
  const all: string[] = [];
  const packed = (steps: ReadonlyMap<string, number>) => {
    all.push(
      [...steps]
        .map(
          ([name, step]) =>
            name.replace("blocks.", "").replace("llama.0", "L") + (step > 1 ? `/${step}` : ""),
        )
        .join(" "),
    );
    return "x".repeat(1_000_001);
  };
  assert.throws(
    () => chooseLayers(models, wanted, { budget: 1_000_000, beside: 0, packed }),
    isLuvitError("bad-argument", "choose fewer layers or a greater maxBytes"),
  );
  return all;
}

test("fewer and fewer layers are whole, spread over the depth, the last block and LLaMA's to the end", () => {
  const all = tried();
  const spread = ["0 1 2 3 4 5", "0 1 3 4 5", "0 2 3 5", "0 3 5", "0 5", "5"];
  const mixed = (fine: number, coarse: number) =>
    [...spread, "only"].map((kept) =>
      "0 1 2 3 4 5 L"
        .split(" ")
        .map((name) => {
          const isFine = kept === "only" ? name === "5" : name === "L" || kept.split(" ").includes(name);
          const step = isFine ? fine : coarse;
          return step > 1 ? `${name}/${step}` : name;
        })
        .join(" "),
    );
  const every = (step: number) =>
    "0 1 2 3 4 5 L"
      .split(" ")
      .map((name) => `${name}/${step}`)
      .join(" ");
  const few = [...spread.map((kept) => `${kept} L`), "5"].map((kept) =>
    kept
      .split(" ")
      .map((name) => `${name}/4`)
      .join(" "),
  );
  assert.deepEqual(all, [...mixed(1, 2), every(2), ...mixed(2, 4), every(4), ...few]);
});

test("layers that are asked for are whole or refused, those that are not there are named", () => {
  assert.deepEqual(tried(["blocks.1", "llama.0"]), ["1 L"]);
  const packed = () => "page";
  assert.throws(
    () => chooseLayers(models, ["blocks.1", "blocks.9"], { budget: 1e6, beside: 0, packed }),
    isLuvitError("bad-argument", "no maps of blocks.9; there are blocks.0, blocks.1"),
  );
  const { steps, data } = chooseLayers(models, undefined, { budget: 1e6, beside: 0, packed });
  assert.deepEqual([data, [...steps.values()]], ["page", [1, 1, 1, 1, 1, 1, 1]]);
});

test("what stands beside the numbers in the page counts, to the byte", () => {
  const wanted = ["blocks.0"];
  const fits = (beside: number) => {
    try {
      return chooseLayers(models, wanted, { budget: 1000, beside, packed: () => "" }).data === "";
    } catch {
      return false;
    }
  };
  let most = 0;
  while (fits(most + 1)) most++;
  // 5 queries of 5 numbers and their rollout, in base64
  assert.ok(most > 700 && most < 1000, `${most}`);
  assert.ok(!fits(most + 1) && fits(most));
  const twice = chooseLayers([...models, ...models], wanted, {
    budget: 1000 + (1000 - most),
    beside: most,
    packed: () => "",
  });
  assert.deepEqual([...twice.steps], [["blocks.0", 1]]);
});
