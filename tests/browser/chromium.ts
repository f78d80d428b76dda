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
  route(pattern: RegExp | ((url: URL) => boolean), handler: (route: Route) => Promise<void>): Promise<void>;
  setDefaultTimeout(milliseconds: number): void;
  close(): Promise<void>;
}

export interface Route {
  abort(): Promise<void>;
  request(): { url(): string };
}

export interface Page {
  context(): Context;
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  setContent(html: string): Promise<void>;
  evaluate<T>(script: string): Promise<T>;
  /** Waits until the expression is true in the page. */
  waitForFunction(expression: string): Promise<unknown>;
  locator(selector: string, options?: { hasText: string | RegExp }): Locator;
  frameLocator(selector: string): { locator(selector: string): Locator };
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "console", listener: (message: { type(): string; text(): string }) => void): void;
  waitForEvent(event: "download"): Promise<Download>;
  emulateMedia(options: { colorScheme: "light" | "dark" }): Promise<void>;
  waitForSelector(selector: string): Promise<unknown>;
  readonly mouse: {
    move(x: number, y: number, options?: { steps: number }): Promise<void>;
    down(): Promise<void>;
    up(): Promise<void>;
  };
  screenshot(options: { path: string }): Promise<unknown>;
  readonly keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> };
}

export interface Locator {
  first(): Locator;
  last(): Locator;
  nth(index: number): Locator;
  locator(selector: string): Locator;
  count(): Promise<number>;
  click(options?: { position: { x: number; y: number } }): Promise<void>;
  tap(options?: { position: { x: number; y: number } }): Promise<void>;
  hover(options?: { position: { x: number; y: number } }): Promise<void>;
  focus(): Promise<void>;
  waitFor(): Promise<void>;
  scrollIntoViewIfNeeded(): Promise<void>;
  isVisible(): Promise<boolean>;
  textContent(): Promise<string | null>;
  allTextContents(): Promise<string[]>;
  getAttribute(name: string): Promise<string | null>;
  evaluate<T>(read: (canvas: BrowserCanvas) => T): Promise<T>;
  screenshot(options: { path: string }): Promise<unknown>;
}

/** What is asked of a canvas, in the browser. */
export interface BrowserCanvas {
  readonly clientWidth: number;
  readonly clientHeight: number;
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

/** Milliseconds for anything that must happen at some time, on machines that are slow and busy. */
export const patience = 120_000;

/** A page with the network blocked; what went wrong in it, and what asked for the network. */
export async function blankPage(
  browser: Browser,
  options: object = {},
): Promise<{ page: Page; errors: string[]; requests: string[] }> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  const requests: string[] = [];
  await context.route(/^https?:/, async (route) => {
    requests.push(route.request().url());
    await route.abort();
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  return { page, errors, requests };
}
