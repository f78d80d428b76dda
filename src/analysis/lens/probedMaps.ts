import { checkOptions, optionsOf } from "../../core/options";
import { type Tensor, tf } from "../../core/tf";
import type { EngineOptions } from "../../engine";
import type { Classifier } from "../../models/classifier";
import { type Compiled, compile } from "../../nn/compile";
import { type Body, forwardBatches } from "../forwardBatches";
import { type GivenImages, givenImages, readable } from "../givenImages";
import { type LookOptions, looking } from "../options";
import type { TrainedProbe } from "../probe/trainProbe";
import { meanOfPatches } from "../stages";
import { LensMaps, type LensSite } from "./lens";
import { residuals } from "./residuals";

const lookOptions = optionsOf<LookOptions>({}, looking);

/** What the patches of images say, each place's tokens read by the place's own probe. */
export async function probedMaps(
  model: Classifier,
  probes: ReadonlyMap<string, TrainedProbe>,
  images: GivenImages,
  options: LookOptions,
): Promise<LensMaps[]> {
  checkOptions("LensProbes.lens", givenImages, images);
  checkOptions("LensProbes.lens", lookOptions, options);
  const body: Body = (fed, { context }) => {
    const found = residuals(model, fed, context);
    return Object.fromEntries([...probes.keys()].map((site) => [site, tf.clone(found.get(site)!)]));
  };
  const set = readable(images, model.encoder.config.imageSize);
  const { positions: _, graphs: __, ...engine } = options;
  const readers = new Readers(model, engine);
  const maps: LensMaps[] = [];
  try {
    const look = { batchSize: 1, anyTokens: true, ...options };
    for await (const { samples, grid, results } of forwardBatches(model, set, body, look)) {
      const made: LensSite[] = [];
      for (const [site, { probe }] of probes)
        made.push({ site, ...(await readers.read(site, probe, results[site])) });
      const { classes } = [...probes.values()][0].probe;
      maps.push(new LensMaps(samples[0], classes, grid, made, model.encoder.firstPatch));
    }
  } finally {
    await readers.dispose();
  }
  return maps;
}

/** Probes as graphs, one for each place and number of tokens. */
class Readers {
  private readonly graphs = new Map<string, Compiled>();

  constructor(
    private readonly model: Classifier,
    private readonly engine: EngineOptions,
  ) {}

  /** tokens [T, D] -> logits of every token [T, K] and of the mean of the patches [K]. */
  async read(
    site: string,
    probe: TrainedProbe["probe"],
    tokens: Float32Array,
  ): Promise<Pick<LensSite, "logits" | "pooled">> {
    const count = tokens.length / probe.dim;
    const key = `${site} ${count}`;
    const graph = this.graphs.get(key) ?? (await this.open(probe, count));
    this.graphs.set(key, graph);
    const { logits, pooled } = await graph.run({ tokens });
    return { logits: logits.data as Float32Array, pooled: pooled.data as Float32Array };
  }

  async dispose(): Promise<void> {
    for (const graph of this.graphs.values()) await graph.dispose();
  }

  private open(probe: TrainedProbe["probe"], count: number): Promise<Compiled> {
    const spec = {
      inputs: { tokens: { shape: [count, probe.dim] } },
      model: probe,
      body: ({ tokens }: Readonly<Record<string, Tensor>>) => ({
        logits: probe.forward(tokens),
        pooled: probe.forward(meanOfPatches(this.model, tf.reshape(tokens, [1, count, probe.dim]))),
      }),
    };
    return compile("lens probe", spec, this.engine);
  }
}
