import { type Engine, type EngineOptions, openEngine } from "../../engine";
import { optimize, trace } from "../../graph";
import { smoothedTargets } from "../../nn/losses";
import { fetchState, parameterShapes, sendParameters, withTracedParameters } from "../../nn/modelState";
import type { LarsOptions } from "../../optim/lars";
import { engineOf } from "../engineOf";
import type { LinearProbe } from "./linearProbe";

const buffers = ["head.1.weight.mu", "head.1.bias.mu"] as const;

/** A probe whose state lies on an engine, to be trained there. */
export interface ProbeTraining {
  /** One step on features [B × D] with labels [B]; gives back loss, logits and gradients. */
  step(
    features: Float32Array,
    labels: ArrayLike<number>,
    rate: number,
  ): Promise<Record<string, Float32Array>>;
  /** The engine's momentum buffers. */
  buffers(): Promise<Record<string, Float32Array>>;
  /** Brings the probe up to date. */
  sync(): Promise<void>;
  dispose(): Promise<void>;
}

/** Gets a probe ready to be trained in batches of one size. */
export async function openProbe(
  probe: LinearProbe,
  batch: number,
  lars: LarsOptions,
  options: EngineOptions,
): Promise<ProbeTraining> {
  const { dim, classes } = probe;
  const shapes = { "head.1.weight.mu": { shape: [classes, dim] }, "head.1.bias.mu": { shape: [classes] } };
  const graph = trace("probe", {
    inputs: { features: { shape: [batch, dim] }, targets: { shape: [batch, classes] }, rate: { shape: [] } },
    state: { ...parameterShapes(probe), ...shapes },
    body: ({ features, targets, rate }, state) =>
      withTracedParameters(probe, state, () => probe.step(features, targets, rate, state, lars)),
  });
  const engine: Engine = await openEngine({ probe: { graph: optimize(graph) } }, engineOf(options));
  try {
    await sendParameters(engine, probe.namedParameters());
    for (const name of buffers) {
      const size = shapes[name].shape.reduce((a, b) => a * b, 1);
      await engine.writeState({ [name]: new Float32Array(size) });
    }
  } catch (error) {
    await engine.dispose();
    throw error;
  }
  return {
    step: (features, labels, rate) => {
      const targets = smoothedTargets(labels, classes, 0);
      return engine.run("probe", { features, targets, rate: Float32Array.of(rate) });
    },
    buffers: () => engine.readState(buffers),
    sync: () => fetchState(engine, [...probe.namedParameters()]),
    dispose: () => engine.dispose(),
  };
}
