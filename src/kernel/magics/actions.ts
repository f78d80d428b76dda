import { LuvitError } from "../../core/errors";
import { currentExecution } from "../executor/execution";
import { change } from "./changeFolder";
import { actionsName } from "./rewrite";
import { shell } from "./shell";
import { magicHelp } from "./table";
import { type Moment, now, since } from "./timing";

/** What cells with magics call. */
export interface Actions {
  shell(command: string, doubt?: string): Promise<void>;
  begin(): void;
  end<T>(value?: T): T;
  timeCell(): void;
  env(text: string): void;
  cd(folder: string): void;
  help(name?: string): void;
}

/** The same as the compiler sees it. */
export const actionTypes =
  `declare const ${actionsName}: {\n` +
  "  shell(command: string, doubt?: string): Promise<void>;\n" +
  "  begin(): void;\n" +
  "  end<T>(value?: T): T;\n" +
  "  timeCell(): void;\n" +
  "  env(text: string): void;\n" +
  "  cd(folder: string): void;\n" +
  "  help(name?: string): void;\n" +
  "};\n";

/** `moved` hears that another folder is the current one. */
export function magicActions(moved: (folder: string) => void): Actions {
  const begun: Moment[] = [];
  let before = process.cwd();
  return {
    shell,
    begin: () => void begun.push(now()),
    end<T>(value?: T): T {
      const moment = begun.pop();
      if (moment) print(since(moment));
      return value as T;
    },
    timeCell() {
      const moment = now();
      currentExecution.getStore()?.ends.push(() => print(since(moment)));
    },
    env,
    cd(folder) {
      const from = process.cwd();
      change(folder, before);
      before = from;
      moved(process.cwd());
      print(process.cwd());
    },
    help: (name) => print(magicHelp(name)),
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Names of variables whose values a list does not show. */
const secret = /key|token|secret|passw|credential|auth/i;

function env(text: string): void {
  const [, name = "", value] = /^([^=\s]*)(?:\s*=\s*([\s\S]*))?$/.exec(text) ?? [];
  if (text === "") {
    const names = Object.keys(process.env).sort();
    print(names.map((one) => `${one}=${secret.test(one) ? "<hidden>" : process.env[one]}`).join("\n"));
    return;
  }
  if (name === "")
    throw new LuvitError("bad-argument", `%env ${text}: expected NAME to show or NAME=value to set`);
  if (value === undefined && process.env[name] === undefined)
    throw new LuvitError("bad-argument", `%env ${name}: no such variable; %env ${name}=value sets it`);
  if (value !== undefined) process.env[name] = value;
  print(`${name}=${process.env[name]}`);
}
