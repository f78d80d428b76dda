import { setImmediate as deliverSignals } from "node:timers/promises";
import { inspect } from "node:util";
import { mimeBundleOf } from "../../notebook/mime";
import type { MimeBundle } from "../../notebook/nbformat";
import { displaysFinished, isPendingDisplay } from "../../notebook/pending";
import type { CellCompiler, CompiledCell } from "../compiler/cellCompiler";
import { keepCode } from "../compiler/codeCache";
import { createCompiler } from "../compiler/createCompiler";
import { mapStacks, originOf, registerMap } from "../compiler/sourceMaps";
import { actionTypes } from "../magics/actions";
import { MagicCompiler } from "../magics/magicCompiler";
import { createSignals } from "../signals";
import { tellWaits } from "../watch/syncChildren";
import { letWatch } from "../watch/watched";
import { CellNames } from "./cellNames";
import { Debuggee } from "./debuggee";
import { dialogTypes } from "./dialogs";
import {
  CellInterrupt,
  currentExecution,
  Execution,
  interrupted,
  isInCode,
  isKeyboardInterrupt,
  outOfMemory,
  stoppedForGood,
} from "./execution";
import { failure, rejection } from "./failures";
import { guardProcess } from "./guard";
import { Interrupts, keepListening, listenForSigint } from "./interrupts";
import type { ExecutorOptions } from "./options";
import type { CellFailure, CellOutputs } from "./outputs";
import { plainPromises, promiseHint } from "./promises";
import { afterTermination, cellFunction, isSigint, runInterruptibly } from "./run";
import { redirectOutput } from "./streams";

/** Milliseconds after the first cell at which the compiler's machine code is kept, if it has to be. */
const keepCodeAfter = 500;

/** What is known when a cell begins. */
export interface ExecuteOptions {
  /** How many interrupts there had been when somebody asked for it. */
  interrupts?: number;
  /** How long it may take. */
  seconds?: number;
}

/** How a cell ended. */
export type CellOutcome = { status: "ok" } | ({ status: "error"; interrupted: boolean } & CellFailure);

/** Runs cells one after the other in this process; each sees the declarations of those before it. */
export class CellRunner {
  readonly compiler: CellCompiler;
  private readonly names: CellNames;
  private readonly debuggee: Debuggee;
  private readonly interrupts: Interrupts;
  private readonly signals: Int32Array;
  private readonly undo: (() => void)[];
  private running: Execution | undefined;
  private last: Execution | undefined;
  private keeping: NodeJS.Timeout | undefined;

  constructor(private readonly options: ExecutorOptions) {
    const { folder, language } = options;
    this.signals = options.signals ?? createSignals();
    this.interrupts = new Interrupts(this.signals);
    const inner = createCompiler(folder, language, dialogTypes + actionTypes, options.compiler);
    this.debuggee = new Debuggee({
      exportsOf: (script) => this.names.exportsOf(script),
      hidden: () => this.names.kernels,
      declare: (name) => this.declare(name),
      flush: () => this.outputs()?.flush?.(),
    });
    const ask = options.ask ?? (() => undefined);
    this.names = new CellNames(folder, this.signals, ask, this.interrupts.halt, {
      moved: (to) => this.compiler.moveTo(to),
      begins: (script) => this.debuggee.announce(script),
    });
    this.compiler = new MagicCompiler(inner, (name) => this.names.isKnown(name));
    this.undo = [
      mapStacks(),
      plainPromises(),
      redirectOutput(() => this.outputs()),
      options.listen === false ? () => {} : listenForSigint(() => this.interrupts.take()),
      guardProcess({ error: (error) => this.takeOrphan(error), exit: options.onExit }),
      letWatch(
        {
          hears: (request) => this.interrupts.hears(request),
          isOverdue: () => this.interrupts.isOverdue(),
          isInCode: () => isInCode(this.running),
        },
        this.signals,
      ),
      this.debuggee.install(),
      options.onWait ? tellWaits(this.signals, options.onWait) : () => {},
    ];
  }

  /** Runs one cell; `cell` is its name in stacks. Its outputs have all been given when this resolves. */
  async execute(
    source: string,
    cell: string,
    outputs: CellOutputs,
    { interrupts, seconds }: ExecuteOptions = {},
  ): Promise<CellOutcome> {
    const execution = new Execution(cell, outputs);
    this.running = execution;
    if (!outputs.hidden) this.last = execution;
    keepListening();
    this.interrupts.watch(execution, interrupts);
    if (seconds !== undefined) this.interrupts.allow(seconds);
    try {
      const ran = currentExecution.run(execution, () => this.run(source, execution));
      return await Promise.race([ran, stoppedForGood(execution)]);
    } catch (error) {
      this.interrupts.catchUp();
      return this.fail(execution.interruption ?? error, execution);
    } finally {
      afterTermination(this.signals);
      execution.commit(); // what a failing cell has declared stays declared
      this.running = undefined;
      this.interrupts.watch(undefined);
      this.keeping ??= setTimeout(keepCode, keepCodeAfter).unref();
    }
  }

  /** Ends the running cell; by number when another thread counts the requests. */
  interrupt(request?: number): void {
    this.interrupts.take(request);
  }

  /** Ends the running cell if its time is over. */
  expire(): void {
    this.interrupts.expire();
  }

  /** Ends the running cell, whose code was stopped because it filled the memory. */
  endForMemory(): void {
    if (this.running) this.interrupts.end(this.running, outOfMemory());
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** The cell that code running now belongs to, or the running one. */
  get current(): Execution | undefined {
    return currentExecution.getStore() ?? this.running;
  }

  /** Why something failed, as a notebook shows it. */
  describe(error: unknown): CellFailure {
    return failure(error, (cell) => originOf(cell)?.text);
  }

  close(): void {
    for (const undo of this.undo) undo();
    this.compiler.close();
  }

  private outputs(): CellOutputs | undefined {
    const stray = this.options.stray === "process" ? undefined : this.last;
    return (currentExecution.getStore() ?? stray)?.outputs;
  }

  private async run(source: string, execution: Execution): Promise<CellOutcome> {
    const compiled = this.compiler.compile(source);
    await deliverSignals(); // Node forgets those that wait when a cell's code begins
    this.interrupts.check(execution);
    if (Array.isArray(compiled)) {
      const why = rejection(compiled, source, execution.name);
      execution.outputs.error(why);
      return { status: "error", interrupted: false, ...why };
    }
    registerMap(execution.name, { locate: compiled.locate, source: execution.name, text: source });
    for (const output of compiled.sideOutputs) registerMap(output.path, output);
    this.names.modules.add(compiled.sideOutputs);
    await Promise.race([this.names.modules.prepare(compiled.imports), execution.stopped]);
    execution.commit = compiled.commit;
    execution.inCode = true;
    try {
      await this.runCode(compiled, execution);
    } finally {
      execution.inCode = false; // before anything waits for it
      for (const end of execution.ends) end();
    }
    const value = this.names.take(compiled.lastExpression);
    const says = value !== undefined && value !== null && !isPendingDisplay(value);
    await Promise.race([displaysFinished(), execution.stopped]);
    if (says)
      execution.outputs.result(await Promise.race([this.bundle(value, execution), execution.stopped]));
    return { status: "ok" };
  }

  /** A value that fails to show itself does not fail its cell. */
  private async bundle(value: unknown, { outputs }: Execution): Promise<MimeBundle> {
    try {
      const bundle = await mimeBundleOf(value);
      const hint = promiseHint(value);
      return hint === undefined ? bundle : { "text/plain": `${bundle["text/plain"]}\n${hint}` };
    } catch (error) {
      const { traceback } = this.describe(error);
      outputs.stream("stderr", `the cell's value cannot be shown:\n${traceback.join("\n")}\n`);
      return { "text/plain": inspect(value, { customInspect: false }) };
    }
  }

  private async runCode({ code, awaits }: CompiledCell, execution: Execution): Promise<void> {
    if (code === undefined) return;
    const [names, values] = this.names.parameters;
    const cell = cellFunction(code, execution.name, awaits, names);
    this.debuggee.announce(execution.name);
    const ended = runInterruptibly(this.signals, () => Reflect.apply(cell, undefined, values));
    if (!awaits) return;
    const settled = () => this.interrupts.settled(execution);
    (ended as Promise<unknown>).then(settled, settled);
    await Promise.race([ended, execution.stopped]);
  }

  /** Lets the cells to come see a variable. */
  private declare(name: string): void {
    const compiled = this.compiler.compile(`let ${name}: any;`);
    if (Array.isArray(compiled)) throw new Error(`${name}: not a name that a cell can declare`);
    compiled.commit();
  }

  private fail(error: unknown, execution: Execution): CellOutcome {
    const reason = isSigint(error) ? interrupted() : error;
    const why = this.describe(reason);
    execution.outputs.error(why);
    return { status: "error", interrupted: isKeyboardInterrupt(reason), ...why };
  }

  /** An error that nobody awaited fails the running cell. */
  private takeOrphan(error: unknown): void {
    if (error instanceof CellInterrupt) return;
    const why = this.describe(error);
    if (this.running) this.running.fail(error);
    else if (this.options.onOrphan) this.options.onOrphan(why);
    else {
      const text = `${why.traceback.join("\n")}\n`;
      if (this.last) this.last.outputs.stream("stderr", text);
      else process.stderr.write(text);
    }
  }
}
