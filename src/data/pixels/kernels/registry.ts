import { grayToRgb, upsample, yccToRgb } from "../jpeg/colorKernel";
import { readMcus, skipMcus } from "../jpeg/entropyKernel";
import { transformBlocks } from "../jpeg/transformKernel";
import { unstuff } from "../jpeg/unstuffKernel";
import { affineListed } from "./affineExactKernel";
import { affine } from "./affineKernel";
import { bordered, copyRows } from "./borderKernel";
import { lumaSum, saturate, sharpen } from "./enhanceKernel";
import { horizontals } from "./horizontalKernel";
import { histograms, lookUp } from "./lookupKernel";
import { noise } from "./noiseKernel";
import { normalizedPlanes, planes } from "./normalizeKernel";
import { copyStrip, shiftColumns, shiftRows } from "./shiftKernel";
import { verticals } from "./verticalKernel";

/** All functions on pixels, which a memory for pixels has. A kernel knows nothing of the memories that it runs in. */
export const kernels = {
  ...horizontals,
  ...verticals,
  planes,
  normalizedPlanes,
  noise,
  unstuff,
  readMcus,
  skipMcus,
  transformBlocks,
  upsample,
  yccToRgb,
  grayToRgb,
  histograms,
  lookUp,
  lumaSum,
  saturate,
  sharpen,
  bordered,
  copyRows,
  affine,
  affineListed,
  shiftRows,
  shiftColumns,
  copyStrip,
};
