import { LuvitError } from "../core/errors";
import { type CorruptionType, corruptions } from "../data";
import type { Shard } from "../data/options";
import { progress } from "../notebook";
import { Stopping } from "./signals";

export const corruptHelp = `  luvit corrupt <images> <target>      write ImageNet-C's corruptions of a folder; goes on where it stopped
      --types <a,b,...>                  default all 19
      --severities <1,2,...>             default 1 to 5
      --frost <folder>                   photographs of frost, for frost
      --size <pixels>                    default 224
      --seed <n>                         default 0
      --workers <n>                      threads (default: one per core)
      --shard <i/n>                      part i of n, from 1, all into one folder; auto as for evaluate
`;

export interface CorruptFlags {
  types?: string;
  severities?: string;
  frost?: string;
  size?: string;
  seed?: string;
  workers?: string;
  shard?: Shard;
}

/** `luvit corrupt`: exit status; undefined for words that are not two folders. */
export async function corruptCommand(
  [source, target, ...rest]: readonly string[],
  flags: CorruptFlags,
  print: (line: string) => void,
): Promise<number | undefined> {
  if (source === undefined || target === undefined || rest.length > 0) return undefined;
  const run = await corruptions.generate(source, target, {
    types: flags.types?.split(",") as CorruptionType[] | undefined,
    severities: flags.severities?.split(",").map((text) => wholeNumber("severities", text)),
    frost: flags.frost,
    size: optionalNumber("size", flags.size),
    seed: optionalNumber("seed", flags.seed),
    workers: optionalNumber("workers", flags.workers),
    shard: flags.shard,
  });
  let stopped = false;
  const { status } = await Stopping.around(
    "image",
    () => {
      stopped = true;
    },
    async () => {
      for await (const _ of progress(run, { label: "corrupting" })) if (stopped) break;
    },
  );
  print(String(run));
  if (run.report.count > 0) print(String(run.report));
  if (!stopped) return 0;
  print("stopped; what was written is kept, and the same command goes on");
  return status ?? 130;
}

function optionalNumber(name: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : wholeNumber(name, text);
}

function wholeNumber(name: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new LuvitError("bad-argument", `--${name} takes whole numbers, got ${text}`);
}
