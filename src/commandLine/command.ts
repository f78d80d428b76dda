import { parseArgs } from "node:util";
import { nearest } from "../core/options";

/** A flag, as node:util's parseArgs takes it. */
export interface FlagSpec {
  readonly type: "string" | "boolean";
  /** One letter. */
  readonly short?: string;
  readonly multiple?: boolean;
}

/** Flags of a command by name. */
export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

/** The values of flags, those that were given. */
export type FlagValues<Specs extends FlagSpecs> = {
  [Name in keyof Specs]?: Specs[Name]["type"] extends "boolean"
    ? boolean
    : Specs[Name]["multiple"] extends true
      ? string[]
      : string;
};

/** What a command is given. */
export interface CommandCall<Specs extends FlagSpecs> {
  /** Words that are no flags. */
  readonly words: readonly string[];
  readonly flags: FlagValues<Specs>;
  print(line: string): void;
}

/** A word behind `luvit`, with flags of its own. */
export interface Command<Specs extends FlagSpecs = FlagSpecs> {
  readonly name: string;
  /** Its lines in the help. */
  readonly help: string;
  readonly flags: Specs;
  /**
   * Exit status.
   *
   * @throws UsageError for words and flags that make no sense.
   */
  run(call: CommandCall<Specs>): Promise<number>;
}

/** Wrong usage: said in one line, exit status 2. */
export class UsageError extends Error {}

/** A command, its type derived from its flags. */
export function command<const Specs extends FlagSpecs>(made: Command<Specs>): Command {
  return made as unknown as Command;
}

const asking = { help: { type: "boolean", short: "h" } } as const;

/** Reads a command's own words and flags; undefined where help is asked for. */
export function readCall(
  { name, flags }: Command,
  args: readonly string[],
): Pick<CommandCall<FlagSpecs>, "words" | "flags"> | undefined {
  try {
    const options = { ...flags, ...asking };
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return values.help ? undefined : { words: positionals, flags: values as FlagValues<FlagSpecs> };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") throw new UsageError(`${name}: ${message}`);
    throw new UsageError(unknownFlag(name, message, Object.keys(flags)));
  }
}

function unknownFlag(name: string, message: string, known: readonly string[]): string {
  const flag = /'(-[^' ]*)/.exec(message)?.[1] ?? "that";
  const meant = nearest(flag.replace(/^-+/, ""), known);
  const hint = meant === undefined ? "" : ` Did you mean --${meant}?`;
  const all = known.map((one) => `--${one}`).join(", ");
  return `${name} has no option ${flag}.${hint} ${known.length > 0 ? `There are ${all}.` : "It takes none."}`;
}
