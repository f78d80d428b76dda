import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { checkOptions, such } from "../core/options";
import { richBundleOf } from "./mime";
import type { MimeBundle } from "./nbformat";
import { trackDisplay } from "./pending";
import { jupyterDisplay } from "./symbols";
import { inNotebook, sendDisplay } from "./tslab";

/**
 * Shows a value: figures, images, tables, lists of these, `html()` and `md()`, anything with a `Symbol.for("Jupyter.display")`
 * method, and promises of them. What takes time to draw keeps its place until then. Outside a notebook prints the
 * value's text.
 *
 * @example
 * luvit.show(luvit.tf.randomUniform([3, 64, 64]));
 */
export function show(value: unknown): void | Promise<void> {
  if (value instanceof Promise) return showLater(value.then(richBundleOf));
  const bundle = richBundleOf(value);
  if (bundle instanceof Promise) return showLater(bundle);
  send(bundle);
}

/** Keeps a place in the notebook for what is still being made, so that the order stays that of the calls. */
function showLater(bundle: Promise<MimeBundle>): Promise<void> {
  if (!inNotebook()) return bundle.then(send);
  const id = randomUUID();
  sendDisplay({ "text/plain": "…" }, id);
  return trackDisplay(bundle.then((ready) => sendDisplay(ready, id, true)));
}

function send(bundle: MimeBundle): void {
  if (inNotebook()) sendDisplay(bundle);
  else process.stdout.write(`${String(bundle["text/plain"])}\n`);
}

/** Text with one MIME type, which notebooks render. */
export class RichText {
  constructor(
    readonly mime: "text/markdown" | "text/html",
    readonly text: string,
  ) {}

  [inspect.custom](): string {
    return this.text;
  }

  [jupyterDisplay](): MimeBundle {
    return { "text/plain": this.text, [this.mime]: this.text };
  }
}

/**
 * Markdown from a template or a string: show(md`**${share} %** of the images`). Backslashes of a template stay what they
 * are, so that formulas read as they are written: md`$\frac{a}{b}$`.
 */
export function md(parts: TemplateStringsArray | string, ...values: unknown[]): RichText {
  checkOptions("md", template, parts);
  return new RichText("text/markdown", fill(parts, values));
}

/** HTML from a template or a string; values are inserted as they are, and nothing else is ever taken for HTML. */
export function html(parts: TemplateStringsArray | string, ...values: unknown[]): RichText {
  checkOptions("html", template, parts);
  const text = typeof parts === "string" ? parts : String.raw({ raw: parts }, ...values);
  return new RichText("text/html", text);
}

const template = such<TemplateStringsArray | string>(
  "a text, or a template: md`…`",
  (value) => typeof value === "string" || Array.isArray(value),
);

function fill(parts: TemplateStringsArray | string, values: readonly unknown[]): string {
  return typeof parts === "string" ? parts : String.raw(parts, ...values);
}
