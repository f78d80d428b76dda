import type * as ts from "typescript";

/** Declarations, each made of the one before, after which one is found out by itself. */
const stride = 64;

/**
 * How many declarations of cells stand behind each other (`const b = a + 1`, `const c = b + 1`, …). A new checker finds
 * out types when they are first asked for, each within the question for the next: hundreds of cells would be deeper than
 * the stack. Every 64th is asked for beforehand, the earliest first.
 */
export class Chains {
  private readonly depths = new WeakMap<ts.Symbol, number>();
  private marks: WeakRef<ts.Symbol>[] = [];
  private ready: ts.TypeChecker | undefined;

  /** Takes what a cell declares, and the declarations that it may use. */
  add(declared: Iterable<ts.Symbol>, used: Iterable<ts.Symbol>): void {
    let depth = 0;
    for (const symbol of used) depth = Math.max(depth, 1 + (this.depths.get(symbol) ?? 0));
    for (const symbol of declared) {
      this.depths.set(symbol, depth);
      if (depth > 0 && depth % stride === 0) this.marks.push(new WeakRef(symbol));
    }
  }

  /** Before a cell is checked. */
  prepare(checker: ts.TypeChecker): void {
    if (this.ready === checker) return;
    this.ready = checker;
    this.marks = this.marks.filter((mark) => mark.deref() !== undefined);
    for (const mark of this.marks) {
      const symbol = mark.deref();
      if (symbol) checker.getTypeOfSymbol(symbol);
    }
  }
}
