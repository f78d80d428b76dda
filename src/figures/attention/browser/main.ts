import { makeCanvas, penOf, unpack } from "../../browser/dom";
import { upgradeHosts } from "../../browser/upgrade";
import { AddressBar } from "./addressBar";
import { Evidence } from "./evidence";
import { colorTable } from "./paint";
import { Panel } from "./panel";
import { type ModelHeader, readModels, type ViewerHeader } from "./payload";
import { startState, type ViewState } from "./state";
import { Viewer } from "./viewer";
import { WithoutHeads } from "./withoutHeads";

upgradeHosts("luvit-attention", upgrade);

async function upgrade(host: HTMLElement): Promise<void> {
  const header = JSON.parse(host.querySelector(".luvit-attention-header")!.textContent!) as ViewerHeader;
  const packed = host.querySelector(".luvit-attention-data")!.textContent!.trim();
  const stored = host.dataset.state;
  const carried = readModels(header, await unpack(packed));
  const images = await Promise.all(header.models.map(loadImage));
  const { attention, entropy, effect } = header.colors;
  const tables = {
    ...{ attention: colorTable(attention), entropy: colorTable(entropy), effect: colorTable(effect) },
  };
  const evidence = header.models.map((model, index) => new Evidence(header, model, carried[index]!.numbers));
  const address = new AddressBar(header);
  const state: ViewState = {
    ...startState(header),
    ...(stored && JSON.parse(stored)),
    ...address.read(),
  };
  const withoutHeads = new WithoutHeads(evidence, header.live, () => viewer.refresh());
  const { takesSeveral } = withoutHeads;
  const panels: Panel[] = header.models.map(
    (model, index) =>
      new Panel({
        header,
        model,
        layers: carried[index]!.layers,
        evidence: evidence[index]!,
        image: images[index]!,
        tables,
        takesSeveral,
        events: {
          point: (token) => viewer.point(index, token),
          choose: (token) => viewer.choose(token),
          key: (event) => viewer.key(event),
          chooseHead: (head) => viewer.chooseHead(index, head),
          chooseClass: (choice) => viewer.change({ choice }),
          look: (head) => viewer.look(index, head),
          press: (head) => viewer.press(index, head),
          colorHeads: (color) => viewer.change({ color }),
        },
      }),
  );
  const viewer = new Viewer(host, header, panels, evidence, state, address, withoutHeads);
}

async function loadImage({ image }: ModelHeader): Promise<HTMLCanvasElement> {
  const drawn = new Image();
  drawn.src = image;
  await drawn.decode();
  const { naturalWidth: width, naturalHeight: height } = drawn;
  const canvas = makeCanvas(width, height);
  penOf(canvas).drawImage(drawn, 0, 0, width, height);
  return canvas;
}
