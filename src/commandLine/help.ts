const commandNames = ["pretrain", "finetune", "evaluate", "entropy"] as const;

/** A command that `runCommand` runs. */
export type CommandName = (typeof commandNames)[number];

export function isRunCommand(name: string): name is CommandName {
  return (commandNames as readonly string[]).includes(name);
}

export const runHelp = `  luvit pretrain --config run.json       masked auto-encoding, as in the notebooks but for days
  luvit finetune --config run.json       classification on pretrained weights, or from scratch
  luvit evaluate --config run.json       the rows of Tables 1, 3, 4 and 5 on the published sets
  luvit evaluate --merge <folder ...>    put the answers of shards together
  luvit entropy  --config run.json       entropy shares (Figures 2, 4, 5) and pseudo-masks (Table 7)
      --print-config                     a commented configuration to start from
      --print-schema                     the configuration as JSON Schema, for editors
      --out <folder>                     instead of the configuration's
      --seed <n>                         instead of the configuration's
      --resume                           go on with what is in the folder (evaluate and entropy always do)
      --shard <i/n>                      evaluate: part i of n, from 1
`;
