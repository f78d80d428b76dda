/** undici, when something is asked of the hub: loading it takes a sixth of the time of loading this library. */
export function undici(): typeof import("undici") {
  return require("undici") as typeof import("undici");
}
