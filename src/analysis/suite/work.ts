import { codeVersion } from "../../core/commit";
import { printable } from "../../core/printable";
import type { StopRequest } from "../../core/stopRequest";
import { type ImageDataset, shardRange } from "../../data/dataset";
import type { Classifier } from "../../models/classifier";
import { modelDigest } from "../../nn/digest";
import { expectImageSize } from "../../train/checkSizes";
import { type Answer, answersOf } from "../../train/evaluate";
import type { Forward } from "../../train/forward";
import { mappingFor } from "../../train/scoring";
import { describeMissing } from "../gatherRows";
import { gapsIn, type ImageRange, joined, keepRange, keptRanges, piecesOf } from "../keptRanges";
import type { Provenance } from "../provenance";
import { answersFolder, answersTable, type PartAnswers, readAnswers } from "./answers";
import { commonFacts, noteShard, readFacts, type SuiteFacts, writeFacts } from "./folder";
import { type Metric, metricsOf } from "./metrics";
import type { SuiteOptions } from "./options";
import { SuiteResult } from "./result";
import type { SuiteDriver } from "./run";
import type { SuitePart } from "./sets";

/** What one call of `suite` has done and has to do. */
export class SuiteWork {
  private readonly answers = new Map<string, PartAnswers>();
  private readonly missing: string[] = [];
  private readonly unreadable: Record<string, number> = {};
  private readonly skipped: string[] = [];
  private readonly provenance: Provenance;
  private readonly finished = new Set<string>();
  private facts: SuiteFacts | undefined;
  private readonly model: Classifier;
  private readonly options: SuiteOptions;
  private readonly request: StopRequest;
  private readonly driver: SuiteDriver;
  private readonly forward: Forward;
  private readonly batchSize: number;

  constructor(parts: {
    model: Classifier;
    options: SuiteOptions;
    request: StopRequest;
    driver: SuiteDriver;
    forward: Forward;
    batchSize: number;
  }) {
    const { model, options, request, driver, forward, batchSize } = parts;
    this.model = model;
    this.options = options;
    this.request = request;
    this.driver = driver;
    this.forward = forward;
    this.batchSize = batchSize;

    const { model: name = model.toString(), recipe, seed } = options;
    this.provenance = { model: name, recipe, seed };
  }

  /** Takes what is in the folder into account, if it is about this model. */
  async openFolder(out: string): Promise<void> {
    const { model, provenance } = this;
    const sha256 = await modelDigest(model);
    const now = { sha256, classes: model.classes, provenance, commit: codeVersion(), parts: {} };
    const known = await readFacts(out);
    this.facts = known ? commonFacts(known, now, out) : now;
    await this.writeFacts(out);
  }

  /** Answers what of a part (of this shard of it) has no answers yet. */
  async evaluate(part: SuitePart): Promise<void> {
    if (this.request.stopped) {
      this.missing.push(`${part.key}: all of it`);
      return;
    }
    const dataset = await part.open();
    expectFit(this.model, dataset, part.key);
    await this.noteSize(part.key, dataset.length);
    const share = shardRange(dataset.length, this.options.shard ?? { index: 1, count: 1 });
    const known = await this.kept(part.key);
    this.answers.set(part.key, known);
    const gaps = this.gapsOf(part.key, share);
    const todo = gaps.reduce((sum, { start, end }) => sum + end - start, 0);
    const images = share.end - share.start;
    this.driver.opened(part.key, images, images - todo);
    const missing: ImageRange[] = [];
    for (const piece of gaps.flatMap((gap) => [...piecesOf(gap, this.options.keepEvery ?? 2048)])) {
      const end = this.request.stopped ? piece.start : await this.answer(part.key, dataset, piece, known);
      if (end < piece.end) missing.push({ start: end, end: piece.end });
    }
    this.missing.push(...joined(missing).map((range) => `${part.key}: ${describeMissing(range)}`));
    if (missing.length > 0) return;
    this.noteUnreadable(part.key, dataset, share, known);
    this.finished.add(part.key);
    this.driver.finished(part.key, () => this.metrics());
  }

  result(): SuiteResult {
    const answers = new Map([...this.answers].filter(([, part]) => part.size > 0));
    return new SuiteResult({
      byPart: answers,
      provenance: this.provenance,
      classes: this.model.classes,
      missing: this.missing,
      unreadable: this.unreadable,
      skipped: this.skipped,
    });
  }

  /** The numbers of the parts that are finished. */
  private metrics(): readonly Metric[] {
    const answers = new Map(
      [...this.answers].filter(([part, { size }]) => size > 0 && this.finished.has(part)),
    );
    return metricsOf(answers, { recipe: this.provenance.recipe, classes: this.model.classes });
  }

  /** Answers a piece, or as much of it as there is time for, keeps that on disk, and gives back where it ended. */
  private async answer(
    part: string,
    dataset: ImageDataset,
    { start, end }: ImageRange,
    known: PartAnswers,
  ): Promise<number> {
    const images = dataset.subset(Array.from({ length: end - start }, (_, i) => start + i));
    const found: Answer[] = [];
    let at = start;
    const scores = (feeds: Parameters<Forward["run"]>[0]) => this.forward.run(feeds);
    for await (const answers of answersOf(scores, this.model, images, this.batchSize, "normalized")) {
      found.push(...answers.map((answer) => ({ ...answer, index: answer.index + start })));
      const before = at;
      at = Math.min(end, at + this.batchSize);
      this.driver.advanced(part, at - before);
      if (this.request.stopped) break;
    }
    const { out } = this.options;
    if (out !== undefined) {
      await keepRange(answersFolder(out, part), { start, end: at }, answersTable(found));
    }
    for (const answer of found) known.set(answer.index, answer);
    return at;
  }

  private gapsOf(part: string, share: ImageRange): ImageRange[] {
    return gapsIn(share, this.keptOf(part));
  }

  private keptOf(part: string) {
    const { out } = this.options;
    return out === undefined ? [] : keptRanges(answersFolder(out, part));
  }

  private async kept(part: string): Promise<PartAnswers> {
    const known: PartAnswers = new Map();
    for (const range of this.keptOf(part)) await readAnswers(range, known);
    return known;
  }

  private noteUnreadable(
    part: string,
    dataset: ImageDataset,
    { start, end }: ImageRange,
    known: PartAnswers,
  ): void {
    const reasons = new Map(dataset.report.skipped.map(({ path, reason }) => [path, reason]));
    let count = 0;
    for (let at = start; at < end; at++) {
      if (known.has(at)) continue;
      count++;
      const path = dataset.path(at);
      this.skipped.push(reasons.get(path) ?? `${printable(path)}: could not be read before`);
    }
    if (count > 0) this.unreadable[part] = count;
  }

  private async noteSize(part: string, images: number): Promise<void> {
    const { out } = this.options;
    if (out === undefined || !this.facts || this.facts.parts[part] === images) return;
    this.facts = commonFacts(this.facts, { ...this.facts, parts: { [part]: images } }, out);
    await this.writeFacts(out);
  }

  /** Shards that share a folder write the same facts, each when it comes to a part; which of them have come is noted. */
  private async writeFacts(out: string): Promise<void> {
    await writeFacts(out, this.facts!);
    const { shard } = this.options;
    if (shard) await noteShard(out, shard, this.facts!.parts);
  }
}

function expectFit(model: Classifier, dataset: ImageDataset, part: string): void {
  expectImageSize(dataset, model.encoder.config.imageSize, `suite, ${part}`);
  mappingFor(dataset, model.classes, `suite, ${part}`);
}
