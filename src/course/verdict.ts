import { inspect } from "node:util";
import { checkOptions, object, oneOf, text } from "../core/options";
import { escapeHtml } from "../figures/html";

/** "open": nothing was answered yet. */
export type VerdictKind = "right" | "nearly" | "no" | "open";

const looks: Readonly<Record<VerdictKind, { title: string; color: string }>> = {
  right: { title: "✔ right", color: "#1a7f37" },
  nearly: { title: "≈ nearly", color: "#9a6700" },
  no: { title: "✘ not yet", color: "#cf222e" },
  open: { title: "… open", color: "#6e7781" },
};

const parts = object({ kind: oneOf(["right", "nearly", "no", "open"]), text }, {});

/** What an exercise says about an answer. Shows as a card in a notebook and as a line elsewhere. */
export class Verdict {
  readonly kind: VerdictKind;
  /** Why, and what to look at next. */
  readonly text: string;

  constructor(kind: VerdictKind, text: string) {
    checkOptions("Verdict", parts, { kind, text });
    this.kind = kind;
    this.text = text;
  }

  toString(): string {
    return `${looks[this.kind].title}: ${this.text}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  [Symbol.for("Jupyter.display")](): Record<string, string> {
    const { title, color } = looks[this.kind];
    const card = `border-left:4px solid ${color};padding:.4em .8em;margin:.3em 0;max-width:48em`;
    const html = `<div role="status" style="${card}"><b>${title}</b><br>${escapeHtml(this.text)}</div>`;
    return { "text/plain": String(this), "text/html": html };
  }
}
