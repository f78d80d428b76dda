import { setTimeout as sleep } from "node:timers/promises";
import type { Loaded } from "../executor/debuggee";
import { debuggee } from "../executor/debuggeePlace";
import { type Breakpoint, Breakpoints } from "./breakpoints";
import type { CellFiles } from "./cellFiles";
import { type CallFrame, type Frame, foreign, framesOf } from "./frames";
import { Refusal } from "./messages";
import { Scopes } from "./scopes";
import { Scripts } from "./scripts";
import { type Move, moves, outOf, Step, type StepKind } from "./stepping";
import { type RemoteValue, Target } from "./target";
import { Variables } from "./variables";

/** What the debugger needs of the kernel around it. */
export interface Surroundings {
  emit(event: string, body: object): void;
  /** Writes a line below the running cell. */
  say(text: string): void;
  /** Whether the cell was told to end and has not heard it yet. */
  isInterrupted(): boolean;
}

/** Where the thread of the cells is stopped. */
interface Halt {
  calls: readonly CallFrame[];
  frames: readonly Frame[];
  exception?: RemoteValue;
}

/** The inspector's word that a thread has stopped. */
interface Paused {
  callFrames: CallFrame[];
  reason: string;
  data?: RemoteValue;
  hitBreakpoints?: string[];
}

/** The script in which the thread of the cells stops to tell what it has compiled. */
const announcement = "luvit-announce.js";
/** The number of the one thread there is. */
export const threadId = 1;

/** The thread of the cells while it is debugged: where it is stopped, and how it goes on. */
export class DebuggedThread {
  halt: Halt | undefined;
  /** Which exceptions stop it. */
  filters: ReadonlySet<string> = new Set();
  readonly target = new Target();
  readonly scripts: Scripts;
  readonly breakpoints: Breakpoints;
  readonly variables = new Variables(this.target);
  readonly scopes = new Scopes(this.target);
  private step: Step | undefined;
  private isPausing = false;
  private frameIds = 1;

  constructor(
    files: CellFiles,
    private readonly around: Surroundings,
  ) {
    this.scripts = new Scripts(this.target, files);
    this.breakpoints = new Breakpoints(this.target, this.scripts, (breakpoint) =>
      around.emit("breakpoint", { reason: "changed", breakpoint }),
    );
  }

  async start(): Promise<void> {
    const { inspector } = this.target;
    inspector.on("Debugger.paused", (paused: Paused) => void this.take(paused));
    await inspector.post("Debugger.enable");
    await inspector.post("Debugger.setBlackboxPatterns", { patterns: foreign });
    for (const loaded of await this.attach()) this.scripts.add(loaded);
  }

  /** Has scripts announced; returns those that have begun before. */
  private async attach(): Promise<Loaded[]> {
    const expression = `${debuggee}?.attach((loaded) => { debugger; })\n//# sourceURL=${announcement}`;
    for (;;) {
      const { result } = await this.target.inspector.post("Runtime.evaluate", {
        ...{ expression, returnByValue: true },
      });
      if (result.type === "object") return result.value as Loaded[];
      await sleep(20); // the kernel has just started
    }
  }

  /** Lets the thread run on and leaves it alone. */
  async end(): Promise<void> {
    const { inspector } = this.target;
    await this.target.ask("detach");
    await inspector.post("Debugger.disable");
    this.close();
  }

  /** Leaves the thread at once, whatever it is doing. */
  close(): void {
    this.halt = undefined;
    this.target.inspector.close();
  }

  /** The frame of this number. */
  frame(id: number): Frame {
    const frame = this.stopped.frames.find((one) => one.id === id);
    if (!frame) throw new Refusal(`frameId ${id}: the program has gone on since`);
    return frame;
  }

  get stopped(): Halt {
    if (!this.halt) throw new Refusal("nothing is stopped");
    return this.halt;
  }

  async stepOn(kind: StepKind): Promise<void> {
    const { calls } = this.stopped;
    this.step = await Step.start(kind, calls, this.scripts);
    await this.goOn(moves[kind]);
  }

  async resume(): Promise<void> {
    if (!this.halt) throw new Refusal("nothing is stopped");
    this.step = undefined;
    await this.goOn("resume");
  }

  async pause(): Promise<void> {
    if (this.halt) return;
    this.isPausing = true;
    await this.target.inspector.post("Debugger.pause");
  }

  async stopAtExceptions(filters: readonly string[]): Promise<void> {
    this.filters = new Set(filters);
    const state = filters.length > 0 ? "all" : "none";
    await this.target.inspector.post("Debugger.setPauseOnExceptions", { state });
  }

  private async goOn(move: Move): Promise<void> {
    this.halt = undefined;
    this.variables.forget("stop");
    this.scopes.forget();
    this.around.emit("continued", { threadId, allThreadsContinued: true });
    await this.move(move);
    await this.target.release("stop");
  }

  private move(move: Move): Promise<unknown> {
    return this.target.inspector.post(`Debugger.${move}`);
  }

  /** The thread has stopped: for the frontend, or for something that is settled here. */
  private async take(paused: Paused): Promise<void> {
    try {
      const move = await this.judge(paused);
      if (move) await this.move(move);
    } catch (error) {
      if (!this.around.isInterrupted())
        this.around.say(`the debugger failed and lets the cell run on: ${(error as Error).message}`);
      await this.move("resume").catch(() => {}); // it may run already
    }
  }

  private async judge(paused: Paused): Promise<Move | undefined> {
    const { callFrames, reason, data, hitBreakpoints = [] } = paused;
    const [top] = callFrames as [CallFrame];
    if (this.scripts.name(top.location.scriptId) === announcement) return this.announced(callFrames);
    if (this.around.isInterrupted()) return "resume";
    if (reason === "OOM") return "resume"; // the guard of the memory ends the cell
    const hit = this.breakpoints.hit(hitBreakpoints);
    const counted = await this.counted(hit, callFrames);
    if (counted.length > 0) return this.stop(paused, "breakpoint", counted);
    if (reason === "exception" || reason === "promiseRejection") {
      if (await this.isWanted(callFrames)) return this.stop(paused, "exception", [], data);
    } else if (hit.length === 0 && !this.step) {
      if (!this.isPausing) return this.stop(paused, "breakpoint"); // a `debugger` statement
      const isHere = this.scripts.of(top.location.scriptId) !== undefined;
      return isHere ? this.stop(paused, "pause") : this.search(callFrames);
    }
    const move = this.step ? await this.step.on(callFrames, this.scripts) : "resume";
    return move ?? this.stop(paused, "step");
  }

  /** Goes on to the user's code where a pause has met another's. */
  private async search(calls: readonly CallFrame[]): Promise<Move> {
    const move = outOf(calls, this.scripts);
    if (move === "resume") await this.target.inspector.post("Debugger.pause");
    return move;
  }

  /** A script's code begins: its breakpoints are placed first. */
  private async announced(calls: readonly CallFrame[]): Promise<Move> {
    const { result } = await this.target.inspector.post("Debugger.evaluateOnCallFrame", {
      ...{ callFrameId: calls[0]!.callFrameId, expression: "loaded", returnByValue: true },
    });
    const script = this.scripts.add(result.value as Loaded);
    if (script) await this.breakpoints.place(script);
    return this.step ? outOf(calls, this.scripts) : "resume";
  }

  private async stop(
    { callFrames }: Paused,
    reason: string,
    hit: readonly Breakpoint[] = [],
    exception?: RemoteValue,
  ): Promise<undefined> {
    const frames = await framesOf(callFrames, this.scripts, this.frameIds);
    this.frameIds += frames.length;
    this.step = undefined;
    this.isPausing = false;
    this.halt = { calls: callFrames, frames, exception };
    await this.target.ask("flush");
    const text = exception?.description?.split("\n")[0];
    const hitBreakpointIds = hit.map(({ id }) => id);
    const more = { ...(text === undefined ? {} : { text }), ...(hit.length > 0 ? { hitBreakpointIds } : {}) };
    this.around.emit("stopped", { reason, threadId, allThreadsStopped: true, ...more });
  }

  /** Those whose conditions hold. */
  private async counted(hit: readonly Breakpoint[], calls: readonly CallFrame[]): Promise<Breakpoint[]> {
    const counted: Breakpoint[] = [];
    for (const one of hit) {
      const holds = one.condition === undefined || (await this.holds(one.condition, calls[0]!));
      if (holds && one.counts(++one.hits)) counted.push(one);
    }
    return counted;
  }

  private async holds(condition: string, call: CallFrame): Promise<boolean> {
    try {
      const [frame] = await framesOf([call], this.scripts, 0);
      const { value, objectId } = await this.scopes.evaluate(frame!, `!!(${condition})`);
      return value === true || objectId !== undefined;
    } catch (error) {
      this.around.say(`the breakpoint's condition ${condition}: ${(error as Error).message}`);
      return true;
    } finally {
      this.scopes.forget();
    }
  }

  /** Whether an exception is one that stops: any, or one that no cell or file catches. */
  private async isWanted(calls: readonly CallFrame[]): Promise<boolean> {
    if (this.filters.has("all")) return true;
    const frames = await framesOf(calls, this.scripts, 0);
    const own = frames.flatMap(({ script, line, column }) =>
      script ? [{ script: script.name, line, column }] : [],
    );
    return own.length > 0 && !(await this.target.ask("isCaught", own));
  }
}
