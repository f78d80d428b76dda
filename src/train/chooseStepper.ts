import { chooseEngine } from "../engine";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { type CompiledStepOptions, CompiledStepper } from "./compiledStepper";
import { reasonToGoEager } from "./forward";
import type { Feeds } from "./feeds";
import { type CallOptions, EagerStepper, type Stepper, type StepTask } from "./stepper";
import type { WeightAverage } from "./weightAverage";

/**
 * Steps as one compiled graph on the engine that is asked for, else on the best there is, else op by op.
 * @throws LuvitError("engine") when what is demanded cannot be had.
 */
export function chooseStepper<M extends Module>(
  task: StepTask<M>,
  optimizer: AdamW,
  average: WeightAverage | undefined,
  accumulate: number,
  options: CompiledStepOptions = {},
): Stepper {
  const { engine, demanded, passedOver } = chooseEngine(options);
  const eager = (reason: string) => new EagerStepper(task, optimizer, average, reason);
  if (engine === "eager") return eager(demanded ? "asked for" : passedOver.join("; "));
  const compiled = new CompiledStepper(task, optimizer, average, accumulate, options);
  if (demanded) return compiled;
  return new AutoStepper(compiled, (error) => eager(reasonToGoEager(error, demanded, options)));
}

/** One compiled graph, or op by op where the step turns out not to compile; the run then says why. */
class AutoStepper<M extends Module> implements Stepper {
  private chosen: Stepper | undefined;

  constructor(
    private readonly compiled: CompiledStepper<M>,
    /** What to do instead; throws where nothing can be. */
    private readonly instead: (error: unknown) => Stepper,
  ) {}

  get engine(): string {
    return (this.chosen ?? this.compiled).engine;
  }

  async step(group: readonly Feeds[], lr: number): Promise<number> {
    this.chosen ??= await this.choose(group[0]);
    return this.chosen.step(group, lr);
  }

  call(name: string, feeds: Feeds, options?: CallOptions): Promise<Record<string, Float32Array>> {
    return this.chosen!.call(name, feeds, options);
  }

  async sync(): Promise<void> {
    await this.chosen?.sync();
  }

  async dispose(): Promise<void> {
    await this.compiled.dispose();
  }

  private async choose(feeds: Feeds): Promise<Stepper> {
    try {
      await this.compiled.prepare(feeds);
      return this.compiled;
    } catch (error) {
      return this.instead(error);
    }
  }
}
