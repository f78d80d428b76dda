import { escapeHtml } from "./html";

/** Elements that text may contain; everything else of HTML in it is shown as text. */
const elements = new Set(
  (
    "a b blockquote br code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p " +
    "picture pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul var"
  ).split(" "),
);
const attributes = new Set(
  "align alt colspan height href id lang open rowspan scope src start title width".split(" "),
);

const tag =
  /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z]+(?:\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))?)*)\s*(\/?)>|<!--[\s\S]*?-->|[<>]/gi;
const attribute = /([a-z]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?/gi;

/** HTML within text, without what could run: harmless elements with harmless attributes stay, the rest becomes text. */
export function safeHtml(text: string): string {
  return text.replace(tag, (whole: string, slash?: string, name?: string, given = "", end = "") => {
    if (whole.startsWith("<!--")) return "";
    if (name === undefined || !elements.has(name.toLowerCase())) return escapeHtml(whole);
    return `<${slash}${name}${slash ? "" : safeAttributes(given)}${end}>`;
  });
}

function safeAttributes(given: string): string {
  const kept = [...given.matchAll(attribute)].flatMap(([, name, double, single]) => {
    const value = double ?? single ?? "";
    const isAddress = name === "href" || name === "src";
    if (!attributes.has(name!) || (isAddress && !isSafeAddress(decodeEntities(value)))) return [];
    return [` ${name}="${value.replace(/"/g, "&quot;")}"`];
  });
  return kept.join("");
}

/** Whether an address leads to a place: `javascript:` and other schemes that run or hide something do not. */
export function isSafeAddress(address: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: browsers skip them in a scheme
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(address.replace(/[\u0000-\u0020\u00a0]/g, ""))?.[1];
  if (scheme === undefined) return !/^[^/?#]*[&:]/.test(address); // a scheme in disguise
  if (["http", "https", "mailto"].includes(scheme.toLowerCase())) return true;
  return /^data:image\/(png|jpeg|gif|webp);base64,[\w+/=]*$/i.test(address);
}

function decodeEntities(text: string): string {
  return text
    .replace(/&#x([0-9a-f]+);?/gi, (_, code: string) => character(Number.parseInt(code, 16)))
    .replace(/&#(\d+);?/g, (_, code: string) => character(Number(code)))
    .replace(/&colon;/gi, ":")
    .replace(/&(tab|newline);/gi, "")
    .replace(/&amp;/gi, "&");
}

function character(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : "";
}
