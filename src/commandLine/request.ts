/** What a command works with. */
export interface RunRequest {
  file: string;
  out?: string;
  seed?: number;
  resume: boolean;
  shard?: { index: number; count: number };
  print(line: string): void;
}

/** The words after the command that ask for the same again. */
export function wordsOf({ file, out, seed, shard }: RunRequest): string {
  const words = [
    `--config ${file}`,
    out === undefined ? "" : `--out ${out}`,
    seed === undefined ? "" : `--seed ${seed}`,
    shard === undefined ? "" : `--shard ${shard.index}/${shard.count}`,
  ];
  return words.filter(Boolean).join(" ");
}
