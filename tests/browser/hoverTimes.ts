import type { Page } from "./chromium";

/**
 * Milliseconds that the viewer's page takes to answer the pointer over one patch after another, script, style and layout, one
 * frame of the screen each; the shortest first.
 */
export function hoverTimes(page: Page, count = 60): Promise<number[]> {
  return page.evaluate<number[]>(`(async () => {
    const stage = document.querySelector(".luvit-attention").shadowRoot.querySelector("canvas.stage");
    const { left, top, width } = stage.getBoundingClientRect();
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const times = [];
    for (let i = 0; i < ${count}; i++) {
      const [x, y] = [((i * 7 + Math.floor(i / 14)) % 14) + 0.5, ((i * 5) % 14) + 0.5].map((at) => (at / 14) * width);
      const place = { pointerType: "mouse", clientX: left + x, clientY: top + y, bubbles: true };
      await frame();
      await frame();
      const start = performance.now();
      stage.dispatchEvent(new PointerEvent("pointermove", place));
      stage.offsetHeight;
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b);
  })()`);
}
