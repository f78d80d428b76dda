import type { Shard } from "../data/options";

/** A command that is told what to do by a file. */
export type RunCommandName =
  | "pretrain"
  | "finetune"
  | "distill"
  | "evaluate"
  | "entropy"
  | "detect"
  | "detectEvaluate"
  | "segment"
  | "segmentEvaluate";

/** The words that call a command. */
export const calledBy = (name: RunCommandName) => name.replace(/Evaluate$/, " evaluate");

/** What such a command works with. */
export interface RunRequest {
  file: string;
  out?: string;
  seed?: number;
  resume: boolean;
  shard?: Shard;
  print(line: string): void;
}

/** What is said where a shard of work whose shards share a folder is done. */
export function afterShard(called: string, request: RunRequest, { index, count }: Shard): string[] {
  const rest = wordsOf({ ...request, shard: undefined });
  return [
    `these are the numbers of shard ${index}/${count} alone`,
    `for those of all, when all are there: luvit ${called} ${rest}`,
  ];
}

/** The words after the command that ask for the same again, as a shell takes them. */
export function wordsOf({ file, out, seed, shard }: RunRequest): string {
  const words = [
    `--config ${quoted(file)}`,
    out === undefined ? "" : `--out ${quoted(out)}`,
    seed === undefined ? "" : `--seed ${seed}`,
    shard === undefined ? "" : `--shard ${shard.index}/${shard.count}`,
  ];
  return words.filter(Boolean).join(" ");
}

function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
