import {
  flag,
  list,
  named,
  number,
  object,
  oneOf,
  optionsOf,
  signal,
  such,
  text,
  whole,
} from "../core/options";
import type { HubOptions } from "./hub/checkpoint";
import type { HuggingFaceOptions } from "./huggingFaceCheckpoint";
import type { LlamaReadOptions } from "./llamaReader";
import type { LlamaBlockOptions } from "./llamaWeights";
import type { SafetensorsOptions } from "./safetensors";
import type { TorchFileOptions, TorchPlain } from "./torchWriter";

/** Types that numbers are stored as. */
export const storedDtype = oneOf(["F32", "F16", "BF16"]);

const plainObject = <T>(expected: string) =>
  such<T>(expected, (value) => typeof value === "object" && value !== null && !Array.isArray(value));

export const extras = plainObject<Readonly<Record<string, TorchPlain>>>("an object of plain values");

export const safetensorsOptions = optionsOf<SafetensorsOptions>(
  {},
  { dtype: storedDtype, metadata: named(such<string>("a text", (value) => typeof value === "string")) },
);

export const torchFileOptions = optionsOf<TorchFileOptions>({}, { dtype: storedDtype, extras });

export const shardOptions = optionsOf<HuggingFaceOptions>(
  {},
  { dtype: storedDtype, maxShardBytes: number(1, Number.MAX_SAFE_INTEGER) },
);

const hubOptions = optionsOf<HubOptions>(
  {},
  { revision: text, hub: plainObject("an object of the hub's settings"), signal },
);

/** Number of a block, from 1. */
const blockNumber = whole(1, 10_000);

export const llamaReadOptions = optionsOf<LlamaReadOptions>(
  {},
  {
    ...hubOptions.optional,
    heads: whole(1, 4096),
    normEps: number(0, 1, true),
    ropeTheta: number(0, 1e12, true),
    allowNonFinite: flag,
  },
);

export const llamaBlockOptions = optionsOf<LlamaBlockOptions>(
  {},
  { ...llamaReadOptions.optional, block: blockNumber, blocks: list(blockNumber, 1) },
);

/** Where something is read from. */
export const source = object({ path: text }, {});
