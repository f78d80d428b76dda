import type { Answer, Evidence, Head, Known } from "./evidence";
import type { KernelPage } from "./payload";

/** Whom a page can ask what a model answers without some of its heads. */
export interface HeadLink {
  ask(panel: number, off: readonly Head[]): Promise<Answer>;
}

/** Undefined for a page that no kernel stands behind. */
export type LinkMaker = (page: KernelPage) => HeadLink | undefined;

/** Pages that a kernel made have the script that sets it. */
const makeLink = (globalThis as unknown as { luvitKernelLink?: LinkMaker }).luvitKernelLink;

/** Answers with heads off: of single heads from the page's numbers, of several at once from the kernel where there is one. */
export class WithoutHeads {
  private readonly link: HeadLink | undefined;
  private readonly known = new Map<string, Known>();

  constructor(
    private readonly evidence: readonly Evidence[],
    live: KernelPage | undefined,
    /** An answer has come, or will not. */
    private readonly changed: () => void,
  ) {
    this.link = live && makeLink?.(live);
  }

  /** Whether several heads can be off at once. */
  get takesSeveral(): boolean {
    return this.link !== undefined;
  }

  /** Undefined where all heads are on. */
  of(panel: number, off: readonly Head[]): Known | undefined {
    const [one, ...more] = off;
    if (!one) return undefined;
    const evidence = this.evidence[panel]!;
    const [chances, top] = [evidence.chances(one), evidence.topWithout(one)];
    if (more.length === 0 && chances && top) return { answer: { chances, top } };
    const key = JSON.stringify([panel, off.map(({ layer, head }) => `${layer} ${head}`).sort()]);
    const known = this.known.get(key);
    if (known) return known;
    if (!this.link) return { why: "a page by itself knows single heads only" };
    const waiting = { why: "the kernel is asked" };
    this.known.set(key, waiting);
    this.link
      .ask(panel, off)
      .then(
        (answer) => this.known.set(key, { answer }),
        (problem: Error) => this.known.set(key, { why: problem.message }),
      )
      .then(this.changed);
    return waiting;
  }

  /** What could not be answered is asked again. */
  forgetProblems(): void {
    for (const [key, known] of this.known)
      if ("why" in known && known.why !== "the kernel is asked") this.known.delete(key);
  }
}
