import { ablateHeads, relevance } from "../src/analysis";
import { stopEngineProcesses } from "../src/engine";
import { type Classifier, create, type Pooling } from "../src/models/classifier";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { NoiseImages } from "./core/noiseImages";
import type { BenchOptions } from "./core/options";
import { fusionOf, presetOf } from "./core/presets";
import { processorTimeOfTree } from "./core/processorTime";
import type { Report } from "./core/report";
import { type Spread, spreadOf } from "./core/statistics";

/** Of a model that reads its class token, and of one that reads the mean of its patches. */
const poolings = ["cls", "mean"] as const satisfies readonly Pooling[];

interface Measured {
  /** The first time, in which the model's weights are handed over. */
  first_s: number;
  s: Spread;
  /** Processor time of all processes, which other work on the machine hardly changes. */
  processor_s: Spread;
}

export interface InsideResult extends Heading {
  pooling: Record<(typeof poolings)[number], Measured>;
}

/** The map of one image by `chefer`, through every layer, the first apart from those after it. */
export async function relevanceBench(options: BenchOptions): Promise<Report> {
  return inside(options, "a map", async (model, engine) => {
    const images = new NoiseImages(1, model.encoder.config.imageSize);
    const runs = 1 + options.warmup + options.steps;
    const laps: Lap[] = [];
    for (let run = 0; run < runs; run++) laps.push(await lapOf(() => relevance(model, images, engine)));
    return { first: laps[0], others: laps.slice(1 + options.warmup) };
  });
}

/**
 * Every head off, one by one. An image takes what more images take longer, over their number: the graph is made, and the
 * weights are handed over, once in either call.
 */
export async function ablateBench(options: BenchOptions): Promise<Report> {
  const report = await inside(options, "all heads of an image", async (model, engine) => {
    const { imageSize } = model.encoder.config;
    const take = (count: number) =>
      lapOf(() => ablateHeads(model, new NoiseImages(count, imageSize), engine));
    const first = await take(1); // starts the engine's process, too
    const one = await take(1);
    const all = await take(1 + options.steps);
    const each = (key: keyof Lap) => (all[key] - one[key]) / options.steps;
    return { first, others: [{ seconds: each("seconds"), processor: each("processor") }] };
  });
  const { pooling } = report.json as InsideResult;
  const minutes = poolings.map((name) => `${name} ${((100 * pooling[name].s.median) / 60).toFixed(1)} min`);
  return { ...report, text: `${report.text}\n  100 images, extrapolated: ${minutes.join(", ")}` };
}

interface Lap {
  readonly seconds: number;
  readonly processor: number;
}

async function lapOf(run: () => Promise<unknown>): Promise<Lap> {
  const [start, before] = [performance.now(), processorTimeOfTree(process.pid)];
  await run();
  return {
    seconds: (performance.now() - start) / 1000,
    processor: processorTimeOfTree(process.pid) - before,
  };
}

async function inside(
  options: BenchOptions,
  what: string,
  measure: (model: Classifier, engine: object) => Promise<{ first: Lap; others: readonly Lap[] }>,
): Promise<Report> {
  const { vit, llama, ...preset } = presetOf(options.preset);
  const { engine, precision, frozen, provider } = options;
  const pooling = {} as InsideResult["pooling"];
  for (const name of poolings) {
    const fusion = fusionOf({ ...preset, vit, llama });
    const model = create({ encoder: vit, fusion, classes: preset.classes, pooling: name });
    const { first, others } = await measure(model, { engine, precision, frozen, provider });
    pooling[name] = {
      first_s: first.seconds,
      s: spreadOf(others.map(({ seconds }) => seconds)),
      processor_s: spreadOf(others.map(({ processor }) => processor)),
    };
    model.dispose();
  }
  await stopEngineProcesses();
  const heading = headingOf(options, 1, [engine, precision, frozen].filter(Boolean).join(" "));
  const lines = poolings.map((name) => {
    const { first_s, s, processor_s } = pooling[name];
    const range = `${s.median.toFixed(2)} s (${s.min.toFixed(2)} to ${s.max.toFixed(2)})`;
    return `  ${name.padEnd(5)} ${what}: ${range}, processor time ${processor_s.median.toFixed(2)} s; first ${first_s.toFixed(1)} s`;
  });
  const text = [...headingText(heading), heading.engine_description, ...lines].join("\n");
  return { json: { ...heading, ...noFigures, pooling }, text };
}
