import type { MimeBundle } from "./nbformat";

/** What other libraries' objects are known by: a canvas, an element of a document, a Vega or Vega-Lite chart. */
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
  if (typeof outerHTML === "string" && isOfClass(value, "outerHTML")) return elementBundle(outerHTML);
  if (typeof toSpec === "function") return chartBundle(toSpec.call(value));
  return undefined;
}

/** Whether a property is computed by the value's class, as elements of documents do it. Data says nothing in HTML. */
function isOfClass(value: object, name: string): boolean {
  if (Object.hasOwn(value, name)) return false;
  for (let type: unknown = Object.getPrototypeOf(value); type; type = Object.getPrototypeOf(type))
    if (Object.getOwnPropertyDescriptor(type, name)?.get) return true;
  return false;
}

function canvasBundle(url: string): MimeBundle | undefined {
  const [, mime, content] = /^data:(image\/(?:png|jpeg|webp|gif));base64,([\w+/=]+)$/.exec(url) ?? [];
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
