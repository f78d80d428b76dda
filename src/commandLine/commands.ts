import { jsonSchemaOf, type ObjectField } from "../core/options";
import type { CommandName } from "./help";
import type { RunRequest } from "./request";
import { configs } from "./runConfig";
import { commentedStart } from "./schema";

/** Options of the command line that concern runs. */
export interface RunFlags {
  config?: string;
  out?: string;
  seed?: string;
  resume?: boolean;
  shard?: string;
  merge?: boolean;
  "print-config"?: boolean;
  "print-schema"?: boolean;
}

/** Loaded when they are wanted: a printed configuration and a wrong word need no engine. */
const runners: Readonly<Record<CommandName, (request: RunRequest) => Promise<number>>> = {
  pretrain: async (request) => (await import("./trainCommand")).pretrainCommand(request),
  finetune: async (request) => (await import("./trainCommand")).finetuneCommand(request),
  evaluate: async (request) => (await import("./evaluateCommand")).evaluateCommand(request),
  entropy: async (request) => (await import("./entropyCommand")).entropyCommand(request),
};

/**
 * Runs `luvit pretrain | finetune | evaluate | entropy`; gives back the exit status, or what is wrong with the usage.
 */
export async function runCommand(
  name: CommandName,
  words: readonly string[],
  flags: RunFlags,
  print: (line: string) => void,
): Promise<number | string> {
  if (flags["print-config"]) return print(commentedStart(configs[name] as ObjectField<unknown>)) ?? 0;
  if (flags["print-schema"])
    return print(JSON.stringify(jsonSchemaOf(configs[name] as ObjectField<unknown>), null, 2)) ?? 0;
  if (flags.merge && name === "evaluate") {
    if (words.length === 0) return "evaluate --merge takes the folders of the shards";
    return (await import("./evaluateCommand")).mergeCommand(words, flags.out, print);
  }
  const problems = [
    words.length > 0 ? `${name} takes no ${words.join(" ")}` : "",
    flags.config === undefined ? `${name} needs --config <file>; --print-config shows one` : "",
    flags.shard !== undefined && (name !== "evaluate" || !shardOf(flags.shard))
      ? `--shard takes 1/n to n/n and goes with evaluate, got ${flags.shard}`
      : "",
    flags.merge ? "--merge goes with evaluate" : "",
    flags.seed !== undefined && !/^\d+$/.test(flags.seed)
      ? `--seed takes a whole number, got ${flags.seed}`
      : "",
  ].filter(Boolean);
  if (problems.length > 0) return problems.join("; ");
  const { config, out, seed, resume = false, shard } = flags;
  return runners[name]({
    file: config!,
    out,
    seed: seed === undefined ? undefined : Number(seed),
    resume,
    shard: shard === undefined ? undefined : shardOf(shard),
    print,
  });
}

function shardOf(text: string): { index: number; count: number } | undefined {
  const [, index, count] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  return index >= 1 && index <= count ? { index, count } : undefined;
}
