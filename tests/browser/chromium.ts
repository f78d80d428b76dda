import { existsSync } from "node:fs";

/** The part of playwright-core that these tests call. */
export interface Chromium {
  launch(options: { executablePath: string; args: string[] }): Promise<Browser>;
}

export interface Browser {
  newContext(options: object): Promise<Context>;
  close(): Promise<void>;
}

export interface Context {
  newPage(): Promise<Page>;
  route(pattern: RegExp, handler: (route: { abort(): Promise<void> }) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface Page {
  goto(url: string): Promise<unknown>;
  setContent(html: string): Promise<void>;
  evaluate<T>(script: string): Promise<T>;
  locator(selector: string): Locator;
  frameLocator(selector: string): { locator(selector: string): Locator };
  on(event: "pageerror", listener: (error: Error) => void): void;
  waitForEvent(event: "download"): Promise<Download>;
  emulateMedia(options: { colorScheme: "light" | "dark" }): Promise<void>;
  waitForSelector(selector: string): Promise<unknown>;
  readonly mouse: {
    move(x: number, y: number, options?: { steps: number }): Promise<void>;
    down(): Promise<void>;
    up(): Promise<void>;
  };
  readonly keyboard: { press(key: string): Promise<void> };
}

export interface Locator {
  first(): Locator;
  nth(index: number): Locator;
  count(): Promise<number>;
  click(options?: { position: { x: number; y: number } }): Promise<void>;
  tap(options?: { position: { x: number; y: number } }): Promise<void>;
  hover(options?: { position: { x: number; y: number } }): Promise<void>;
  focus(): Promise<void>;
  waitFor(): Promise<void>;
  isVisible(): Promise<boolean>;
  textContent(): Promise<string | null>;
  getAttribute(name: string): Promise<string | null>;
  evaluate<T>(read: (canvas: BrowserCanvas) => T): Promise<T>;
}

/** What is asked of a canvas, in the browser. */
export interface BrowserCanvas {
  readonly clientWidth: number;
  toDataURL(): string;
}

export interface Download {
  suggestedFilename(): string;
  saveAs(path: string): Promise<void>;
}

const places = [
  process.env.LUVIT_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Where a Chromium is; LUVIT_CHROMIUM names another. */
export const executablePath = places.find((path) => path !== undefined && existsSync(path));

/** Why tests with a browser cannot run here; false when they can. */
export const skip =
  executablePath && playwright() ? false : "NOT CHECKED: there is no Chromium or no playwright-core here";

function playwright(): { chromium: Chromium } | undefined {
  try {
    return require("playwright-core") as { chromium: Chromium };
  } catch {
    return undefined;
  }
}

export function launch(): Promise<Browser> {
  return playwright()!.chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
}
