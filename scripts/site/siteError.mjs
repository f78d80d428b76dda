/** What keeps the site from being built, all of it at once. */
export class SiteError extends Error {}
