import type { LinkMaker } from "../../browser/withoutHeads";
import { KernelLink } from "./kernelLink";

/* A script of its own, which stands only in pages that a kernel made: all others have nothing that could ask anybody. */
(globalThis as unknown as { luvitKernelLink?: LinkMaker }).luvitKernelLink = (page) => KernelLink.of(page);
