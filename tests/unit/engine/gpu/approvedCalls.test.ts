import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { adapterOf, gpuProblem, hasVulkanLoader } from "../../../../src/engine/gpu/adapter";
import { type Comparison, judge } from "../../../../src/engine/gpu/probe";
import {
  LARGE,
  multiply,
  PRODUCTS,
  SMALL,
  trialFeeds,
  trialPrograms,
  trialState,
} from "../../../../src/engine/gpu/trial";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

test("where WebGPU can be had, how a GPU is judged, and what it is tried with are approved", async () => {
  const calls = new Calls();
  for (const [platform, arch] of [
    ["linux", "arm64"],
    ["darwin", "x64"],
    ["darwin", "arm64"],
    ["win32", "x64"],
    ["win32", "arm64"],
    ["freebsd", "x64"],
  ] as const)
    await calls.of(gpuProblem, platform, arch, "/none");
  const machine = (...files: string[]) => {
    const root = temporaryFolder();
    for (const file of files) {
      mkdirSync(join(root, file, ".."), { recursive: true });
      writeFileSync(join(root, file), "");
    }
    return root;
  };
  for (const files of [
    [],
    ["dev/null"],
    ["dev/dri/card0"],
    ["dev/dri/renderD128"],
    ["dev/nvidiactl"],
    ["dev/nvidia0"],
    ["dev/dxg"],
    ["dev/xdxg"],
  ])
    await calls.does(`linux with ${files}`, () => gpuProblem("linux", "x64", machine(...files)));
  await calls.does("of no process", () => [
    process.platform === "linux" ? adapterOf(2 ** 30) : undefined,
    hasVulkanLoader(2 ** 30),
  ]);
  const compare = (name: string, change: Partial<Comparison>) =>
    calls.does(name, () =>
      judge({ there: [1, 2], here: [1, 2], msThere: 3.1401, msHere: 9.87, side: 1024, ...change }),
    );
  await compare("faster", {});
  await compare("as fast", { msThere: 9.87 });
  await compare("slower", { msThere: 10, side: 512 });
  for (const off of [1.9e-5, 2.1e-5, -2.1e-5, 1]) await compare(`off by ${off}`, { there: [1 + off, 2] });
  for (const off of [1.9e-3, 2.1e-3])
    await compare(`off by ${off} of a hundred`, { here: [1, 100], there: [1, 100 + off] });
  await compare("off below one", { here: [0.001], there: [0.001 + 1.9e-5] });
  for (const broken of [Number.NaN, Number.POSITIVE_INFINITY, undefined as never])
    await compare(`gives ${broken}`, { there: [broken, 2] });
  await compare("all wrong but slower", { there: [2, 2], msThere: 99 });
  calls.note("sizes", [SMALL, LARGE, PRODUCTS, multiply(7)]);
  for (const [name, { graph }] of Object.entries(trialPrograms())) {
    calls.note(name, [
      graph.name,
      graph.inputs.map((input) => `${input.name} [${input.value.shape}]`),
      graph.state.map((entry) => `${entry.name} [${entry.value.shape}]`),
      graph.outputs,
      graph.constants.length,
    ]);
    for (const node of graph.nodes)
      calls.note(
        "  node",
        `${node.op} ${node.inputNames} ${node.inputs} -> ${node.outputs.map(({ id, shape }) => `${id} [${shape}]`)} ${JSON.stringify(node.attributes)}`,
      );
  }
  for (const [name, numbers] of Object.entries(trialState()))
    calls.note(name, [numbers.length, numbers.subarray(0, 5), numbers.subarray(-2)]);
  for (const step of [1, 3]) calls.note(`step ${step}`, trialFeeds(step));
  calls.approve("engine/gpu/gpu");
});
