import { type Arguments, listOf, numberOf, objectOf, Refusal } from "./messages";
import type { Location, Scripts, UserScript } from "./scripts";
import type { Target } from "./target";

/** A breakpoint as a frontend sees it. */
interface Shown {
  id: number;
  verified: boolean;
  line: number;
  source: { path: string };
  message?: string;
}

/** A breakpoint that was asked for. */
export interface Breakpoint {
  id: number;
  /** Where it is, after it has moved to a line with code. */
  line: number;
  path: string;
  condition?: string;
  /** Whether it stops at this hit, counted from 1. */
  counts: (hits: number) => boolean;
  hits: number;
  /** What the inspector calls it, one for each script. */
  placed: string[];
}

/** The breakpoints of all cells and files, also of those that are still to be run. */
export class Breakpoints {
  private readonly byPath = new Map<string, Breakpoint[]>();
  /** What is at a location: two lines may share the code that they stop at. */
  private readonly atLocation = new Map<string, string>();
  private made = 0;

  constructor(
    private readonly target: Target,
    private readonly scripts: Scripts,
    private readonly moved: (breakpoint: Shown) => void,
  ) {}

  /** Puts these in the place of those that the path had; `text` is what is known to be there. */
  async set(path: string, asked: readonly unknown[], text: string | undefined): Promise<Shown[]> {
    const made = asked.map((one) => this.read(path, objectOf(one, "a breakpoint")));
    for (const old of this.byPath.get(path) ?? []) await this.lift(old);
    this.byPath.set(path, made);
    for (const script of this.scripts.withPath(path)) await this.placeIn(script);
    const lines = text?.split("\n").length;
    return made.map((one) => show(one, lines));
  }

  /** Places those of a script before its code runs. */
  async place(script: UserScript): Promise<void> {
    for (const one of await this.placeIn(script)) this.moved(show(one, undefined));
  }

  /** Those that the inspector names. */
  hit(names: readonly string[]): Breakpoint[] {
    return [...this.byPath.values()].flat().filter(({ placed }) => placed.some((one) => names.includes(one)));
  }

  /** All, as `debugInfo` lists them. */
  list(): { source: string; breakpoints: Shown[] }[] {
    return [...this.byPath]
      .filter(([, those]) => those.length > 0)
      .map(([source, those]) => ({ source, breakpoints: those.map((one) => show(one, undefined)) }));
  }

  /** Places those of a script's path; returns those that have moved to another line. */
  private async placeIn(script: UserScript): Promise<Breakpoint[]> {
    const wanted = this.byPath.get(script.path) ?? [];
    if (wanted.length === 0) return [];
    const stops = await this.scripts.stops(script);
    const moved: Breakpoint[] = [];
    for (const one of wanted) {
      const stop = stops.find(({ place }) => place.line >= one.line);
      if (!stop) continue;
      one.placed.push(await this.at(stop.location));
      if (stop.place.line !== one.line) moved.push(one);
      one.line = stop.place.line;
    }
    return moved;
  }

  private async at(location: Location): Promise<string> {
    const key = `${location.scriptId}:${location.lineNumber}:${location.columnNumber}`;
    const known = this.atLocation.get(key);
    if (known !== undefined) return known;
    const { breakpointId } = await this.target.inspector.post("Debugger.setBreakpoint", { location });
    this.atLocation.set(key, breakpointId);
    return breakpointId;
  }

  private async lift({ placed }: Breakpoint): Promise<void> {
    for (const breakpointId of placed) {
      for (const [key, known] of this.atLocation) if (known === breakpointId) this.atLocation.delete(key);
      await this.target.inspector.post("Debugger.removeBreakpoint", { breakpointId });
    }
  }

  private read(path: string, asked: Arguments): Breakpoint {
    const { condition, hitCondition } = asked;
    return {
      id: ++this.made,
      line: numberOf(asked, "line"),
      path,
      condition: typeof condition === "string" && condition.trim() !== "" ? condition : undefined,
      counts: counting(hitCondition),
      hits: 0,
      placed: [],
    };
  }
}

/** Reads the breakpoints of a request. */
export function askedBreakpoints(args: Arguments): unknown[] {
  if (args.breakpoints !== undefined) return listOf(args, "breakpoints");
  return listOf(args, "lines").map((line) => ({ line }));
}

function show({ id, line, path }: Breakpoint, lines: number | undefined): Shown {
  const isThere = lines === undefined || (line >= 1 && line <= lines);
  const message = isThere ? undefined : `there is no line ${line} in ${path}`;
  return { id, verified: isThere, line, source: { path }, message };
}

/** A condition on the number of hits: `5`, `>= 5`, `% 5`. */
function counting(condition: unknown): (hits: number) => boolean {
  if (condition === undefined || condition === null || condition === "") return () => true;
  const [, sign = "==", digits] = /^\s*(>=|>|==?=?|<=|<|%)?\s*(\d+)\s*$/.exec(String(condition)) ?? [];
  if (digits === undefined)
    throw new Refusal(`hitCondition: expected a number after >=, >, ==, <=, < or %, came ${condition}`);
  const wanted = Number(digits);
  const rules: Record<string, (hits: number) => boolean> = {
    ">=": (hits) => hits >= wanted,
    ">": (hits) => hits > wanted,
    "<=": (hits) => hits <= wanted,
    "<": (hits) => hits < wanted,
    "%": (hits) => hits % wanted === 0,
  };
  return rules[sign] ?? ((hits) => hits === wanted);
}
