import { neutralColor } from "../theme";

/** Numbers in path data and attributes: two decimals are a hundredth of a pixel. */
export function px(value: number): string {
  return String(Math.round(value * 100) / 100);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML may not have
const unwritable = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu;

/** Text made safe for SVG, of whatever type a foreign figure gives it; letters that XML may not have are seen as �. */
export function escapeXml(text: unknown): string {
  return String(text)
    .replace(unwritable, "\ufffd")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");
}

const colors = /^(?:#[0-9a-f]{3,8}|[a-z]+|(?:rgb|hsl|hwb|lab|lch|oklab|oklch|color)a?\([\w\s.,%/+-]*\))$/i;

/** A color that a foreign figure gives; anything else, e.g. the address of a pattern somewhere, is gray. */
export function paint(color: unknown): string {
  const text = String(color).trim();
  return colors.test(text) ? text : neutralColor;
}

/** The words of a title, which Plotly also takes as bare text; undefined where it has none. */
export function titleText(title: unknown): string | undefined {
  const text = typeof title === "object" ? (title as { text?: unknown } | null)?.text : title;
  return text === undefined || text === null ? undefined : String(text);
}

/** Where and how a text stands. */
export interface TextPlace {
  x: number;
  y: number;
  size: number;
  className?: string;
  anchor?: "start" | "middle" | "end";
  fill?: string | undefined;
  rotate?: number;
}

/** About how wide a text is, in pixels; system fonts average a little over half their size. */
export function textWidth(text: string, size: number): number {
  return plain(String(text)).length * size * 0.56;
}

/** Lines of Plotly's small HTML: `<br>` breaks, `<b>` is bold, `<sub>` small and muted. The first baseline is at y. */
export function textElement(text: string, place: TextPlace): string {
  const lines = String(text).split(/<br\s*\/?>/);
  const spans = lines.map((line, index) => {
    const small = line.includes("<sub>");
    const bold = line.includes("<b>") ? ' font-weight="600"' : "";
    const style = small ? ` class="muted" font-size="${px(place.size * 0.86)}" font-weight="400"` : bold;
    const dy = index === 0 ? "" : ` dy="${px(place.size * 1.38)}"`;
    return `<tspan x="${px(place.x)}"${dy}${style}>${escapeXml(decode(plain(line)))}</tspan>`;
  });
  const attributes = [
    `x="${px(place.x)}" y="${px(place.y)}" font-size="${px(place.size)}"`,
    place.fill === undefined ? `class="${place.className ?? "text"}"` : `fill="${paint(place.fill)}"`,
    place.anchor && place.anchor !== "start" ? `text-anchor="${place.anchor}"` : "",
    place.rotate ? `transform="rotate(${px(place.rotate)} ${px(place.x)} ${px(place.y)})"` : "",
  ];
  return `<text ${attributes.filter(Boolean).join(" ")}>${spans.join("")}</text>`;
}

/** Breaks the lines of a text at spaces so that each fits; a line's marking goes on in what follows it. */
export function wrapText(text: string, size: number, width: number): string {
  return String(text)
    .split(/<br\s*\/?>/)
    .map((line) => wrapLine(line, size, width))
    .join("<br>");
}

function wrapLine(line: string, size: number, width: number): string {
  const [, open = "", words = line, close = ""] =
    /^((?:<(?:b|i|sub)>)*)(.*?)((?:<\/(?:b|i|sub)>)*)$/.exec(line) ?? [];
  const scale = open.includes("<sub>") ? 0.86 * size : open.includes("<b>") ? 1.12 * size : size;
  const wrapped: string[] = [];
  for (const word of words.split(" ")) {
    const last = wrapped[wrapped.length - 1];
    const longer = last === undefined ? word : `${last} ${word}`;
    if (last !== undefined && textWidth(longer, scale) > width) wrapped.push(word);
    else wrapped[Math.max(0, wrapped.length - 1)] = longer;
  }
  return wrapped.map((part) => `${open}${part}${close}`).join("<br>");
}

function plain(text: string): string {
  return text.replace(/<\/?(b|i|sub|sup|span)[^>]*>/g, "");
}

/** Letters in place of the names that markup has for them. */
export function decode(text: string): string {
  const bare = text
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"');
  return bare.replace(/&amp;/g, "&");
}
