import { patchEntropy } from "../src/analysis/entropy";
import { Rng } from "../src/core/rng";
import type { Tensor } from "../src/core/tf";
import { describeEngine } from "../src/engine";
import { type Graph, optimize, trace } from "../src/graph";
import { type Classifier, create } from "../src/models/classifier";
import { parameterShapes, sendParameters, withTracedParameters } from "../src/nn/modelState";
import { openPrograms } from "./core/engines";
import { fusionOf, presetOf } from "./core/presets";
import { randomImages } from "./core/randomImages";
import type { StepBench } from "./core/stepBench";
import { aboutGraph } from "./core/work";

/** A forward pass with the attention entropy of every patch, head and layer; only entropies and logits come back. */
export const entropy: StepBench = {
  batch: 8,
  job: {},
  async open(options, batch) {
    const preset = presetOf(options.preset);
    const model = create({ encoder: preset.vit, fusion: fusionOf(preset), classes: preset.classes });
    const images = randomImages(batch, preset.vit.imageSize, new Rng(0));
    const graph = optimize(traceEntropy(model, images.shape));
    const executor = await openPrograms({ entropy: { graph } }, options);
    await sendParameters(executor, model.namedParameters());
    return {
      ...aboutGraph(graph),
      parameters: { total: model.counts().total, trainable: 0 },
      engine: describeEngine(executor.description),
      run: async () => meanEntropy(await executor.run("entropy", { images: images.data })),
      traffic: () => executor.traffic,
      dispose: () => executor.dispose(),
    };
  },
};

function traceEntropy(model: Classifier, shape: readonly number[]): Graph {
  return trace("entropy", {
    inputs: { images: { shape } },
    state: parameterShapes(model),
    body: ({ images }, state) => withTracedParameters(model, state, () => forward(model, images)),
  });
}

/** Logits [B, K], and entropies [B, H, T-1] in nats by layer. */
function forward(model: Classifier, images: Tensor): Record<string, Tensor> {
  const entropies: Record<string, Tensor> = {};
  const tap = (name: string, value: Tensor) => {
    if (name.endsWith(".pattern")) entropies[name] = patchEntropy(value);
  };
  return { logits: model.forward(images, { tap }), ...entropies };
}

/** Nats, over everything. */
function meanEntropy({ logits: _, ...entropies }: Readonly<Record<string, Float32Array>>): number {
  const values = Object.values(entropies);
  const sum = values.reduce((all, layer) => all + layer.reduce((a, b) => a + b, 0), 0);
  return sum / values.reduce((count, layer) => count + layer.length, 0);
}
