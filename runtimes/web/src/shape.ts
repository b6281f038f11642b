/** The shape of JSON that somebody else wrote, held against what it is. */

/** Reads a value found at `where` (`artifacts.onnx-fp32.precision`); throws a `ShapeError` if it is something else. */
export type Reader<T> = (value: unknown, where: string) => T;

/** What a reader reads. */
export type Read<R> = R extends Reader<infer T> ? T : never;

/** Says where the JSON is wrong and what is wanted there. */
export class ShapeError extends Error {
  constructor(
    readonly where: string,
    readonly wanted: string,
  ) {
    super(`${where}: ${wanted} wanted`);
  }
}

/** A value that passes `test`, called `wanted` where it does not. */
export function value<T>(wanted: string, test: (value: unknown) => value is T): Reader<T> {
  return (found, where) => {
    if (test(found)) return found;
    throw new ShapeError(where, wanted);
  };
}

/** A string that matches. */
export function text(wanted = "a string", pattern = /^/): Reader<string> {
  return value(wanted, (found): found is string => typeof found === "string" && pattern.test(found));
}

/** A finite number above `low`. */
export function above(low: number): Reader<number> {
  return value(`a number above ${low}`, (found): found is number => Number.isFinite(found) && (found as number) > low);
}

/** A whole number from `low`. */
export function whole(low: number): Reader<number> {
  const test = (found: unknown): found is number => Number.isSafeInteger(found) && (found as number) >= low;
  return value(`a whole number from ${low}`, test);
}

/** What `reader` reads, or `fallback` where the field is missing or null. */
export function optional<T, F>(reader: Reader<T>, fallback: F): Reader<T | F> {
  return (found, where) => (found === undefined || found === null ? fallback : reader(found, where));
}

/** An array of at least `least` such items. */
export function list<T>(item: Reader<T>, least = 0): Reader<readonly T[]> {
  return (found, where) => {
    if (!Array.isArray(found) || found.length < least) throw new ShapeError(where, `${least} items or more`);
    return found.map((entry: unknown, index) => item(entry, `${where}.${index}`));
  };
}

/** An object with any keys that `key` accepts. */
export function table<T>(item: Reader<T>, key: Reader<string> = text()): Reader<Readonly<Record<string, T>>> {
  return (found, where) => {
    const entries = Object.entries(object(found, where));
    return Object.fromEntries(entries.map(([name, entry]) => [key(name, where), item(entry, `${where}.${name}`)]));
  };
}

/** An object with these fields; what else it has is passed over. */
export function record<F extends Record<string, Reader<unknown>>>(
  fields: F,
): Reader<{ readonly [K in keyof F]: Read<F[K]> }> {
  return (found, where) => {
    const given = object(found, where);
    const read = Object.entries(fields).map(([name, field]) => [
      name,
      field(given[name], where ? `${where}.${name}` : name),
    ]);
    return Object.fromEntries(read) as { readonly [K in keyof F]: Read<F[K]> };
  };
}

function object(found: unknown, where: string): Record<string, unknown> {
  if (typeof found === "object" && found !== null && !Array.isArray(found)) return found as Record<string, unknown>;
  throw new ShapeError(where || "the whole", "an object");
}
