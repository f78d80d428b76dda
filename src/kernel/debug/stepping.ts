import type { CallFrame } from "./frames";
import type { Scripts } from "./scripts";

/** Steps as the protocol calls them. */
export type StepKind = "next" | "stepIn" | "stepOut";

/** What the inspector is told to do. */
export type Move = "stepOver" | "stepInto" | "stepOut" | "resume";

export const moves: Record<StepKind, Move> = { next: "stepOver", stepIn: "stepInto", stepOut: "stepOut" };

/** A step from one line of the user's text to another; the inspector steps through what was made of it. */
export class Step {
  private constructor(
    readonly kind: StepKind,
    private readonly depth: number,
    private readonly from: string,
    private readonly line: number | undefined,
  ) {}

  /** From where a thread is stopped. */
  static async start(kind: StepKind, calls: readonly CallFrame[], scripts: Scripts): Promise<Step> {
    return new Step(kind, calls.length, functionOf(calls[0]!), await lineOf(calls[0]!, scripts));
  }

  /** What is to be done where the thread has stopped; undefined where the step has come to its end. */
  async on(calls: readonly CallFrame[], scripts: Scripts): Promise<Move | undefined> {
    const [top] = calls as [CallFrame];
    if (!scripts.of(top.location.scriptId)) return outOf(calls, scripts);
    if (this.kind === "next" && calls.length > this.depth) return "stepOut";
    if (this.kind === "stepOut" && calls.length >= this.depth && functionOf(top) !== this.from)
      return "stepOut";
    const line = await lineOf(top, scripts);
    if (line === undefined) return this.kind === "stepIn" ? "stepInto" : "stepOver";
    const stays = calls.length === this.depth && functionOf(top) === this.from && line === this.line;
    return stays && this.kind !== "stepOut" ? moves[this.kind] : undefined;
  }
}

/** Where nothing of the user's is on top: back to it, or on if there is none. */
export function outOf(calls: readonly CallFrame[], scripts: Scripts): Move {
  return calls.some(({ location }) => scripts.of(location.scriptId)) ? "stepOut" : "resume";
}

function functionOf({ location, functionLocation: at = location }: CallFrame): string {
  return `${at.scriptId}:${at.lineNumber}:${at.columnNumber}`;
}

async function lineOf({ location }: CallFrame, scripts: Scripts): Promise<number | undefined> {
  const script = scripts.of(location.scriptId);
  const [place] = script ? await scripts.locate(script, [location]) : [];
  return place?.line;
}
