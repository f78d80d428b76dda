import type { Tensor } from "../../src/core/tf";
import type { ArraysByName, OpenEngine, TypedArray } from "../../src/engine";
import { type Graph, optimize, trace } from "../../src/graph";
import { parameterShapes, withTracedParameters } from "../../src/nn/modelState";
import { lossAndGradients } from "../../src/optim/gradients";
import { checkSamples, lossSamplesOf } from "./distill";
import { type LossSample, withGradients } from "./distillLosses";
import { maeModels, maeVariants } from "./distillModels";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";
import { compareAll, hostParameters, load } from "./support";

async function runOnce(open: OpenEngine, graph: Graph, fed: ArraysByName, state: ArraysByName = {}) {
  const engine = await open({ once: { graph } }, { threads: 1 });
  try {
    await engine.writeState(state);
    return await engine.run("once", fed);
  } finally {
    await engine.dispose();
  }
}

/** One loss and its gradients as a graph on an engine. */
async function sampleThrough(open: OpenEngine, sample: LossSample): Promise<Record<string, TypedArray>> {
  const entries = Object.entries(sample.inputs);
  const graph = trace(sample.name, {
    inputs: Object.fromEntries(entries.map(([name, { shape }]) => [name, { shape }])),
    state: {},
    body: (inputs) => withGradients(sample, inputs),
  });
  const fed = entries.map(([name, { data }]) => [name, Float32Array.from(data)] as const);
  const used = new Set(graph.inputs.map(({ name }) => name));
  return runOnce(open, optimize(graph), Object.fromEntries(fed.filter(([name]) => used.has(name))));
}

/** The checks of `distill_soft` or `distill_hidden`, every loss a graph on an engine. */
function lossChecksThrough(open: OpenEngine, folder: string, meta: CaseFile): Promise<Check[]> {
  const samples = lossSamplesOf[meta.case as keyof typeof lossSamplesOf](
    meta,
    load(folder, "tensors.safetensors"),
  );
  return checkSamples(samples, (sample) => sampleThrough(open, sample), meta.recommended_tolerance);
}

/** Loss and gradients of every variant of `distill_mae`, teacher and student in one graph on an engine. */
async function maeChecksThrough(open: OpenEngine, folder: string, meta: CaseFile): Promise<Check[]> {
  const { recommended_tolerance: tolerance } = meta;
  const io = load(folder, "io.safetensors");
  const checks: Check[] = [];
  for (const variant of maeVariants(meta)) {
    const { whole, rules, loss, inputs, rename } = maeModels(folder, meta, variant);
    const fed = Object.entries(inputs() as unknown as Record<string, Tensor>);
    const graph = trace(variant, {
      inputs: Object.fromEntries(
        fed.map(([name, { shape, dtype }]) => [name, { shape, dtype: dtype as "float32" | "int32" }]),
      ),
      state: parameterShapes(whole),
      body: (operands, state) =>
        withTracedParameters(whole, state, () => {
          const variables = new Map([...rules.keys()].map((path) => [path, state[path]]));
          const found = lossAndGradients(() => loss(operands), variables);
          const gradients = [...found.gradients].map(([path, gradient]) => [`d ${path}`, gradient] as const);
          return { loss: found.loss, ...Object.fromEntries(gradients) };
        }),
    });
    const operands = fed.map(([name, value]) => [name, value.dataSync() as TypedArray] as const);
    const weights = Object.fromEntries(await hostParameters(whole)) as ArraysByName;
    const results = await runOnce(open, optimize(graph), Object.fromEntries(operands), weights);
    const golden = load(folder, `grads_${variant}.safetensors`);
    const expected = new Map([...golden].map(([name, one]) => [rename(name), one]));
    const gradients = new Map([...rules.keys()].map((path) => [path, results[`d ${path}`]]));
    const error = maxAbsError(results.loss, io.get(`${variant}.loss`)!.data);
    checks.push({ name: `${variant}: loss`, error, tolerance: tolerance.loss_abs });
    checks.push(
      ...compareAll(`${variant}: gradients`, gradients, expected, {
        abs: tolerance.grads_abs,
        relative: tolerance.grads_rel_to_tensor_max,
      }),
    );
  }
  return checks;
}

/** Cases of distillation whose losses and gradients are graphs on an engine. */
export const distillGraphRunners = (open: OpenEngine): Readonly<Record<string, CaseRunner>> => ({
  distill_soft: (folder, meta) => lossChecksThrough(open, folder, meta),
  distill_hidden: (folder, meta) => lossChecksThrough(open, folder, meta),
  distill_mae: (folder, meta) => maeChecksThrough(open, folder, meta),
});
