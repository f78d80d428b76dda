import { make } from "../../browser/dom";
import { download } from "../../browser/download";
import { pageAround } from "../../browser/pageAround";
import { type Drawing, toCanvas, toSvg } from "./exports";
import type { ViewerHeader } from "./payload";
import { layerLabel, type ViewState } from "./state";

/** What is saved: asked for when a button is pressed. */
export interface Saved {
  readonly header: ViewerHeader;
  /** The element before it came to life. */
  readonly source: string;
  readonly root: () => HTMLElement;
  readonly state: () => ViewState;
  readonly drawing: () => Drawing;
}

/** The row below the images: files of what is shown, and what the page lacks. */
export function makeFoot(saved: Saved): HTMLElement {
  const made = make("div", { class: "made" });
  const button = (text: string, hint: string, press: () => void) => {
    const element = make("button", { type: "button", title: hint }, text);
    element.addEventListener("click", press);
    return element;
  };
  return make(
    "div",
    { class: "foot" },
    button("Save as PNG", "What is shown now, as an image", () => saveImage(saved, made)),
    button("Save as SVG", "What is shown now, its words as words", () => saveSvg(saved, made)),
    button("Save as HTML", "This viewer as a page of its own, opening with what is shown now", () =>
      savePage(saved, made),
    ),
    make("span", { class: "note" }, noteOf(saved.header)),
    made,
  );
}

function noteOf({ models }: ViewerHeader): string {
  const names = (some: readonly string[]) =>
    [...new Set(some)].map((name) => layerLabel(name).long).join(", ");
  const missing = names(models.flatMap((model) => model.leftOut));
  const layers = models.flatMap((model) => model.layers);
  const coarse = layers.filter(({ step }) => step > 1).map(({ name }) => name);
  const where = coarse.length === layers.length ? "all layers" : names(coarse);
  return [
    missing && `Left out of this page to keep it small: ${missing}.`,
    coarse.length > 0 && `To keep the page small a row stands for a block of queries in ${where}.`,
    "Weights are kept in 256 steps per row; entropies are exact.",
  ]
    .filter(Boolean)
    .join(" ");
}

function saveSvg({ drawing, state, root }: Saved, made: HTMLElement): void {
  const blob = new Blob([toSvg(drawing())], { type: "image/svg+xml" });
  download(blob, `attention-${state().layer}.svg`, root());
  made.replaceChildren();
}

function saveImage({ drawing, state, root, header }: Saved, made: HTMLElement): void {
  const canvas = toCanvas(drawing());
  canvas.toBlob((blob) => {
    if (blob) download(blob, `attention-${state().layer}.png`, root());
  }, "image/png");
  const show = make("button", { type: "button" }, "No file? Show the image here");
  show.addEventListener("click", () => {
    const src = canvas.toDataURL("image/png");
    made.replaceChildren(make("img", { src, alt: `${header.title}, as saved` }));
  });
  made.replaceChildren(show);
}

function savePage({ source, state, root, header }: Saved, made: HTMLElement): void {
  const written = JSON.stringify(state()).replace(/&/g, "&amp;").replace(/"/g, "&quot;");
  const start = source.replace("<div ", `<div data-state="${written}" `);
  const blob = new Blob([pageAround(start, header.title)], { type: "text/html" });
  download(blob, "attention.html", root());
  made.replaceChildren();
}
