// The shapes in which the platform writes values: bare, or wrapped in `{"value": …}`. What is of another shape is `undefined`, never an error.

const MAX_YEAR = 9999;

/** A day that the calendar has, of the years 1 to 9999. Months and days count from 1. */
export interface PlainDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** A time of day, as the 24-hour clock shows it. */
export interface PlainTime {
  readonly hour: number;
  readonly minute: number;
}

/** A span of numbers, in the platform's form `{"min_value": "200000", "max_value": null, "unit": "rupees"}`; an end that is null or absent is open. */
export interface Range {
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** What is counted, as the platform names it. */
  readonly unit: string | undefined;
}

/** An object of JSON. */
export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether it is a promise, of whatever make. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Named JSON values, with readers for the shapes that are known. */
export class Fields {
  readonly #values: Json;

  constructor(values: Json = {}) {
    this.#values = values;
  }

  /** The value under this name, as it is. */
  get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  /** The value where it is a text, bare or wrapped. */
  text(name: string): string | undefined {
    return text(this.get(name));
  }

  /** The value where it is a whole number, or a text that spells one. */
  integer(name: string): number | undefined {
    return integer(this.get(name));
  }

  /** The value where it is a finite number, or a text that spells one. */
  number(name: string): number | undefined {
    return number(this.get(name));
  }

  /** All names, in order. */
  names(): string[] {
    return Object.keys(this.#values);
  }

  toJSON(): Json {
    return this.#values;
  }
}

/** A text, bare or wrapped. */
export function text(value: unknown): string | undefined {
  const found = bare(value);
  return typeof found === "string" ? found : undefined;
}

/** A whole number that a `number` holds exactly, or a text of nothing but its digits and their sign; bare or wrapped. */
export function integer(value: unknown): number | undefined {
  const found = bare(value);
  const isSpelled = typeof found === "string" && /^[+-]?[0-9]+$/u.test(found.trim());
  const read = typeof found === "number" || isSpelled ? Number(found) : NaN;
  return Number.isSafeInteger(read) ? read : undefined;
}

/** A finite number, or a text that spells one; bare or wrapped. */
export function number(value: unknown): number | undefined {
  const found = bare(value);
  const isSpelled = typeof found === "string" && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/iu.test(found);
  const read = typeof found === "number" || isSpelled ? Number(found) : NaN;
  return Number.isFinite(read) ? read : undefined;
}

/** The day in `{"dd": 23, "mm": 12, "yy": 2019, "type": "date"}`, wrapped or not. */
export function date(value: unknown): PlainDate | undefined {
  const [day, month, year] = parts(value, "dd", "mm", "yy");
  if (day === undefined || month === undefined || year === undefined) return undefined;
  const isDay = year >= 1 && year <= MAX_YEAR && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month);
  return isDay ? { year, month, day } : undefined;
}

/** The time of day in `{"hh": 3, "mm": 0, "nn": "pm"}`, wrapped or not. `nn` is `am`, `pm`, or `hrs` for the 24-hour clock; any other word (`df` is a
 * distance from now) is no time of day. */
export function time(value: unknown): PlainTime | undefined {
  const [hour, minute] = parts(value, "hh", "mm");
  const found = bare(value);
  const half = (isObject(found) && found["nn"]) || "";
  if (hour === undefined || minute === undefined) return undefined;
  const isHalf = half === "am" || half === "pm";
  if (hour < 0 || (isHalf && hour > 12) || !(isHalf || half === "" || half === "hrs")) return undefined;
  const shown = isHalf ? (hour % 12) + (half === "pm" ? 12 : 0) : hour;
  return shown < 24 && minute >= 0 && minute < 60 ? { hour: shown, minute } : undefined;
}

/** The range in `{"min_value": "200000", "max_value": null, "unit": "rupees"}`, wrapped or not. */
export function range(value: unknown): Range | undefined {
  const found = bare(value);
  if (!isObject(found) || !("min_value" in found || "max_value" in found)) return undefined;
  return { min: number(found["min_value"]), max: number(found["max_value"]), unit: text(found["unit"]) };
}

/** The value itself, without the wrapping `{"value": …}`. */
function bare(value: unknown): unknown {
  return isObject(value) && "value" in value ? value["value"] : value;
}

function parts(value: unknown, ...names: string[]): (number | undefined)[] {
  const found = bare(value);
  return names.map((name) => (isObject(found) ? integer(found[name]) : undefined));
}

function daysOf(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}
