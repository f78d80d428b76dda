import { jsonSchemaOf, type ObjectField, problemsOf, seed as seedField } from "../core/options";
import type { Shard } from "../data/options";
import { shardHere, shardOfWorker } from "../distributed/shard";
import { type Command, type CommandCall, command, type FlagSpecs, UsageError } from "./command";
import { expectFolderOrNothing } from "./folders";
import { calledBy, type RunCommandName, type RunRequest } from "./request";
import { configs } from "./runConfig";
import { commentedStart } from "./schema";

const common = {
  config: { type: "string" },
  out: { type: "string" },
  seed: { type: "string" },
  "print-config": { type: "boolean" },
  "print-schema": { type: "boolean" },
} as const satisfies FlagSpecs;

const resume = { resume: { type: "boolean" } } as const satisfies FlagSpecs;

const commonHelp = `      --print-config                     a commented configuration to start from
      --print-schema                     the configuration as JSON Schema, for editors
      --out <folder>                     instead of the configuration's
      --seed <n>                         instead of the configuration's
`;
const resumeHelp = "      --resume                           go on with what is in the folder\n";

// What does the work is loaded when it is wanted: a printed configuration and a wrong word need no engine.

export const pretrainCommand = command({
  name: "pretrain",
  help: `  luvit pretrain --config run.json       masked auto-encoding, as in the notebooks but for days
${commonHelp}${resumeHelp}`,
  flags: { ...common, ...resume },
  run: (call) => runWith("pretrain", call, async (r) => (await import("./trainCommand")).pretrainCommand(r)),
});

export const finetuneCommand = command({
  name: "finetune",
  help: `  luvit finetune --config run.json       classification on pretrained weights, or from scratch
${commonHelp}${resumeHelp}`,
  flags: { ...common, ...resume },
  run: (call) => runWith("finetune", call, async (r) => (await import("./trainCommand")).finetuneCommand(r)),
});

export const distillCommand = command({
  name: "distill",
  help: `  luvit distill  --config run.json       a plain ViT taught by a finetuned model
${commonHelp}${resumeHelp}`,
  flags: { ...common, ...resume },
  run: (call) => runWith("distill", call, async (r) => (await import("./trainCommand")).distillCommand(r)),
});

/** Workers, gigabits per second, and a week of measuring. */
const PLAN_LIMITS = { workers: 1_000_000, network: 1_000_000, seconds: 604_800 };

export const planCommand = command({
  name: "plan",
  help: `  luvit plan     --config run.json       what pretraining or finetuning over several workers would take: steps, bytes,
                                         memory, time, from a measurement on this machine
      --workers <n>                      how many
      --network <gigabits>               per second between machines (default 10)
      --seconds <n>                      of measuring (default 120)
`,
  flags: {
    config: { type: "string" },
    workers: { type: "string" },
    network: { type: "string" },
    seconds: { type: "string" },
  },
  async run({ words, flags, print }) {
    const { config: file } = flags;
    if (file === undefined || words.length > 0)
      throw new UsageError("plan takes --config <file> --workers <n>, and no other words");
    const number = (name: "workers" | "network" | "seconds", otherwise?: number) => {
      const value = flags[name] === undefined ? otherwise : Number(flags[name]);
      const most = PLAN_LIMITS[name];
      if (
        value !== undefined &&
        value > 0 &&
        value <= most &&
        (name !== "workers" || Number.isInteger(value))
      )
        return value;
      const range = `<${name === "workers" ? "whole " : ""}number above 0, at most ${most.toLocaleString("en")}>`;
      throw new UsageError(`plan takes --${name} ${range}, got ${JSON.stringify(flags[name] ?? "nothing")}`);
    };
    const sizes = {
      workers: number("workers"),
      network: number("network", 10),
      seconds: number("seconds", 120),
    };
    const { planCommand } = await import("./planCommand");
    // Nothing is written: what the folder holds is no hindrance.
    return planCommand({ file, resume: true, print, ...sizes });
  },
});

export const evaluateCommand = command({
  name: "evaluate",
  help: `  luvit evaluate --config run.json       the rows of Tables 1, 3, 4 and 5 on the published sets; goes on where it was
${commonHelp}      --shard <i/n>                      part i of n, from 1; auto: as SLURM, Kubernetes (auto/n) or mpirun have set it
  luvit evaluate --merge <folder ...>    put the answers of shards together
`,
  flags: { ...common, shard: { type: "string" }, merge: { type: "boolean" } },
  async run(call) {
    const { words, flags, print } = call;
    if (flags.merge) {
      if (words.length === 0) throw new UsageError("evaluate --merge takes the folders of the shards");
      const beside = (["config", "seed", "shard"] as const).filter((name) => flags[name] !== undefined);
      if (beside.length > 0) {
        throw new UsageError(
          `evaluate --merge takes only --out beside the folders, not --${beside.join(", --")}`,
        );
      }
      expectFolderOrNothing(flags.out);
      return (await import("./evaluateCommand")).mergeCommand(words, flags.out, print);
    }
    const shard = shardOf(flags.shard);
    return runWith("evaluate", call, async (request) =>
      (await import("./evaluateCommand")).evaluateCommand({ ...request, shard }),
    );
  },
});

export const entropyCommand = command({
  name: "entropy",
  help: `  luvit entropy  --config run.json       entropy shares (Figures 2, 4, 5) and pseudo-masks (Table 7); goes on where it was
${commonHelp}      --shard <i/n>                      part i of n, from 1, all into one folder; then once without, for the numbers of all
`,
  flags: { ...common, shard: { type: "string" } },
  run: (call) => {
    const shard = shardOf(call.flags.shard);
    return runWith("entropy", call, async (request) =>
      (await import("./entropyCommand")).entropyCommand({ ...request, shard }),
    );
  },
});

export const detectCommand = trainsAndEvaluates(
  "detect",
  `  luvit detect --config run.json         ViTDet with Mask R-CNN on COCO, or on sets like it
${commonHelp}${resumeHelp}  luvit detect evaluate --config run.json
                                         COCO's scores, Table 2; results in COCO's JSON; goes on where it was
      --shard <i/n>                      part i of n, from 1; all parts write into one folder
`,
  async (request) => (await import("./detectCommand")).detectCommand(request),
  async (request) => (await import("./detectCommand")).detectEvaluateCommand(request),
);

export const segmentCommand = trainsAndEvaluates(
  "segment",
  `  luvit segment --config run.json        semantic segmentation on ImageNet-S, or on sets like it
${commonHelp}${resumeHelp}  luvit segment evaluate --config run.json
                                         ImageNet-S's mIoU and F, by size and along borders; goes on where it was
      --shard <i/n>                      part i of n, from 1, all into one folder; then once without, for the numbers of all
`,
  async (request) => (await import("./segmentCommand")).segmentCommand(request),
  async (request) => (await import("./segmentCommand")).segmentEvaluateCommand(request),
);

type Work = (request: RunRequest) => Promise<number>;

/** A command that trains, and with the word `evaluate` evaluates, in shards too. */
function trainsAndEvaluates(name: "detect" | "segment", help: string, train: Work, evaluate: Work): Command {
  return command({
    name,
    help,
    flags: { ...common, ...resume, shard: { type: "string" } },
    async run(call) {
      const [first, ...words] = call.words;
      if (first !== "evaluate") {
        if (call.flags.shard === undefined) return runWith(name, call, train);
        throw new UsageError(`${name} takes --shard with evaluate alone: luvit ${name} evaluate --shard 1/8`);
      }
      if (call.flags.resume) throw new UsageError(`${name} evaluate goes on by itself, without --resume`);
      const shard = shardOf(call.flags.shard);
      return runWith(`${name}Evaluate`, { ...call, words }, (request) => evaluate({ ...request, shard }));
    },
  });
}

/** Prints what is asked for, or makes a request of words and flags and runs it. */
async function runWith(
  name: RunCommandName,
  { words, flags, print }: CommandCall<typeof common & typeof resume>,
  run: Work,
): Promise<number> {
  const config = configs[name] as ObjectField<unknown>;
  if (flags["print-config"]) return print(commentedStart(config)) ?? 0;
  if (flags["print-schema"]) return print(JSON.stringify(jsonSchemaOf(config), null, 2)) ?? 0;
  const { config: file, out, resume: goOn = false } = flags;
  const problems = [
    words.length > 0 ? `${calledBy(name)} takes no ${words.join(" ")}` : "",
    file === undefined ? `${calledBy(name)} needs --config <file>; --print-config shows one` : "",
    flags.seed !== undefined && seedOf(flags.seed) === undefined
      ? `--seed takes ${seedField.expected}, got ${JSON.stringify(flags.seed)}`
      : "",
  ].filter(Boolean);
  if (file === undefined || problems.length > 0) throw new UsageError(problems.join("; "));
  expectFolderOrNothing(out);
  return run({ file, out, seed: seedOf(flags.seed), resume: goOn, print });
}

function seedOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return problemsOf(seedField, value).length === 0 ? value : undefined;
}

/**
 * Part `index` of `count`, from 1; `auto` and `auto/n` as SLURM, Kubernetes or mpirun have set it. Where nothing is said,
 * each of several workers has its own, and one alone has all.
 *
 * @throws UsageError for anything else, `0/n` too. LuvitError("bad-argument") as `shardHere`.
 */
export function shardOf(text: string | undefined): Shard | undefined {
  if (text === undefined) return shardOfWorker();
  const [, automatic, of] = /^(auto)(?:\/(\d{1,6}))?$/.exec(text) ?? [];
  if (automatic) return shardHere(of === undefined ? undefined : Number(of));
  const [, index, count] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (index >= 1 && index <= count) return { index, count };
  throw new UsageError(`--shard takes 1/n to n/n, or auto, got ${JSON.stringify(text)}`);
}
