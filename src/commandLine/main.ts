import { nearest } from "../core/options";
import { packageVersion } from "../core/packageRoot";
import { printableLines } from "../core/printable";
import { placeIn } from "../distributed/place";
import { answerCommand } from "./answerCommand";
import { type Command, command, readCall, UsageError } from "./command";
import { corruptCommand, corruptHelp } from "./corruptCommand";
import { engineCommand } from "./engineCommand";
import { failureText } from "./failureText";
import { kernelCommand } from "./kernelCommand";
import { notebookCommand } from "./notebookCommand";
import {
  detectCommand,
  distillCommand,
  entropyCommand,
  evaluateCommand,
  finetuneCommand,
  planCommand,
  pretrainCommand,
  segmentCommand,
  shardOf,
} from "./runCommands";

const corrupting = command({
  name: "corrupt",
  help: corruptHelp,
  flags: {
    types: { type: "string" },
    severities: { type: "string" },
    frost: { type: "string" },
    size: { type: "string" },
    seed: { type: "string" },
    workers: { type: "string" },
    shard: { type: "string" },
  },
  async run({ words, flags, print }) {
    const status = await corruptCommand(words, { ...flags, shard: shardOf(flags.shard) }, print);
    if (status === undefined)
      throw new UsageError("corrupt takes a folder of images and a folder to write to");
    return status;
  },
});

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  notebookCommand,
  pretrainCommand,
  finetuneCommand,
  distillCommand,
  planCommand,
  evaluateCommand,
  detectCommand,
  segmentCommand,
  entropyCommand,
  answerCommand,
  kernelCommand,
  engineCommand,
  corrupting,
];

const help = `luvit: LUViT in TypeScript notebooks

${commands.map((one) => one.help).join("\n")}
  luvit <command> --help                 what one command takes
  luvit --help                           this text
  luvit --version                        the version

Ctrl-C once lets a training step finish and save, then writes what ran; twice stops at once. A terminal that is closed
does the same as one Ctrl-C, and a reader that goes away (| head) stops nothing.
Exit status: 0 done or all cells ran, 1 something failed, 2 wrong usage, 130 interrupted (143 by SIGTERM, 129 by SIGHUP).
`;

/** Where lines go. */
export interface Terminal {
  print(line: string): void;
  /** What went wrong. */
  complain(line: string): void;
}

const processTerminal: Terminal = {
  print: (line) => void process.stdout.write(`${printableLines(line)}\n`),
  complain: (line) => void process.stderr.write(`${printableLines(line)}\n`),
};

/** "worker 2 of 4: ", where there are several. */
function workerName(): string {
  const { rank, size } = placeIn();
  return size === 1 ? "" : `worker ${rank + 1} of ${size}: `;
}

/** One of several workers leaves the talking to the first; what goes wrong each says itself. */
const ofPlace = (terminal: Terminal): Terminal =>
  placeIn().rank === 0 ? terminal : { ...terminal, print: () => {} };

/** Runs the command line; gives back the exit status, whatever happens. */
export async function main(args: readonly string[], terminal = processTerminal): Promise<number> {
  try {
    const status = await runWords(args, ofPlace(terminal));
    // A worker that ends otherwise is a failure to the launcher, which then ends the others.
    if (placeIn().size > 1) await (await import("../engine")).leaveWorkers();
    return status;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    terminal.complain(`luvit: ${workerName()}${isUsage ? error.message : failureText(error)}`);
    if (isUsage) terminal.complain("luvit --help lists what there is.");
    return isUsage ? 2 : 1;
  }
}

async function runWords([name, ...args]: readonly string[], { print }: Terminal): Promise<number> {
  const said = (text: string) => print(text) ?? 0;
  if (name === undefined || name === "help" || name === "--help" || name === "-h")
    return said(help.trimEnd());
  if (name === "--version" || name === "-v") return said(packageVersion());
  const chosen = commands.find((one) => one.name === name);
  if (!chosen) throw new UsageError(unknownWord(name));
  const call = readCall(chosen, args);
  if (!call) return said(chosen.help.trimEnd());
  return chosen.run({ ...call, print });
}

function unknownWord(word: string): string {
  const names = commands.map((one) => one.name);
  const all = names.join(", ");
  if (word.startsWith("-")) return `the command comes first, then its options: ${all}`;
  const meant = nearest(word, names);
  const hint = meant === undefined ? "" : ` Did you mean ${meant}?`;
  return `there is no command ${JSON.stringify(word)}.${hint} There are ${all}.`;
}
