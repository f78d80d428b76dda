import type { MimeBundle } from "./nbformat";

/** What other libraries' objects are known by: a canvas, an element, a Vega or Vega-Lite chart. */
interface Foreign {
  toDataURL?: unknown;
  outerHTML?: unknown;
  toSpec?: unknown;
}

/** How a canvas, an element or a chart of another library is shown; undefined for everything else. */
export function foreignBundle(value: unknown): MimeBundle | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { toDataURL, outerHTML, toSpec } = value as Foreign;
  if (typeof toDataURL === "function") return canvasBundle(String(toDataURL.call(value)));
  if (typeof outerHTML === "string") return elementBundle(outerHTML);
  if (typeof toSpec === "function") return chartBundle(toSpec.call(value));
  return undefined;
}

function canvasBundle(url: string): MimeBundle | undefined {
  const [, mime, content] = /^data:(image\/[\w+.-]+);base64,(.+)$/s.exec(url) ?? [];
  return mime === undefined || content === undefined ? undefined : { [mime]: content };
}

function elementBundle(outerHTML: string): MimeBundle {
  return /^\s*<svg[\s>]/.test(outerHTML) ? { "image/svg+xml": outerHTML } : { "text/html": outerHTML };
}

/** https://vega.github.io/schema/vega-lite/v5.json and the like. */
function chartBundle(spec: unknown): MimeBundle | undefined {
  const { $schema } = (spec ?? {}) as { $schema?: unknown };
  const [, name, version] = /\/schema\/(vega|vega-lite)\/(v\d+)/.exec(String($schema)) ?? [];
  if (name === undefined) return undefined;
  return { [`application/vnd.${name.replace("-", "")}.${version}+json`]: spec };
}
