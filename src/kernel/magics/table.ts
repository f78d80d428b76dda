/** What the kernel does beside running TypeScript, where a line asks for it. */
export interface Magic {
  /** As it is written, with its sign. */
  name: string;
  usage: string;
  help: string;
  /** What stands behind the name on its line. */
  takes: "code" | "path" | "variable" | "command" | "magic" | "nothing";
}

/** All that there are; those with `%%` stand at the top of a cell and are for all of it. */
export const magics: readonly Magic[] = [
  {
    name: "!",
    usage: "!command",
    takes: "command",
    help: "Runs a command of the shell; its output is the cell's as it comes. Its exit code is said where it is not 0, and the cell goes on.",
  },
  {
    name: "%%sh",
    usage: "%%sh",
    takes: "nothing",
    help: "Runs the rest of the cell in the shell.",
  },
  {
    name: "%time",
    usage: "%time code",
    takes: "code",
    help: "Says how long an expression or the statements of its line take; the value stays that of the expression.",
  },
  {
    name: "%%time",
    usage: "%%time",
    takes: "nothing",
    help: "Says how long the rest of the cell takes, also where it fails.",
  },
  {
    name: "%env",
    usage: "%env [NAME[=value]]",
    takes: "variable",
    help: "Lists the environment's variables, shows one or sets one, as process.env does; values whose names speak of secrets are hidden in the list.",
  },
  {
    name: "%cd",
    usage: "%cd folder",
    takes: "path",
    help: "Makes another folder the current one: paths are seen from there at once, imports and completion from the next cell on. Without a folder it is the home folder, with - the one before.",
  },
  {
    name: "%lsmagic",
    usage: "%lsmagic",
    takes: "nothing",
    help: "Lists the magics. %name? shows one.",
  },
  {
    name: "%help",
    usage: "%help [name]",
    takes: "magic",
    help: "Shows one magic, or lists them.",
  },
];

/** The magic of this name, with its sign. */
export function magicOf(name: string): Magic | undefined {
  return magics.find((one) => one.name === name);
}

/** What is known about one magic, or about all, as text. */
export function magicHelp(name?: string): string {
  const one = name === undefined ? undefined : magicOf(/^[%!]/.test(name) ? name : `%${name}`);
  if (name !== undefined && !one) return `no magic is called ${name}; there are ${listed()}`;
  if (one) return `${one.usage}\n${one.help}`;
  const widest = Math.max(...magics.map(({ usage }) => usage.length));
  return magics.map(({ usage, help }) => `${usage.padEnd(widest)}  ${help}`).join("\n");
}

/** The names in a line. */
export function listed(): string {
  return magics.map(({ name }) => name).join(" ");
}
