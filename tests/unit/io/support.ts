import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { LuvitError, type LuvitErrorCode } from "../../../src/core/errors";
import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { showWorkWith, type Work } from "../../../src/core/progress";
import { Rng } from "../../../src/core/rng";
import { CountingSource, fileSource } from "../../../src/io/bytes/byteSource";
import type { LlamaFileConfig } from "../../../src/io/llama/config";
import { blockParameters, expectedBlockShapes } from "../../../src/io/llama/shapes";

export { temporaryFolder } from "../../support/temporaryFolder";

/** The repository, found from the compiled test as well as from its source. */
export const repository = findUp(__dirname, "biome.json");
export const goldenCases = join(repository, "tests", "golden", "cases");
export const fixtures = join(repository, "tests", "unit", "io", "fixtures");

export function writeBytes(folder: string, name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

export async function countedFile(path: string): Promise<CountingSource> {
  return new CountingSource(await fileSource(path));
}

export function randomTensor(rng: Rng, shape: readonly number[]): HostTensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, data: Float32Array.from({ length: size }, () => rng.normal()) };
}

/** Numbers that every stored type keeps exactly. */
export function eighths(shape: readonly number[]): HostTensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, data: Float32Array.from({ length: size }, (_, i) => ((i % 31) - 15) / 8) };
}

export const tinyLlama: LlamaFileConfig = {
  dim: 16,
  heads: 2,
  kvHeads: 2,
  hiddenDim: 24,
  normEps: 1e-5,
  ropeTheta: 5000,
};

/** A language model in Meta names. */
export function tinyLanguageModel(layers: number, config = tinyLlama, seed = 1): StateDict {
  const rng = new Rng(seed);
  const { dim, hiddenDim, heads, kvHeads, headDim = dim / heads } = config;
  const shapes = expectedBlockShapes({
    dim,
    hiddenDim,
    qDim: headDim * heads,
    kvDim: headDim * kvHeads,
    headDim,
  });
  const tensors: StateDict = new Map();
  const add = (name: string, shape: number[]) => tensors.set(name, randomTensor(rng, shape));
  add("tok_embeddings.weight", [10, dim]);
  for (let layer = 0; layer < layers; layer++) {
    for (const parameter of blockParameters(config))
      add(`layers.${layer}.${parameter}`, shapes.get(parameter)!);
  }
  add("norm.weight", [dim]);
  add("output.weight", [10, dim]);
  return tensors;
}

export function assertSameTensors(actual: StateDict, expected: StateDict): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { shape, data }] of expected) {
    assert.deepEqual([...actual.get(name)!.shape], [...shape], name);
    assert.deepEqual(actual.get(name)!.data, data, name);
  }
}

/** Expects a LuvitError of one code whose message matches every pattern. */
export async function assertRejects(
  work: () => Promise<unknown>,
  code: LuvitErrorCode,
  ...patterns: (RegExp | string)[]
): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof LuvitError, `not a LuvitError: ${error}`);
    assert.equal(error.code, code, error.message);
    for (const pattern of patterns) {
      const found =
        typeof pattern === "string" ? error.message.includes(pattern) : pattern.test(error.message);
      assert.ok(found, `${pattern} not in: ${error.message}`);
    }
    return true;
  });
}

function findUp(from: string, name: string): string {
  return existsSync(join(from, name)) ? from : findUp(dirname(from), name);
}

/** What is shown of all that takes time from here on, how far it came and how it ended. */
export function watchWork() {
  const shown: { work: Work; done: number; state?: string }[] = [];
  showWorkWith((work) => {
    const one: (typeof shown)[number] = { work, done: 0 };
    shown.push(one);
    return {
      advance(done) {
        one.done = done;
      },
      end(state) {
        one.state = state;
      },
    };
  });
  return shown;
}

/** Puts away what engines of JavaScript say about bad JSON, each in its own words. */
export function withoutEnginesWords({ lines }: { lines: string[] }): void {
  const plain = lines.map((line) =>
    line
      .replace(/(not JSON|not valid JSON) \(.*?\) < SyntaxError.*$/, "$1 (…)")
      .replace(/ < SyntaxError: .*$/, " < SyntaxError"),
  );
  lines.splice(0, lines.length, ...plain);
}
