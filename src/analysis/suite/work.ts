import { codeVersion } from "../../core/commit";
import { type ImageDataset, shardRange } from "../../data/dataset";
import type { Classifier } from "../../models/classifier";
import { modelDigest } from "../../nn/digest";
import { type Answer, answersOf } from "../../train/evaluate";
import { expectImageSize } from "../../train/fit";
import type { Forward } from "../../train/forward";
import { mappingFor } from "../../train/scoring";
import type { Provenance } from "../provenance";
import { answeredRanges, gapsIn, type PartAnswers, readAnswers, writeAnswers } from "./answers";
import { commonFacts, readFacts, type SuiteFacts, writeFacts } from "./folder";
import { SuiteResult } from "./result";
import type { SuitePart } from "./sets";
import type { SuiteOptions } from "./suite";

/** Pictures start … end - 1. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** What one call of `suite` has done and has to do. */
export class SuiteWork {
  private readonly answers = new Map<string, PartAnswers>();
  private readonly missing: string[] = [];
  private readonly unreadable: Record<string, number> = {};
  private readonly provenance: Provenance;
  private facts: SuiteFacts | undefined;
  private stopped = false;
  private partsDone = 0;

  constructor(
    private readonly model: Classifier,
    private readonly options: SuiteOptions,
    private readonly parts: number,
    private readonly forward: Forward,
    private readonly batchSize: number,
  ) {
    const { model: name = model.toString(), recipe, seed } = options;
    this.provenance = { model: name, recipe, seed };
  }

  stop(): void {
    this.stopped = true;
  }

  /** Takes what is in the folder into account, if it is about this model. */
  async openFolder(out: string): Promise<void> {
    const { model, provenance } = this;
    const sha256 = await modelDigest(model);
    const now = { sha256, classes: model.classes, provenance, commit: codeVersion(), parts: {} };
    const known = await readFacts(out);
    this.facts = known ? commonFacts(known, now, out) : now;
    await writeFacts(out, this.facts);
  }

  /** Answers what of a part (of this shard of it) has no answers yet. */
  async evaluate(part: SuitePart): Promise<void> {
    if (this.stopped) {
      this.missing.push(`${part.key}: all of it`);
      return;
    }
    const dataset = await part.open();
    expectFit(this.model, dataset, part.key);
    await this.noteSize(part.key, dataset.length);
    const { index, count } = this.options.shard ?? { index: 1, count: 1 };
    const share = shardRange(dataset.length, index - 1, count);
    const known = await this.kept(part.key);
    this.answers.set(part.key, known);
    const gaps = this.gapsOf(part.key, share);
    const report = this.reporter(part.key, gaps);
    let isWhole = true;
    for (const piece of gaps.flatMap((gap) => [...this.pieces(gap)])) {
      const end = this.stopped ? piece.start : await this.answer(part.key, dataset, piece, known, report);
      if (end < piece.end) this.missing.push(`${part.key}: pictures ${end} to ${piece.end - 1}`);
      isWhole &&= end === piece.end;
    }
    if (isWhole) this.noteUnreadable(part.key, share, known);
    this.partsDone++;
  }

  result(): SuiteResult {
    const answers = new Map([...this.answers].filter(([, part]) => part.size > 0));
    return new SuiteResult(answers, this.provenance, this.model.classes, this.missing, this.unreadable);
  }

  /** Answers a piece, or as much of it as there is time for, keeps that on disk, and gives back where it ended. */
  private async answer(
    part: string,
    dataset: ImageDataset,
    { start, end }: Range,
    known: PartAnswers,
    report: (pictures: number) => void,
  ): Promise<number> {
    const pictures = dataset.subset(Array.from({ length: end - start }, (_, i) => start + i));
    const found: Answer[] = [];
    let at = start;
    const scores = (feeds: Parameters<Forward["run"]>[0]) => this.forward.run(feeds);
    for await (const answers of answersOf(scores, this.model, pictures, this.batchSize)) {
      found.push(...answers.map((answer) => ({ ...answer, index: answer.index + start })));
      const before = at;
      at = Math.min(end, at + this.batchSize);
      report(at - before);
      if (this.stopped) break;
    }
    if (this.options.out !== undefined) {
      await writeAnswers(this.options.out, part, { start, end: at }, found);
    }
    for (const answer of found) known.set(answer.index, answer);
    return at;
  }

  private reporter(part: string, gaps: readonly Range[]): (pictures: number) => void {
    const total = gaps.reduce((sum, { start, end }) => sum + end - start, 0);
    const started = performance.now();
    let done = 0;
    return (pictures) => {
      done += pictures;
      const imagesPerSecond = (1000 * done) / (performance.now() - started);
      const { partsDone, parts, forward } = this;
      const place = { part, partsDone, parts, done, total };
      this.options.onProgress?.({ ...place, imagesPerSecond, engine: forward.engine });
    };
  }

  private gapsOf(part: string, share: Range): Range[] {
    const { out } = this.options;
    return gapsIn(share, out === undefined ? [] : answeredRanges(out, part));
  }

  private async kept(part: string): Promise<PartAnswers> {
    const { out } = this.options;
    const known: PartAnswers = new Map();
    for (const range of out === undefined ? [] : answeredRanges(out, part)) await readAnswers(range, known);
    return known;
  }

  private *pieces({ start, end }: Range): Generator<Range> {
    const { keepEvery = 2048 } = this.options;
    for (let at = start; at < end; at += keepEvery) yield { start: at, end: Math.min(end, at + keepEvery) };
  }

  private noteUnreadable(part: string, { start, end }: Range, known: PartAnswers): void {
    let count = 0;
    for (let at = start; at < end; at++) if (!known.has(at)) count++;
    if (count > 0) this.unreadable[part] = count;
  }

  private async noteSize(part: string, pictures: number): Promise<void> {
    const { out } = this.options;
    if (out === undefined || !this.facts || this.facts.parts[part] === pictures) return;
    this.facts = commonFacts(this.facts, { ...this.facts, parts: { [part]: pictures } }, out);
    await writeFacts(out, this.facts);
  }
}

function expectFit(model: Classifier, dataset: ImageDataset, part: string): void {
  expectImageSize(dataset, model.encoder.config.imageSize, `suite, ${part}`);
  mappingFor(dataset, model.classes, `suite, ${part}`);
}
