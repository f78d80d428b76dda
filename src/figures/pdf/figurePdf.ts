import { LuvitError } from "../../core/errors";
import type { PlotlyFigure } from "../spec";
import { figureSummary } from "../summary";
import { renderSvg } from "../svg/render";
import { themes } from "../theme";
import { letterCode, lettersWidth } from "./letters";
import { imageName, opacityName, pdfFile } from "./pdfFile";
import { readSvg, type SvgElement } from "./svgTree";

type Attributes = Readonly<Record<string, string>>;

/** Points in a pixel of the page. */
const points = 0.75;
const light = themes.light;
const fills: Attributes = { bg: light.background, text: light.text, muted: light.muted };
const strokes: Attributes = { grid: light.grid, axis: light.axis, error: light.text };

/**
 * A figure as PDF, light: its lines and letters are no pixels.
 *
 * @throws LuvitError("bad-argument") for letters that the fonts of PDF do not have, and colors by name.
 */
export function figurePdf(figure: PlotlyFigure): Buffer {
  const svg = readSvg(renderSvg(figure, { theme: "light" }));
  const [width, height] = [Number(svg.attributes.width), Number(svg.attributes.height)];
  const drawing = new Drawing(svg);
  const content = `${points} 0 0 ${-points} 0 ${number(points * height)} cm\n${drawing.operators.join("\n")}`;
  drawing.expectLetters();
  const title = figureSummary(figure);
  const size = { width: points * width, height: points * height };
  return pdfFile({ ...size, content, opacities: drawing.opacities, images: drawing.images, title });
}

/** The operators for the elements of a figure. */
class Drawing {
  readonly operators: string[] = [];
  readonly opacities: number[] = [];
  /** JPEG files. */
  readonly images: Buffer[] = [];
  private readonly clips = new Map<string, SvgElement>();
  private readonly unknown = new Set<string>();

  constructor(svg: SvgElement) {
    for (const child of svg.children) this.element(child, {});
  }

  /** Fonts of PDF readers have the letters of western Europe; what they lack must not vanish. */
  expectLetters(): void {
    if (this.unknown.size === 0) return;
    const letters = [...this.unknown].map((letter) => `"${letter}"`).join(", ");
    throw new LuvitError(
      "bad-argument",
      `PDF: its standard fonts have no ${letters}; save the figure as .svg or .png`,
    );
  }

  private element(element: SvgElement | string, inherited: Attributes): void {
    if (typeof element === "string") return;
    const { tag, attributes, children } = element;
    if (tag === "clipPath") this.clips.set(attributes.id!, children[0] as SvgElement);
    else if (tag === "g") this.group(element, inherited);
    else if (tag === "text") this.text(element);
    else if (tag === "image") this.image(attributes);
    else if (tag !== "title" && tag !== "style") this.shape(tag, { ...inherited, ...attributes });
  }

  private group({ attributes, children }: SvgElement, inherited: Attributes): void {
    this.operators.push("q");
    const clip = /^url\(#(.*)\)$/.exec(attributes["clip-path"] ?? "")?.[1];
    if (clip !== undefined) this.operators.push(`${rectangle(this.clips.get(clip)!.attributes)} W n`);
    if (attributes.opacity !== undefined) {
      this.opacities.push(Number(attributes.opacity));
      this.operators.push(`/${opacityName(Number(attributes.opacity))} gs`);
    }
    const fill = attributes.fill ?? inherited.fill;
    for (const child of children) this.element(child, fill === undefined ? {} : { fill });
    this.operators.push("Q");
  }

  private shape(tag: string, attributes: Attributes): void {
    const name = attributes.class ?? "";
    const stroke = attributes.stroke ?? strokes[name];
    const fill = stroke !== undefined ? undefined : (fills[name] ?? attributes.fill ?? "#000000");
    if (fill === "none") return;
    const outline = outlineOf(tag, attributes);
    if (fill !== undefined) {
      this.operators.push(`${color(fill)} rg ${outline} f`);
      return;
    }
    const dash = attributes["stroke-dasharray"] ?? "";
    const round = attributes["stroke-linejoin"] === "round" ? "1 j 1 J " : "0 j 0 J ";
    const look = `${round}${attributes["stroke-width"] ?? 1} w [${dash}] 0 d ${color(stroke!)} RG`;
    this.operators.push(`${look} ${outline} S`);
  }

  /** Upright in a page whose lengths grow downwards. */
  private image({ x, y, width, height, href = "" }: Attributes): void {
    const bytes = /^data:image\/jpeg;base64,(.*)$/.exec(href)?.[1];
    if (bytes === undefined)
      throw new LuvitError("bad-argument", "PDF: images other than JPEG; save the figure as .svg or .png");
    this.images.push(Buffer.from(bytes, "base64"));
    const place = [Number(width), 0, 0, -Number(height), Number(x), Number(y) + Number(height)];
    this.operators.push(`q ${place.map(number).join(" ")} cm /${imageName(this.images.length - 1)} Do Q`);
  }

  private text({ attributes, children }: SvgElement): void {
    const fill = attributes.fill ?? fills[attributes.class ?? "text"]!;
    const angle = (Number(/^rotate\(([-\d.]+)/.exec(attributes.transform ?? "")?.[1] ?? 0) * Math.PI) / 180;
    const [x, y] = [Number(attributes.x), Number(attributes.y)];
    let down = 0;
    for (const line of children) {
      if (typeof line === "string") continue;
      const own = line.attributes;
      down += Number(own.dy ?? 0);
      const size = Number(own["font-size"] ?? attributes["font-size"]);
      const isBold = own["font-weight"] === "600";
      const codes = this.codesOf(line.children.join(""));
      const share = { middle: 0.5, end: 1 }[attributes["text-anchor"] ?? ""] ?? 0;
      const left = -share * size * lettersWidth(codes, isBold);
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const place = [cos, sin, sin, -cos, x + left * cos - down * sin, y + left * sin + down * cos];
      const look = `${color(fills[own.class ?? ""] ?? fill)} rg /F${isBold ? 2 : 1} ${size} Tf`;
      const hex = Buffer.from(codes).toString("hex");
      this.operators.push(`BT ${look} ${place.map(number).join(" ")} Tm <${hex}> Tj ET`);
    }
  }

  private codesOf(text: string): number[] {
    return [...text].flatMap((letter) => {
      const code = letterCode(letter);
      if (code === undefined) this.unknown.add(letter);
      return code ?? [];
    });
  }
}

function outlineOf(tag: string, attributes: Attributes): string {
  if (tag === "rect") return rectangle(attributes);
  if (tag === "circle") return circle(Number(attributes.cx), Number(attributes.cy), Number(attributes.r));
  return path(attributes.d!);
}

function rectangle({ x = "0", y = "0", width = "0", height = "0" }: Attributes): string {
  return `${x} ${y} ${width} ${height} re`;
}

/** Four cubic curves, a fiftieth of a percent from a circle. */
function circle(x: number, y: number, r: number): string {
  const k = 0.5523 * r;
  const curve = (...at: number[]) => `${at.map(number).join(" ")} c`;
  return [
    `${number(x + r)} ${number(y)} m`,
    curve(x + r, y + k, x + k, y + r, x, y + r),
    curve(x - k, y + r, x - r, y + k, x - r, y),
    curve(x - r, y - k, x - k, y - r, x, y - r),
    curve(x + k, y - r, x + r, y - k, x + r, y),
  ].join(" ");
}

/** Path data of M, L, H, V, h and Z. */
function path(d: string): string {
  let [x, y] = [0, 0];
  const steps = [...d.matchAll(/([MLHVhZ])([^MLHVhZ]*)/g)].map(([, command, rest]) => {
    if (command === "Z") return "h";
    const [a = 0, b = 0] = (rest!.match(/-?[\d.]+(?:e[+-]?\d+)?/g) ?? []).map(Number);
    if (command === "H" || command === "h") x = command === "H" ? a : x + a;
    else if (command === "V") y = a;
    else [x, y] = [a, b];
    return `${number(x)} ${number(y)} ${command === "M" ? "m" : "l"}`;
  });
  return steps.join(" ");
}

/** Red, green and blue from 0 to 1 of `#rrggbb`, `#rgb` or `rgb(r,g,b)`. */
function color(text: string): string {
  const long = text.replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
  const hex = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(long)?.slice(1);
  const decimal = /^rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(text)?.slice(1);
  const channels = hex?.map((part) => Number.parseInt(part, 16)) ?? decimal?.map(Number);
  if (channels) return channels.map((channel) => number(channel / 255)).join(" ");
  throw new LuvitError("bad-argument", `PDF: the color "${text}" is neither #rrggbb nor rgb(r,g,b)`);
}

function number(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
