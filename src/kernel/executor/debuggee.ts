import { existsSync } from "node:fs";
import { inspect } from "node:util";
import { mimeBundleOf } from "../../notebook/mime";
import type { MimeBundle } from "../../notebook/nbformat";
import { isCaught } from "../compiler/catching";
import { emitEvaluation } from "../compiler/live/evaluation";
import { mappedScripts, originOf } from "../compiler/sourceMaps";
import { loadTypeScript } from "../compiler/typescript";
import { childCounts, part } from "./children";
import { debuggee, debuggeePlace } from "./debuggeePlace";

/** A script whose code begins: its name, the file it was compiled from where that is one, and the text. */
export interface Loaded {
  script: string;
  path?: string;
  text: string;
}

/** A place in a text, counted from 1. */
export interface Place {
  line: number;
  column: number;
}

type Exports = Record<string, unknown>;

interface Host {
  /** The object that a script's top-level variables are properties of. */
  exportsOf(script: string): Exports;
  /** Names in it that nobody has declared. */
  hidden(): ReadonlySet<string>;
  declare(name: string): void;
  flush(): void;
}

/** Answers what a debugger in another thread asks through the inspector, also while a cell is stopped. */
export class Debuggee {
  private announcer: ((loaded: Loaded) => void) | undefined;

  constructor(private readonly host: Host) {}

  /** Lets debuggers reach it; returns what undoes that. */
  install(): () => void {
    const key = Symbol.for(debuggeePlace);
    Object.defineProperty(globalThis, key, { configurable: true, value: this });
    return () => Reflect.deleteProperty(globalThis, key);
  }

  /** From now on `announcer` is called with each script whose code begins; those that have begun are given back. */
  attach(announcer: (loaded: Loaded) => void): Loaded[] {
    this.announcer = announcer;
    return mappedScripts().map(loadedOf);
  }

  detach(): void {
    this.announcer = undefined;
  }

  announce(script: string): void {
    this.announcer?.(loadedOf(script));
  }

  /** Where places of a script are in its text. */
  locate(script: string, places: readonly Place[]): (Place | null)[] {
    const origin = originOf(script);
    return places.map(({ line, column }) => origin?.locate(line, column) ?? null);
  }

  /** Whether one of these places is within a `try` that has a `catch`. */
  isCaught(places: readonly (Place & { script: string })[]): boolean {
    const compiler = loadTypeScript();
    return places.some(({ script, line, column }) =>
      isCaught(compiler, originOf(script)?.text ?? "", line, column),
    );
  }

  /** A piece of TypeScript as JavaScript for where a script is; `locals` are names that are variables there. */
  evaluation(source: string, script: string, locals: readonly string[]): string {
    const words = new Set(source.match(/[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu) ?? []);
    const taken = new Set(locals);
    const given = Object.keys(this.host.exportsOf(script)).filter((one) => words.has(one) && !taken.has(one));
    const exports = `${debuggee}.exportsOf(${JSON.stringify(script)})`;
    return emitEvaluation(loadTypeScript(), source, given, exports);
  }

  exportsOf(script: string): Exports {
    return this.host.exportsOf(script);
  }

  /** The variables of a script that are kept, as an object. */
  variables(script: string): object {
    const hidden = this.host.hidden();
    const all = Object.entries(Object.getOwnPropertyDescriptors(this.host.exportsOf(script)));
    return Object.defineProperties({}, Object.fromEntries(all.filter(([name]) => !hidden.has(name))));
  }

  /** Gives the cells to come a variable. */
  declare(name: string): void {
    this.host.declare(name);
  }

  /** How a value shows itself in a notebook; where that takes waiting and nothing may go on, as text. */
  bundle(value: unknown, mayWait: boolean): MimeBundle | Promise<MimeBundle> {
    const bundle = mimeBundleOf(value);
    return mayWait || !(bundle instanceof Promise) ? bundle : { "text/plain": inspect(value) };
  }

  /** Has what was printed so far be seen. */
  flush(): void {
    this.host.flush();
  }

  readonly childCounts = childCounts;
  readonly part = part;
}

function loadedOf(script: string): Loaded {
  const { source, text } = originOf(script) ?? { source: script, text: "" };
  return { script, path: existsSync(source) ? source : undefined, text };
}
