import { describeMachine, type Machine } from "./machine";
import type { BenchOptions } from "./options";

/** What every result says first. */
export interface Heading {
  name: string;
  /** "none" where no graph is run. */
  engine: string;
  engine_description: string;
  precision: string;
  frozen: string | null;
  memory: string;
  preset: string;
  batch: number | null;
  steps: number;
  warmup: number;
  machine: Machine;
}

/** What a bench has no figure for, so that every result has the same fields. */
export const noFigures = {
  ms_per_image: null,
  images_per_s: null,
  gflops: null,
  matmul_gflops: null,
} as const;

export function headingOf(options: BenchOptions, batch: number | null, description?: string): Heading {
  const { name, engine, precision, frozen = null, memory, preset, steps, warmup } = options;
  const machine = describeMachine();
  const engines =
    description === undefined
      ? { engine: "none", engine_description: `Node ${machine.node}` }
      : { engine, engine_description: description };
  return { name, ...engines, precision, frozen, memory, preset, batch, steps, warmup, machine };
}

/** The first lines for people. */
export function headingText({ name, preset, batch, memory, steps, warmup, machine }: Heading): string[] {
  const { cpu, cores, memory_gb, platform, node } = machine;
  const what = [preset, batch === null ? "" : `batch ${batch}`, memory === "keep" ? "" : memory];
  return [
    `${name} · ${what.filter(Boolean).join(", ")} · ${steps} runs after ${warmup}`,
    `machine   ${cpu}, ${cores} cores, ${memory_gb} GB, ${platform}, Node ${node}`,
  ];
}
