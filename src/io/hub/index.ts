/** The Hugging Face hub: places that are read over HTTP, with the cache huggingface_hub keeps. */
export { fetchHubCheckpoint, type HubOptions, hubOptions, withHubCheckpoint } from "./checkpoint";
export { hubLocation } from "./location";
