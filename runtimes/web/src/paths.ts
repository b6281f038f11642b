/** Paths out of a manifest are somebody else's words: they may only name files below the bundle. */

/**
 * Whether `path` is a plain relative path that stays below its folder on every operating system.
 *
 * Refused: empty, absolute, `.` or `..` parts, doubled slashes, backslashes, colons and control characters.
 */
export function isConfined(path: string): boolean {
  const parts = path.split("/");
  return (
    !/[\\:<>"|?*\u0000-\u001f]/.test(path) &&
    path === path.trim() &&
    parts.every((part) => !["", ".", ".."].includes(part))
  );
}

/** The URL of a confined path below `base`, which ends in a slash. */
export function urlBelow(base: URL, path: string): URL {
  return new URL(path.split("/").map(encodeURIComponent).join("/"), base);
}
