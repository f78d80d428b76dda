import { randomUUID } from "node:crypto";
import { type GatedImage, type HeadGates, openHeadGates } from "../../analysis/interventions/headGates";
import type { HeadPlace } from "../../analysis/interventions/heads";
import { softmaxOf } from "../../analysis/softmax";
import { LuvitError } from "../../core/errors";
import { type CommData, type CommMessage, type CommTarget, kernelHost } from "../../core/kernelHost";
import type { EngineOptions } from "../../engine";
import type { Classifier } from "../../models/classifier";
import type { KernelPage } from "./browser/payload";

/** What a page may ask the kernel about: its models, each with the image beside it. */
export interface AskedPage {
  readonly models: readonly { readonly model: Classifier; readonly image: GatedImage }[];
  /** Classes that can be chosen in the page. */
  readonly choices: readonly number[];
  /** A class's name. */
  name(label: number): string;
  readonly engine: EngineOptions;
}

/** The page's models, not kept alive by it, and their weights as they were when it was made. */
interface Known extends Omit<AskedPage, "models"> {
  readonly models: readonly {
    readonly model: WeakRef<Classifier>;
    readonly image: GatedImage;
    readonly weights: readonly WeakRef<object>[];
  }[];
}

/** The name of the comms in which pages ask. */
export const HEADS_TARGET = "luvit.heads";
/** Pages that are known, the latest; of others the cell has to run again. */
const MOST_PAGES = 32;
/** Milliseconds without a question after which the engine's memory is given back; the page asks anew. */
const PATIENCE = 60_000;
const pages = new Map<string, Known>();

/**
 * Lets a page ask what its models answer with several heads off, through comms of the kernel that runs this cell; undefined
 * where there is none. The page is told by its id, the kernel by its own.
 */
export function takeQuestions({ models, ...about }: AskedPage): KernelPage | undefined {
  const host = kernelHost();
  if (host?.id === undefined) return undefined;
  const page = randomUUID();
  const known = models.map(({ model, image }) => ({
    ...{ model: new WeakRef(model), image, weights: weightsOf(model) },
  }));
  pages.set(page, { ...about, models: known });
  for (const old of [...pages.keys()].slice(0, -MOST_PAGES)) pages.delete(old);
  host.registerTarget(HEADS_TARGET, take);
  return { kernel: host.id, page };
}

function weightsOf(model: Classifier): WeakRef<object>[] {
  return [...model.namedParameters()].map(([, parameter]) => new WeakRef(parameter.values));
}

const take: CommTarget = (comm, { data }) => {
  const known = pages.get(String(data.page));
  if (!known) return comm.close({ problem: "the kernel does not know this page; run its cell again" });
  const asked = new Asked(known, () => comm.close());
  comm.onClose(() => void asked.end());
  comm.onMessage((message: CommMessage) => {
    asked.answer(message.data).then(
      (answer) => comm.send({ ...answer }),
      async (error: unknown) => {
        await asked.end();
        comm.close({ problem: error instanceof Error ? error.message : String(error) });
      },
    );
  });
};

/** One comm's questions, answered one after another; a model's graph stays open until the comm is closed. */
class Asked {
  private readonly gates = new Map<number, Promise<HeadGates>>();
  private turn: Promise<unknown> = Promise.resolve();
  private isOver = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly known: Known,
    private readonly close: () => void,
  ) {}

  /** { ask, panel, off } -> { ask, chances of the classes that can be chosen, label, chance }. */
  answer(data: CommData): Promise<CommData> {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.end().then(this.close), PATIENCE).unref();
    const answered = this.turn.then(() => this.work(data));
    this.turn = answered.catch(() => undefined);
    return answered;
  }

  /** Gives the engine's memory back once the answer that is being worked on is there. */
  async end(): Promise<void> {
    this.isOver = true;
    clearTimeout(this.timer);
    await this.turn;
    const open = [...this.gates.values()];
    this.gates.clear();
    for (const gates of open) await (await gates.catch(() => undefined))?.dispose();
  }

  private async work({ ask, panel, off }: CommData): Promise<CommData> {
    if (this.isOver) throw new LuvitError("bad-argument", "the page does not ask any more");
    const { choices, name } = this.known;
    const gates = await this.gatesOf(Number(panel));
    const logits = await gates.without(...placesIn(off, gates));
    const chances = softmaxOf(logits);
    const top = chances.indexOf(Math.max(...chances));
    return { ask, chances: choices.map((one) => chances[one]), label: name(top), chance: chances[top] };
  }

  private gatesOf(panel: number): Promise<HeadGates> {
    const about = this.known.models[panel];
    if (!about) throw new LuvitError("bad-argument", `the page has no model ${panel}`);
    const model = about.model.deref();
    const now = model ? [...model.namedParameters()].map(([, { values }]) => values) : [];
    const isSame = model && now.every((values, i) => about.weights[i]?.deref() === values);
    if (!isSame)
      throw new LuvitError(
        "bad-argument",
        "the model is gone or may have changed since; run the page's cell again",
      );
    const open = this.gates.get(panel) ?? openHeadGates("lookInside", model, about.image, this.known.engine);
    this.gates.set(panel, open);
    open.catch(() => this.gates.delete(panel));
    return open;
  }
}

/** @throws LuvitError("bad-argument") for what names no heads of the model. */
function placesIn(off: unknown, { heads }: HeadGates): HeadPlace[] {
  const wanted = Array.isArray(off) ? (off as unknown[]) : [undefined];
  return wanted.map((one) => {
    const { layer, head } = (one ?? {}) as Partial<HeadPlace>;
    const place = heads.places.find((known) => known.layer === layer && known.head === head);
    if (place) return place;
    throw new LuvitError("bad-argument", `the model has no head ${String(head)} of ${String(layer)}`);
  });
}
