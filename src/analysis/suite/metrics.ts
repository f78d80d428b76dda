import { mean } from "../../core/mean";
import { benchmarkCorruptions, type CorruptionType } from "../../data/sets";
import { type PaperPair, paperTable1, paperTable3, paperTable5 } from "../paper";
import type { PartAnswers } from "./answers";
import { alexNetErrors } from "./corruptionErrors";

/** One number of a suite. */
export interface Metric {
  /** "ImageNet-1K", "ImageNet-C". */
  data: string;
  /** "top-1", "mCE", "gap mixed_same - mixed_rand". */
  metric: string;
  /** Percent, or percentage points. */
  value: number;
  /** Images that were answered. */
  images: number;
  /** Tables of the paper that have this number. */
  tables: string;
  paper: PaperPair;
}

/** The answers of a suite by part. */
export type SuiteAnswers = ReadonlyMap<string, PartAnswers>;

const names = {
  in1k: "ImageNet-1K",
  a: "ImageNet-A",
  r: "ImageNet-R",
  v2: "ImageNet-V2",
  sketch: "ImageNet-Sketch",
} as const;

/** The set that a part of a suite belongs to. */
export function dataOf(part: string): string {
  const [key, ...rest] = part.split("/");
  const several: Record<string, string> = { c: "ImageNet-C", in9: "ImageNet-9", own: rest.join("/") };
  return several[key] ?? names[key as keyof typeof names];
}

const tables = "1, 3, 4";

/** What the paper's numbers beside a result depend on. */
export interface Comparison {
  /** Decides the paper's row. */
  recipe?: string;
  /** Classes of the model; the paper's have 1000. */
  classes: number;
}

/** Every number that the answers give, in the order of the paper's columns. */
export function metricsOf(answers: SuiteAnswers, comparison: Comparison): Metric[] {
  const paper = paperRow(comparison);
  const metrics: Metric[] = [];
  const add = (key: string, data: string, places: string) => {
    const part = answers.get(key);
    if (!part) return;
    const common = { data, images: part.size };
    metrics.push({ ...common, metric: "top-1", value: top1(part), tables: places, paper: paper[key] ?? {} });
    const five = top5(part);
    if (five !== null) metrics.push({ ...common, metric: "top-5", value: five, tables: "", paper: {} });
  };
  for (const [key, data] of Object.entries(names)) add(key, data, tables);
  const corruptions = corruptionMetrics(answers, paper.c ?? {});
  const backgrounds = backgroundMetrics(answers, comparison.classes === 1000 ? paperTable5 : {});
  metrics.push(...corruptions, ...backgrounds);
  for (const key of answers.keys()) if (key.startsWith("own/")) add(key, key.slice(4), "");
  return metrics;
}

/** The paper's numbers that a model trained by this recipe is to be held against. */
function paperRow({ recipe, classes }: Comparison): Record<string, PaperPair> {
  if (classes !== 1000) return {};
  if (recipe === "finetuneLuvit") return paperTable1;
  return recipe === "supervised" ? paperTable3 : {};
}

/** Percent of answers that are right. */
function top1(part: PartAnswers): number {
  let right = 0;
  for (const { label, prediction } of part.values()) if (label === prediction) right++;
  return (100 * right) / part.size;
}

/** Percent of answers with the label among the best five; null where some have no such ranking. */
function top5(part: PartAnswers): number | null {
  let right = 0;
  for (const { inTop5 } of part.values()) {
    if (inTop5 === null) return null;
    if (inTop5) right++;
  }
  return (100 * right) / part.size;
}

/**
 * ImageNet-C: mean top-1 over corruptions and severities (LUViT), the mean error and the mean corruption error of the 15
 * benchmark corruptions (normalized by AlexNet's), and top-1 of each corruption over its severities.
 */
function corruptionMetrics(answers: SuiteAnswers, paper: PaperPair): Metric[] {
  const byType = new Map<CorruptionType, PartAnswers[]>();
  for (const [key, part] of answers) {
    const type = /^c\/(.+)\/\d+$/.exec(key)?.[1] as CorruptionType | undefined;
    if (type) byType.set(type, [...(byType.get(type) ?? []), part]);
  }
  if (byType.size === 0) return [];
  const accuracy = new Map([...byType].map(([type, parts]) => [type, mean(parts.map(top1))]));
  const size = (parts: readonly PartAnswers[]) => parts.reduce((sum, part) => sum + part.size, 0);
  const common = { data: "ImageNet-C", images: size([...byType.values()].flat()), tables: "", paper: {} };
  // The paper's mean is over a whole benchmark.
  const isWhole = benchmarkCorruptions.every((type) => byType.has(type));
  const count = `${byType.size} ${byType.size === 1 ? "corruption" : "corruptions"}`;
  const metrics: Metric[] = [
    {
      ...common,
      metric: `top-1, mean of ${count}`,
      value: mean([...accuracy.values()]),
      tables,
      paper: isWhole ? paper : {},
    },
  ];
  const benchmark = benchmarkCorruptions.filter((type) => accuracy.has(type));
  if (benchmark.length === benchmarkCorruptions.length) {
    const errors = benchmark.map((type) => 100 - accuracy.get(type)!);
    const normalized = benchmark.map((type, i) => errors[i] / alexNetErrors[type]!);
    metrics.push({ ...common, metric: "mean error of 15 corruptions", value: mean(errors) });
    metrics.push({ ...common, metric: "mCE of 15 corruptions", value: mean(normalized) });
  }
  for (const [type, value] of accuracy) {
    metrics.push({ ...common, metric: `top-1, ${type}`, value, images: size(byType.get(type)!) });
  }
  return metrics;
}

/** ImageNet-9: accuracies, the official gap and those that LUViT reports beside it, percentage points. */
function backgroundMetrics(answers: SuiteAnswers, paper: Record<string, PaperPair>): Metric[] {
  const metrics: Metric[] = [];
  const accuracy = new Map<string, number>();
  for (const [key, part] of answers) {
    const split = /^in9\/(.+)$/.exec(key)?.[1];
    if (!split) continue;
    accuracy.set(split, top1(part));
    const common = { data: "ImageNet-9", images: part.size, tables: "5" };
    metrics.push({ ...common, metric: `top-1, ${split}`, value: top1(part), paper: paper[split] ?? {} });
  }
  for (const [from, less] of [
    ["mixed_same", "mixed_rand"],
    ["original", "mixed_same"],
    ["original", "mixed_rand"],
  ]) {
    if (!accuracy.has(from) || !accuracy.has(less)) continue;
    const images = answers.get(`in9/${from}`)!.size + answers.get(`in9/${less}`)!.size;
    metrics.push({
      data: "ImageNet-9",
      metric: `gap ${from} - ${less}`,
      value: accuracy.get(from)! - accuracy.get(less)!,
      images,
      tables: "5",
      paper: difference(paper[from], paper[less]),
    });
  }
  return metrics;
}

function difference(from: PaperPair = {}, less: PaperPair = {}): PaperPair {
  const points = (key: keyof PaperPair) =>
    from[key] === undefined || less[key] === undefined
      ? undefined
      : Number((from[key] - less[key]).toFixed(1));
  return { ViT: points("ViT"), LUViT: points("LUViT") };
}
