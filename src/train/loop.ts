import { LuvitError } from "../core/errors";
import { expectReadable, tooManyUnreadable } from "../data/expectReadable";
import { workerPlace } from "../distributed/place";
import { blamesMemory, engineOf, joinWorkers, type Workers } from "../engine";
import type { Module } from "../nn/module";
import { AdamW } from "../optim/adamw";
import { Agreement, expectShares } from "./agreement";
import { besideModel } from "./besideModel";
import { claimRunFolder, releaseRunFolder } from "./claimFolder";
import type { RunSets } from "./dataFiles";
import type { RunPlan, TrainOptions } from "./plan";
import { Run, type RunDriver, type StepRecord } from "./run";
import { factsOf } from "./runFacts";
import { RunStore } from "./runFolder";
import { parametersOf } from "./stepPrograms";
import { Stepper } from "./stepper";
import { prepareStepper, stepBatches, type TrainingTask, trainStep } from "./steps";
import { WeightAverage } from "./weightAverage";

export type { TrainingTask } from "./steps";

/** Deaths of the engine in a row, without a step saved in between, after which a run gives up. */
const MOST_DEATHS = 3;

/** Everything a run works with. */
interface Session<M extends Module> {
  task: TrainingTask<M>;
  options: TrainOptions;
  driver: RunDriver<M>;
  store: RunStore<M> | undefined;
  optimizer: AdamW;
  average: WeightAverage | undefined;
  /** Those that train the same model; known when the run has joined them. */
  workers?: Workers;
}

/** Starts a run. It goes on in the background; see `Run`. */
export function startRun<M extends Module>(task: TrainingTask<M>, options: TrainOptions): Run<M> {
  const name = options.name ?? task.name;
  const place = workerPlace();
  expectShares(task.plan, place);
  // The folder, and all that is written, is the first worker's.
  const folder = place.rank === 0 ? claimRunFolder(name, options) : undefined;
  const { totalSteps, epochs } = task.plan;
  const body = (driver: RunDriver<M>) =>
    drive(openSession(task, options, folder, driver)).finally(() => releaseRunFolder(folder));
  return new Run({
    name,
    model: task.model,
    totalSteps,
    out: folder,
    report: task.dataset.report,
    body,
    epochs,
  });
}

function openSession<M extends Module>(
  task: TrainingTask<M>,
  options: TrainOptions,
  folder: string | undefined,
  driver: RunDriver<M>,
): Session<M> {
  const { plan, model, whole = model, rules, emaDecay } = task;
  const optimizer = new AdamW(whole, rules, { betas: plan.betas });
  const average = emaDecay === undefined ? undefined : new WeightAverage(model, rules, emaDecay);
  const settings = { task: task.name, ...plan, ...task.settings, trainable: model.counts().trainable };
  const keep = options.keepCheckpoints ?? 2;
  const recipe = options.recipe?.name;
  const store = folder
    ? new RunStore({
        folder,
        model,
        ...besideModel(task),
        optimizer,
        average,
        plan,
        settings,
        keep,
        recipe,
        sets: setsOf(task),
      })
    : undefined;
  return { task, options, driver, store, optimizer, average };
}

function setsOf<M extends Module>({ dataset, validation }: TrainingTask<M>): RunSets {
  return { training: dataset, ...(validation && { validation }) };
}

/** The whole of a run: opens its folder, goes on where it was, trains to the end or a stop. */
async function drive<M extends Module>(session: Session<M>): Promise<void> {
  const { task, options, driver, store, optimizer, average } = session;
  try {
    await expectReadable(task.dataset, options.maxUnreadable);
    await task.prepare?.(driver.request); // what may be wrong with the data is found before anything is written
    store?.open();
    const workers = await joinWorkers(engineOf(options));
    session.workers = workers;
    if (workers)
      await new Agreement(workers).expectAlike(await factsOf(task, setsOf(task), options, workers.engine));
    let good = await resume(session);
    forgetSources(task);
    for (let deaths = 0; ; deaths++) {
      try {
        for await (const step of trainFrom(good, session)) {
          if (step > good) deaths = 0;
          good = step;
        }
        break;
      } catch (error) {
        // An engine that has died cannot join the others again.
        if (session.workers || !(error instanceof LuvitError) || error.code !== "engine-died") throw error;
        if (deaths + 1 === MOST_DEATHS) throw giveUp(error, good);
        await stepBack(session, good, error);
      }
    }
    driver.run.averaged = await average?.state();
    await store?.writeTable();
  } catch (error) {
    session.workers?.failed();
    throw error;
  } finally {
    optimizer.dispose();
    average?.dispose();
  }
}

/** Trains from `step` to the end or a stop, giving every step that model and optimizer, and the folder, stand at. */
async function* trainFrom<M extends Module>(step: number, session: Session<M>): AsyncGenerator<number> {
  const { task, options, driver, store, optimizer, average, workers } = session;
  const { plan } = task;
  const { run, request } = driver;
  const stepper = new Stepper(
    { task, optimizer, average, batches: plan.accumulate, clipGradNorm: plan.clipGradNorm },
    options,
    workers,
  );
  const agreement = new Agreement(workers);
  const sets = Object.values(setsOf(task));
  let saved = step;
  const save = async () => {
    if (saved !== step) {
      await stepper.expectSame(step);
      if (store) run.checkpoint = await store.save(step, run.checkpoint, stepper);
      else await stepper.sync();
      await agreement.any(false); // nobody ends before it is written
    }
    saved = step;
    return step;
  };
  const evaluateInto = async (record: StepRecord | undefined) => {
    const metrics = await task.evaluate?.(stepper, agreement);
    if (!record) return; // the first worker has the records of what ran before
    Object.assign(record, metrics);
    await store?.amend(record);
  };
  const unusable = () => tooManyUnreadable(task.dataset, options.maxUnreadable);
  const due = () => (step / plan.stepsPerEpoch) % (options.checkpointEvery ?? 1) === 0;
  try {
    if (task.evaluate && (await agreement.any(endsUnevaluated(run.latest, step, plan)))) {
      await prepareStepper(task, stepper, step - 1, workers);
      await evaluateInto(run.latest);
    }
    let stopped = await agreement.any(request.stopped);
    while (step < plan.totalSteps && !stopped) {
      for await (const group of stepBatches(task, step, workers)) {
        const record = await trainStep(task, stepper, group, step, run.checkpoint);
        run.engine = stepper.engine;
        step++;
        await store?.log(record);
        try {
          if (task.evaluate && step % plan.stepsPerEpoch === 0) {
            // Saved first: should evaluating fail, what was trained is not lost.
            if (due()) yield await save();
            await evaluateInto(record);
          }
        } finally {
          driver.record(record);
        }
        stopped = await agreement.any(request.stopped || unusable() !== undefined);
        if (stopped || step % plan.stepsPerEpoch === 0) await agreement.shareReports(sets);
        if (unusable()) {
          yield await save();
          throw unusable();
        }
        if (stopped) break;
      }
      if (due()) yield await save();
      stopped ||= await agreement.any(request.stopped);
    }
    yield await save();
  } finally {
    await stepper.dispose();
  }
}

/** An epoch whose run ended, or whose engine died, after its checkpoint and before its evaluation was done. */
function endsUnevaluated(last: StepRecord | undefined, step: number, { stepsPerEpoch }: RunPlan): boolean {
  if (last?.step !== step || step % stepsPerEpoch !== 0) return false;
  const known = ["step", "epoch", "loss", "lr", "imagesPerSecond"];
  return Object.keys(last).every((key) => known.includes(key));
}

/** The engine has died: model and optimizer stand at `good`, and the run's records are taken back to there. */
async function stepBack<M extends Module>(
  { driver, store, optimizer }: Session<M>,
  good: number,
  error: LuvitError,
): Promise<void> {
  const reached = driver.run.latest?.step ?? good;
  driver.run.notes.push(`after step ${reached}: ${error.message}; started again from step ${good}`);
  driver.rewind(good);
  optimizer.step = good;
  await store?.rewind(good);
}

function giveUp(error: LuvitError, step: number): LuvitError {
  const advice = blamesMemory(error.message)
    ? ` A smaller batchSize with accumulate gives the same steps in less memory, and memory: "recompute" keeps less.`
    : "";
  const message = `${error.message}\nIt died ${MOST_DEATHS} times after step ${step}.${advice}`;
  return new LuvitError("engine-died", message, { cause: error });
}

async function resume<M extends Module>({
  store,
  options,
  driver,
  workers,
  optimizer,
}: Session<M>): Promise<number> {
  const restored = options.resume ? await store?.restore() : undefined;
  driver.run.notes.push(...((await store?.compareData(restored !== undefined)) ?? []));
  if (workers) {
    const [step] = await workers.sum([restored?.step ?? 0]); // the first worker's: others have no folder
    optimizer.step = step;
    if (!restored) return step;
  }
  if (!restored) return 0;
  driver.run.checkpoint = restored.folder;
  driver.run.history.push(...restored.history);
  driver.run.notes.push(...restored.notes);
  return restored.step;
}

/** What is trained is no longer what the file it came from holds. */
function forgetSources<M extends Module>(task: TrainingTask<M>): void {
  for (const [path, parameter] of parametersOf(task)) if (task.rules.has(path)) parameter.source = undefined;
}
