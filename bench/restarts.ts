import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import type { BenchOptions } from "./core/options";
import type { Report } from "./core/report";
import { type Restarted, restart } from "./core/restart";
import { type Spread, spreadOf } from "./core/statistics";

export interface RestartsResult extends Heading {
  start_ms: Spread;
  /** Of the first tenth of the kernels, and of the last: a machine that fills up shows here. */
  memory_mb: { first: Spread; last: Spread };
  hangs: number;
  left_processes: number | null;
  left_files: readonly string[];
}

/** A kernel started, used and ended, again and again: what hangs, and what stays behind. */
export async function restartsBench(options: BenchOptions): Promise<Report> {
  await restart(options.warmup);
  const json = resultOf(options, await restart(options.steps));
  return { json: { ...json, ...noFigures }, text: textOf(json) };
}

function resultOf(options: BenchOptions, done: Restarted): RestartsResult {
  const part = Math.ceil(done.memory_mb.length / 10);
  return {
    ...headingOf(options, null),
    start_ms: spreadOf(done.start_ms),
    memory_mb: {
      first: spreadOf(done.memory_mb.slice(0, part)),
      last: spreadOf(done.memory_mb.slice(-part)),
    },
    hangs: done.hangs,
    left_processes: done.left_processes?.length ?? null,
    left_files: done.left_files,
  };
}

function textOf(result: RestartsResult): string {
  const spread = ({ median, min, max }: Spread) =>
    `${median.toFixed(0)} (${min.toFixed(0)} to ${max.toFixed(0)})`;
  const { memory_mb, left_processes, left_files } = result;
  return [
    ...headingText(result),
    `start to first result    ${spread(result.start_ms)} ms`,
    `memory, the first tenth  ${spread(memory_mb.first)} MB`,
    `memory, the last tenth   ${spread(memory_mb.last)} MB`,
    `hangs                    ${result.hangs}`,
    `processes left           ${left_processes ?? "not known on this system"}`,
    `temporary files left     ${left_files.length === 0 ? "none" : left_files.join(", ")}`,
  ].join("\n");
}
