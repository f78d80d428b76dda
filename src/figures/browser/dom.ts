/** The part of the browser that the viewer uses; this library is compiled without DOM types. */
export interface Page {
  readonly document: Document;
  readonly devicePixelRatio: number;
  atob(text: string): string;
  encodeURIComponent(text: string): string;
  matchMedia(query: string): {
    readonly matches: boolean;
    addEventListener(type: "change", f: () => void): void;
  };
  getComputedStyle(element: Element): { readonly backgroundColor: string; readonly colorScheme: string };
  readonly Blob: new (parts: readonly unknown[], options?: { type: string }) => BrowserBlob;
  readonly Image: new () => Picture;
  readonly ResizeObserver: new (f: () => void) => { observe(element: Element): void };
  readonly MutationObserver: new (f: () => void) => { observe(element: Element, options: object): void };
  readonly DecompressionStream?: new (format: "gzip") => object;
  readonly Response: new (stream: object) => { arrayBuffer(): Promise<ArrayBuffer> };
  readonly URL: { createObjectURL(blob: BrowserBlob): string; revokeObjectURL(url: string): void };
  readonly console: { warn(...values: unknown[]): void };
  setTimeout(f: () => void, milliseconds: number): unknown;
}

export interface BrowserBlob {
  stream(): { pipeThrough(through: object): object };
}

export interface Document {
  readonly body: Element;
  readonly documentElement: Element;
  readonly currentScript: Element | null;
  createElement(tag: string): Element;
  querySelectorAll(selector: string): Iterable<Element>;
}

export interface Element {
  textContent: string | null;
  innerHTML: string;
  readonly outerHTML: string;
  readonly parentElement: Element | null;
  readonly clientWidth: number;
  readonly clientHeight: number;
  readonly isConnected: boolean;
  getBoundingClientRect(): { readonly left: number; readonly top: number };
  readonly dataset: Record<string, string | undefined>;
  readonly style: { setProperty(name: string, value: string): void };
  readonly classList: { contains(name: string): boolean; toggle(name: string, on: boolean): void };
  hidden: boolean;
  append(...children: (Element | string)[]): void;
  replaceChildren(...children: (Element | string)[]): void;
  querySelector(selector: string): Element | null;
  closest(selector: string): Element | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  attachShadow(options: { mode: "open" }): Element;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
  focus(): void;
  click(): void;
  remove(): void;
}

export interface Input extends Element {
  value: string;
  checked: boolean;
}

export interface Picture extends Element {
  src: string;
  readonly naturalWidth: number;
  decode(): Promise<void>;
}

export interface Canvas extends Element {
  width: number;
  height: number;
  getContext(kind: "2d"): Pen;
  toBlob(receive: (blob: BrowserBlob | null) => void, type: string): void;
  toDataURL(type: string): string;
}

export interface Pixels {
  readonly data: Uint8ClampedArray;
}

export interface Pen {
  fillStyle: string;
  strokeStyle: string;
  lineWidth: number;
  font: string;
  textAlign: "left" | "center" | "right";
  globalAlpha: number;
  imageSmoothingEnabled: boolean;
  drawImage(source: Element, x: number, y: number, width: number, height: number): void;
  fillRect(x: number, y: number, width: number, height: number): void;
  strokeRect(x: number, y: number, width: number, height: number): void;
  fillText(text: string, x: number, y: number, most?: number): void;
  measureText(text: string): { readonly width: number };
  beginPath(): void;
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  stroke(): void;
  scale(x: number, y: number): void;
  setLineDash(pattern: readonly number[]): void;
  getImageData(x: number, y: number, width: number, height: number): Pixels;
  createImageData(width: number, height: number): Pixels;
  putImageData(pixels: Pixels, x: number, y: number): void;
}

export interface PageEvent {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly target: Element | null;
  readonly button: number;
  readonly clientX: number;
  readonly clientY: number;
  readonly offsetX: number;
  readonly offsetY: number;
  readonly pointerType: string;
  preventDefault(): void;
  stopPropagation(): void;
}

export const page = globalThis as unknown as Page;

/** Makes an element; attributes that are undefined are left out. */
export function make<E extends Element = Element>(
  tag: string,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: (Element | string)[]
): E {
  const element = page.document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element as E;
}

export function makeCanvas(
  width: number,
  height: number,
  attributes: Readonly<Record<string, string>> = {},
): Canvas {
  return Object.assign(make<Canvas>("canvas", attributes), { width, height });
}
