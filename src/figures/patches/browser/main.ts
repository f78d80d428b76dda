import { unpack } from "../../browser/dom";
import { upgradeHosts } from "../../browser/upgrade";
import { type PatchHeader, steps } from "./header";
import { PatchView } from "./view";

upgradeHosts("luvit-patches", async (host) => {
  const header = JSON.parse(host.querySelector(".luvit-patches-header")!.textContent!) as PatchHeader;
  const packed = await unpack(host.querySelector(".luvit-patches-data")!.textContent!.trim());
  const values = Float32Array.from(new Uint16Array(packed), (value) => value / steps);
  const image = new Image();
  image.src = header.image;
  await image.decode();
  new PatchView(host, header, values, image);
});
