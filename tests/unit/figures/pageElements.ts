import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInThisContext } from "node:vm";

/* As much of a browser's page as the scripts of figures touch: elements that tell what they are, and pens that note what they draw. */

type Listener = (event: Record<string, unknown>) => void;
type Child = PageElement | string;

/** An element of a page. */
export class PageElement {
  readonly attributes = new Map<string, string>();
  readonly properties = new Map<string, string>();
  readonly drawn: string[] = [];
  children: Child[] = [];
  parentElement: PageElement | undefined;
  shadow: PageElement | undefined;
  isConnected = true;
  hidden = false;
  checked = false;
  value = "";
  width = 0;
  height = 0;
  clientWidth = 0;
  clientHeight = 0;
  naturalWidth = 0;
  naturalHeight = 0;
  src = "";
  private readonly listeners = new Map<string, Listener[]>();

  constructor(
    readonly tagName: string,
    private readonly page: Page,
  ) {}

  readonly style = {
    setProperty: (name: string, value: string) => void this.properties.set(name, value),
  };

  readonly dataset = new Proxy({} as Record<string, string | undefined>, {
    get: (_, name) => this.attributes.get(dataName(String(name))),
    set: (_, name, value) => {
      this.attributes.set(dataName(String(name)), String(value));
      return true;
    },
  });

  get classList() {
    const names = new Set((this.attributes.get("class") ?? "").split(" ").filter(Boolean));
    const keep = () => void this.attributes.set("class", [...names].join(" "));
    return {
      contains: (name: string) => names.has(name),
      add: (name: string) => {
        names.add(name);
        keep();
      },
      toggle: (name: string, on: boolean) => {
        if (on) names.add(name);
        else names.delete(name);
        keep();
      },
    };
  }

  get className(): string {
    return this.attributes.get("class") ?? "";
  }

  get textContent(): string {
    return this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join("");
  }

  set textContent(text: string) {
    this.children = text === "" ? [] : [text];
  }

  set innerHTML(text: string) {
    const tag = /^<(\w+)><\/\1>$/.exec(text)?.[1];
    this.children = [];
    if (tag) this.append(new PageElement(tag, this.page));
    else this.children = [text];
  }

  get innerHTML(): string {
    return this.children.map((child) => (typeof child === "string" ? child : child.outerHTML)).join("");
  }

  get outerHTML(): string {
    const given = [...this.attributes].map(([name, value]) => ` ${name}="${value}"`).join("");
    return `<${this.tagName}${given}>${this.innerHTML}</${this.tagName}>`;
  }

  get firstElementChild(): PageElement | undefined {
    return this.elements[0];
  }

  readonly namespaceURI = "svg";

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  getAttribute(name: string): string | null {
    return this.attributes.get(name) ?? null;
  }

  append(...children: Child[]): void {
    for (const child of children) {
      if (typeof child !== "string") child.parentElement = this;
      this.children.push(child);
    }
  }

  replaceChildren(...children: Child[]): void {
    this.children = [];
    this.append(...children);
  }

  remove(): void {
    const { parentElement: parent } = this;
    if (parent) parent.children = parent.children.filter((child) => child !== this);
    this.parentElement = undefined;
  }

  attachShadow(): PageElement {
    this.shadow = new PageElement("shadow", this.page);
    return this.shadow;
  }

  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  /** Sends an event, from here up. Says whether its default was prevented. */
  send(type: string, given: object = {}): boolean {
    let [prevented, stopped] = [false, false];
    const event = {
      target: this,
      preventDefault: () => {
        prevented = true;
      },
      stopPropagation: () => {
        stopped = true;
      },
      ...given,
    };
    for (let at: PageElement | undefined = this; at && !stopped; at = at.parentElement)
      for (const listener of at.listeners.get(type) ?? []) listener(event);
    return prevented;
  }

  click(): void {
    this.page.log.push(`click ${this.tagName} ${this.attributes.get("download") ?? this.textContent}`);
    this.send("click");
  }

  focus(): void {
    this.page.focused = this;
    this.send("focus");
  }

  matches(selector: string): boolean {
    return selector.startsWith(":focus") ? this.page.focused === this : this.fits(selector);
  }

  closest(selector: string): PageElement | null {
    for (let at: PageElement | undefined = this; at; at = at.parentElement) if (at.fits(selector)) return at;
    return null;
  }

  querySelector(selector: string): PageElement | null {
    return this.querySelectorAll(selector)[0] ?? null;
  }

  querySelectorAll(selector: string): PageElement[] {
    return this.elements.flatMap((one) => [
      ...(one.fits(selector) ? [one] : []),
      ...one.querySelectorAll(selector),
    ]);
  }

  getBoundingClientRect() {
    return { left: 10, top: 20 };
  }

  /** A pen that notes what it does; pixels are counted up. */
  getContext(): unknown {
    const note = (text: string) => void this.drawn.push(text);
    return new Proxy({} as Record<string, unknown>, {
      get: (_, name) => {
        if (name === "createImageData" || name === "getImageData")
          return (...given: number[]) => {
            const [width, height] = given.slice(-2);
            return {
              data: Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) =>
                name === "getImageData" ? 9 * i : 0,
              ),
            };
          };
        return (...given: unknown[]) => note(`${String(name)}(${given.map(inWords).join(" ")})`);
      },
      set: (_, name, value) => {
        note(`${String(name)}=${inWords(value)}`);
        return true;
      },
    });
  }

  toBlob(take: (blob: unknown) => void, type: string): void {
    take(new Blob([`${this.width} x ${this.height}`], { type }));
  }

  toDataURL(type: string): string {
    return `data:${type};${this.width}x${this.height}`;
  }

  async decode(): Promise<void> {
    [this.naturalWidth, this.naturalHeight] = [this.width || 8, this.height || 6];
  }

  private fits(selector: string): boolean {
    const [, name, without] = /^\.([\w-]+)(?::not\(\[([\w-]+)\]\))?$/.exec(selector) ?? [];
    if (name === undefined) return selector === this.tagName;
    return this.classList.contains(name) && !(without && this.attributes.has(without));
  }

  private get elements(): PageElement[] {
    return this.children.filter((child): child is PageElement => typeof child !== "string");
  }
}

const dataName = (name: string) => `data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function inWords(value: unknown): string {
  if (value instanceof PageElement) return `${value.tagName} ${value.width}x${value.height}`;
  if (typeof value === "number") return String(Math.round(1000 * value) / 1000);
  if (typeof value === "object" && value !== null && "data" in value)
    return `pixels [${[...(value.data as Uint8ClampedArray)].slice(0, 24).join(" ")}]`;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A page, put in place of the globals of a browser. */
export class Page {
  readonly log: string[] = [];
  readonly body = new PageElement("body", this);
  readonly documentElement = new PageElement("html", this);
  focused: PageElement | undefined;
  script: PageElement | undefined;
  prefersDark = false;
  colors = new Map<PageElement, string>();
  /** What is drawn in the next frame. */
  frames: (() => void)[] = [];
  private readonly window = new PageElement("window", this);
  private readonly watchers: { of: string; react: () => void }[] = [];
  readonly location = { href: "http://a.b/lab", host: "a.b", protocol: "http:", hash: "" };

  constructor() {
    this.documentElement.append(this.body);
    const media = new PageElement("media", this);
    const watch = (of: string) => {
      const { watchers } = this;
      return class {
        constructor(react: () => void) {
          watchers.push({ of, react });
        }
        observe(): void {}
      };
    };
    const page = this;
    const globals: Record<string, unknown> = {
      document: {
        createElement: (tag: string) => new PageElement(tag, this),
        createElementNS: (_: string, tag: string) => new PageElement(tag, this),
        body: this.body,
        documentElement: this.documentElement,
        querySelectorAll: (selector: string) => this.body.querySelectorAll(selector),
        getElementById: (id: string) =>
          [...this.body.querySelectorAll("script")].find((one) => one.attributes.get("id") === id) ?? null,
        get currentScript() {
          return page.script;
        },
      },
      location: this.location,
      history: {
        replaceState: (_: unknown, __: string, url: string) => void this.log.push(`address ${url}`),
      },
      matchMedia: (query: string) => ({
        matches: query.includes("dark") && this.prefersDark,
        addEventListener: (type: string, react: Listener) => media.addEventListener(type, react),
      }),
      MutationObserver: watch("mutation"),
      ResizeObserver: watch("size"),
      getComputedStyle: (element: PageElement) => ({
        backgroundColor: this.colors.get(element) ?? "rgba(0, 0, 0, 0)",
        colorScheme: "light dark",
      }),
      requestAnimationFrame: (draw: () => void) => this.frames.push(draw),
      addEventListener: (type: string, listener: Listener) => this.window.addEventListener(type, listener),
      Image: class extends PageElement {
        constructor() {
          super("img", page);
        }
      },
      XMLSerializer: class {
        serializeToString(element: PageElement): string {
          return element.outerHTML;
        }
      },
    };
    for (const [name, value] of Object.entries({ ...globals, setTimeout: forgottenAtTheEnd }))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    URL.createObjectURL = (blob) => {
      this.log.push(`file ${(blob as Blob).type} of ${(blob as Blob).size}`);
      return "blob:1";
    };
  }

  element(tag: string, attributes: Readonly<Record<string, string>> = {}, text = ""): PageElement {
    const made = new PageElement(tag, this);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    return made;
  }

  /** Something that scripts watch has changed: "mutation", "size". */
  changed(of: string): void {
    for (const watcher of this.watchers) if (watcher.of === of) watcher.react();
  }

  send(type: string): void {
    this.window.send(type);
  }

  frame(): void {
    for (const draw of this.frames.splice(0)) draw();
  }
}

const timeout = globalThis.setTimeout;

/** What waits for a minute, as a page's link to a file does, ends with the test, as it would with the page. */
function forgottenAtTheEnd(react: () => void, milliseconds?: number): NodeJS.Timeout {
  const timer = timeout(react, milliseconds);
  return (milliseconds ?? 0) < 10_000 ? timer : timer.unref();
}

/** An element as its page would have it, with what scripts have set; styles and drawings by their length. */
export function shownOf(element: PageElement): string {
  const { tagName, attributes, properties, children, drawn, hidden, checked } = element;
  if (tagName === "style") return "<style>";
  const parts = [
    ...[...attributes].map(
      ([name, value]) => `${name}="${value.length > 300 ? `${value.length} letters` : value}"`,
    ),
    ...[...properties].map(([name, value]) => `${name}:${value}`),
    ...(hidden ? ["hidden"] : []),
    ...(checked ? ["checked"] : []),
    ...(drawn.length > 0 ? [`${drawn.length} strokes`] : []),
  ];
  const inner = children.map((child) =>
    typeof child === "string" ? (child.length > 300 ? `${child.length} letters` : child) : shownOf(child),
  );
  return `<${[tagName, ...parts].join(" ")}>${inner.join("")}`;
}

/** Waits until a page has come so far, five seconds at most. */
export async function until(isSo: () => unknown): Promise<void> {
  for (let i = 0; i < 500 && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
}

export const soon = (milliseconds = 20) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs a script of pages as it is built, e.g. "plotly/browser/main". */
export function run(entry: string): void {
  runInThisContext(readFileSync(join(__dirname, "../../../src/figures", `${entry}.js`), "utf8"));
}
