import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import * as luvit from "../../../../src";
import { packageRoot } from "../../../../src/core/packageRoot";
import { temporaryFolder } from "../../train/support";

/*
 * Every public function and class, called with what cannot be its first argument: it says so, or it does what it can; it
 * never stumbles inside the library. Notebooks of plain JavaScript forget an `await` and misspell a name every day.
 */

const folder = temporaryFolder();

/** Such a value works as a folder's name, and a whole set would be drawn into it. */
const takesText = ["data.writeToySet"];

const wrong: readonly [shown: string, value: unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["5", 5],
  ['"x"', "x"],
  ["a Promise", Promise.resolve(5)],
  ["{}", {}],
];

type Callable = ((value: unknown) => unknown) & (new (value: unknown) => unknown);

const memberOf = (name: string) =>
  name.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], luvit);

const names = readFileSync(`${packageRoot()}/tests/api.txt`, "utf8")
  .split("\n")
  .filter((name) => name !== "" && name !== "tf" && !/ \(type\)$|\.\*$/.test(name))
  .filter((name) => typeof memberOf(name) === "function");

const isClass = (value: unknown) => Function.prototype.toString.call(value).startsWith("class");

/** What a call ends in that is no LuvitError, as a line. */
async function rawError(name: string, shown: string, value: unknown): Promise<string[]> {
  const called = memberOf(name) as Callable;
  try {
    await (isClass(called) ? new called(value) : called(value));
  } catch (error) {
    if (!(error instanceof luvit.LuvitError)) return [`${name}(${shown}): ${String(error)}`];
  }
  return [];
}

before(async () => {
  await luvit.ready({ backend: "cpu", engine: "eager" });
  process.chdir(folder);
});

test("no public function stumbles over a first argument that cannot be", async () => {
  assert.ok(names.length > 150, `${names.length} functions and classes`);
  const found: string[] = [];
  for (const name of names) {
    for (const [shown, value] of wrong) {
      if (shown === '"x"' && takesText.includes(name)) continue;
      found.push(...(await rawError(name, shown, value)));
    }
  }
  assert.deepEqual(found, []);
});

test("what is wrong with a first argument is said with the function, what it takes and what came", async () => {
  const says = async (call: () => unknown) => {
    try {
      await call();
    } catch (error) {
      return (error as Error).message;
    }
    return "nothing";
  };
  const { data, analysis, lora } = luvit;
  assert.equal(
    await says(() => data.resize(Promise.resolve() as never, 4, 4)),
    "resize: expected an image { data, width, height }, got a Promise; write await before what makes it",
  );
  assert.equal(
    await says(() => data.decodeImage(null as never)),
    "decodeImage: expected a path, or bytes (Uint8Array), got null",
  );
  assert.equal(
    await says(() => analysis.rowEntropy([1, 2] as never)),
    "rowEntropy: expected a tensor, got [ 1, 2 ]",
  );
  assert.equal(await says(() => lora.merge("x" as never)), "lora: expected a model, got 'x'");
});
