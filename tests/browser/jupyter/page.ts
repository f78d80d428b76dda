import { setTimeout as sleep } from "node:timers/promises";
import type { CellOutput } from "../../../src/notebook/nbformat";
import { type Browser, type Context, type Locator, launch, type Page, patience } from "../chromium";
import { classicNotebook } from "./classicNotebook";
import { labNotebook } from "./labNotebook";
import { JupyterServer } from "./server";

/** How far a code cell is. */
export interface CellProgress {
  count: number | null;
  /** Whether it waits or computes: the prompt is `[*]`. */
  running: boolean;
}

/** A code cell as the page knows it. */
export interface CellState extends CellProgress {
  trusted: boolean;
  outputs: CellOutput[];
}

/** How one version of Jupyter is operated: what is clicked, and where things are. */
export interface Operation {
  /** The page of a notebook, below the server's address. */
  path(notebook: string): string;
  /** True in the page when the notebook is there and its kernel is idle. */
  ready: string;
  /** How far the code cells are, in the page; asked often, so without the megabytes of outputs. */
  progress: string;
  /** The code cells' states, in the page. */
  cells: string;
  /** Selectors. */
  codeCell: string;
  output: string;
  editor: string;
  stopButton: string;
  runButton: string;
  completions: string;
  tooltip: string;
  clickMenu(page: Page, entry: "run all" | "save"): Promise<void>;
  /** True in the page when nothing waits to be saved. */
  saved: string;
}

/** A browser with the network blocked, and a Jupyter server. */
export class JupyterBrowser {
  /** Addresses that were asked for and blocked. */
  readonly blocked: string[] = [];

  private constructor(
    readonly server: JupyterServer,
    private readonly browser: Browser,
    private readonly context: Context,
  ) {}

  static async start(): Promise<JupyterBrowser> {
    const server = await JupyterServer.start();
    console.log(`tested: ${server.jupyter.name}`);
    const browser = await launch();
    const context = await browser.newContext({ viewport: { width: 1280, height: 1000 } });
    context.setDefaultTimeout(patience);
    const made = new JupyterBrowser(server, browser, context);
    await context.route(
      (url) => /^(https?|wss?):$/.test(url.protocol) && url.hostname !== "127.0.0.1",
      async (route) => {
        made.blocked.push(route.request().url());
        await route.abort();
      },
    );
    return made;
  }

  /** Opens a notebook of the server's folder. */
  async open(notebook: string): Promise<NotebookPage> {
    const operation = this.server.jupyter.kind === "lab" ? labNotebook : classicNotebook;
    const opened = new NotebookPage(await this.context.newPage(), operation);
    await opened.page.goto(`${this.server.url}${operation.path(notebook)}?token=${this.server.token}`);
    await opened.page.waitForFunction(operation.ready);
    return opened;
  }

  async openFile(url: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(url);
    return page;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.close();
  }
}

/** A notebook in a browser, operated by mouse and keyboard; only its state is read from the page's objects. */
export class NotebookPage {
  constructor(
    readonly page: Page,
    private readonly operation: Operation,
  ) {}

  cells(): Promise<CellState[]> {
    return this.page.evaluate(this.operation.cells);
  }

  progress(): Promise<CellProgress[]> {
    return this.page.evaluate(this.operation.progress);
  }

  /** Chooses "run all" from the menu, and waits until the first cell is on its way. */
  async runAll(): Promise<void> {
    await this.operation.clickMenu(this.page, "run all");
    await until("a cell runs", async () =>
      (await this.progress()).some((cell) => cell.running || cell.count),
    );
  }

  /** Waits until no cell runs or waits. */
  async finished(): Promise<CellState[]> {
    await until("all cells are done", async () => !(await this.progress()).some((cell) => cell.running));
    return this.cells();
  }

  /** Starts one code cell by the button of the toolbar. */
  async start(index: number): Promise<void> {
    await this.editor(index).click();
    await this.page.locator(this.operation.runButton).click();
  }

  /** Runs one code cell; its state afterwards. */
  async run(index: number): Promise<CellState> {
    const before = (await this.progress())[index]!.count;
    await this.start(index);
    await until("the cell has run", async () => {
      const { running, count } = (await this.progress())[index]!;
      return !running && count !== null && count !== before;
    });
    return (await this.cells())[index]!;
  }

  async stop(): Promise<void> {
    await this.page.locator(this.operation.stopButton).click();
  }

  async save(): Promise<void> {
    await this.operation.clickMenu(this.page, "save");
    await this.page.waitForFunction(this.operation.saved);
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.page.waitForFunction(this.operation.ready);
  }

  codeCell(index: number): Locator {
    return this.page.locator(this.operation.codeCell).nth(index);
  }

  output(index: number): Locator {
    return this.codeCell(index).locator(this.operation.output);
  }

  editor(index: number): Locator {
    return this.codeCell(index).locator(this.operation.editor).first();
  }

  get completions(): Locator {
    return this.page.locator(this.operation.completions);
  }

  get tooltip(): Locator {
    return this.page.locator(this.operation.tooltip);
  }
}

/** Waits for what is neither undefined nor false. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  milliseconds = patience,
): Promise<T> {
  for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(50)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
  }
  throw new Error(`waited ${milliseconds} ms in vain until ${what}`);
}
