import { parseArgs } from "node:util";
import { LuvitError } from "../../src/core/errors";
import { type EngineName, engineChoices, type OpenOptions, type Precision } from "../../src/engine";
import { type PresetName, presetNames } from "./presets";

const names = [
  "pretrain-step",
  "finetune-step",
  "entropy",
  "detect-forward",
  "detect-step",
  "ask",
  "load-block",
  "loader",
  "jpeg",
  "compile",
  "checkpoint",
  "kernel",
  "restarts",
  "notebooks",
  "relevance",
  "ablate-heads",
  "inside-page",
  "allreduce",
  "two-workers",
] as const;
export type BenchName = (typeof names)[number];

/** What to measure, and how. */
export interface BenchOptions {
  name: BenchName;
  engine: EngineName;
  precision: Precision;
  frozen?: "int8";
  provider?: OpenOptions["provider"];
  /** "recompute": blocks are computed again for their gradients instead of kept. */
  memory: "keep" | "recompute";
  preset: PresetName;
  /** Default is the bench's own. */
  batch?: number;
  /** Runs that count, and runs before them that do not. */
  steps: number;
  warmup: number;
  /** File for the result as one object. */
  json?: string;
  peer?: "torch" | "pil";
  /** Precisions of the peer; with more than one, the faster counts. */
  peerPrecision: readonly Precision[];
  peerDevice: string;
}

export const usage = `npm run bench -- <name> [options]

  <name>                   ${names.join(", ")}
  --engine E               onnxruntime (default), tensorflow or eager
  --precision P            float32 (default), bfloat16, or float16 on webgpu
  --frozen int8            frozen weights in eight bits
  --provider P             cpu (default), cuda or webgpu
  --memory M               keep (default) or recompute
  --preset P               ${presetNames.join(", ")}
  --batch N                images per run; default 8, finetune-step 4, checkpoint and detect-* 1,
                           two-workers 2
  --steps N --warmup N     runs that count (default 5), and runs before them (default 2)
  --json FILE              writes the result as one object
  --peer torch|pil         does the same work in PyTorch (loader: also with PIL alone), run by run in turn
  --peer-precision P[,P]   default that of --precision; of several the faster one counts
  --peer-device D          default cpu

LUVIT_PYTHON names the Python that has PyTorch (default python3).`;

const flags = {
  engine: { type: "string", default: "onnxruntime" },
  precision: { type: "string", default: "float32" },
  frozen: { type: "string" },
  provider: { type: "string" },
  memory: { type: "string", default: "keep" },
  preset: { type: "string", default: "luvit-b" },
  batch: { type: "string" },
  steps: { type: "string", default: "5" },
  warmup: { type: "string", default: "2" },
  json: { type: "string" },
  peer: { type: "string" },
  "peer-precision": { type: "string" },
  "peer-device": { type: "string", default: "cpu" },
} as const;

/** @throws LuvitError("bad-argument") naming every option that cannot be. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true });
  const problems: string[] = [];
  const oneOf = <T extends string>(what: string, value: string, known: readonly T[]): T => {
    if (!known.includes(value as T)) problems.push(`${what} is "${value}", expected ${known.join(", ")}`);
    return value as T;
  };
  const optional = <T extends string>(what: string, value: string | undefined, known: readonly T[]) =>
    value === undefined ? undefined : oneOf(what, value, known);
  const count = (what: string, value: string, least: number): number => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < least)
      problems.push(`${what} is ${value}, expected a whole number from ${least}`);
    return number;
  };
  const {
    precision: precisions,
    frozen,
    provider,
    engine: [, ...engines],
  } = engineChoices;
  const precision = oneOf("--precision", values.precision, precisions);
  const options: BenchOptions = {
    name: oneOf("name", positionals[0] ?? "", names),
    engine: oneOf("--engine", values.engine, engines),
    precision,
    frozen: optional("--frozen", values.frozen, frozen),
    provider: optional("--provider", values.provider, provider),
    memory: oneOf("--memory", values.memory, ["keep", "recompute"]),
    preset: oneOf("--preset", values.preset, presetNames),
    batch: values.batch === undefined ? undefined : count("--batch", values.batch, 1),
    steps: count("--steps", values.steps, 1),
    warmup: count("--warmup", values.warmup, 0),
    json: values.json,
    peer: optional("--peer", values.peer, ["torch", "pil"]),
    peerPrecision: (values["peer-precision"] ?? (precision === "float16" ? "bfloat16" : precision))
      .split(",")
      .map((each) => oneOf("--peer-precision", each, precisions)),
    peerDevice: values["peer-device"],
  };
  if (positionals.length > 1) problems.push(`unexpected ${positionals.slice(1).join(" ")}`);
  if (problems.length > 0) throw new LuvitError("bad-argument", `bench: ${problems.join("; ")}\n\n${usage}`);
  return options;
}
