/**
 * Samples from the binary rows of the route `records`, see `tb_gradascent/plugin/http_api.md`. A field of a row is
 * read only when it is used, so that a hundred thousand samples cost little time and memory. Pure.
 */

import { targetArrayCount } from "../samples/sample_arrays.js";

/** @import {Morph, Response, Sample, Session, Stopped, Target} from "../types.js" */

const PROBE = 1;
const HAS_ID = 2;
const HAS_LABEL = 4;
const HAS_LOSS = 8;
const HAS_BOUNDS = 16;
const HAS_SPREAD = 32;

const AT = {
  index: 4,
  capture: 8,
  wallTime: 16,
  step: 24,
  label: 32,
  margin: 40,
  entropy: 48,
  loss: 56,
  dropped: 64,
  every: 72,
  payloadBytes: 80,
  payloadChecksum: 84,
  version: 88,
  flags: 90,
  shape: 92,
  classes: 104,
  strengths: 108,
  targets: 112,
  idBytes: 116,
  namesBytes: 120,
  numberCount: 124,
  numbers: 128,
};

/** The fixed parts of a target and of a morph, in bytes: their float64 and their uint32. */
const TARGET = { numbers: 16, integers: 12 };
const MORPH = { numbers: 24, integers: 24 };
const SPREAD = 16;

/** @type {Stopped[]} */
const STOPPED = ["confidence", "max_steps", "stalled", "nonfinite", "none", "surest", "chance"];

const TEXT = new TextDecoder();
const LAST_ASCII = 0x7f;

/**
 * The origin of samples.
 * @typedef {{run: string, tag: string, session: Session}} Source
 */

/**
 * @typedef {object} Rows
 * @property {Sample[]} samples
 * @property {number} dropped the largest count of dropped samples in these rows
 */

/**
 * @param {ArrayBuffer} answer
 * @param {number} start
 * @param {number} end
 * @param {Source} source
 * @returns {Rows}
 */
export function readRows(answer, start, end, source) {
  const view = new DataView(answer, 0, end);
  const samples = [];
  let dropped = 0;
  for (let at = start; at < end; at += view.getUint32(at, true)) {
    samples.push(new RowSample(view, at, source));
    dropped = Math.max(dropped, view.getFloat64(at + AT.dropped, true));
  }
  return { samples, dropped };
}

/** @implements {Sample} */
class RowSample {
  #view;
  #at;
  #source;
  /** @type {string | undefined} */
  #key;
  /** @type {string | null | undefined} */
  #id;
  /** @type {number[] | undefined} */
  #classes;
  /** @type {number[] | undefined} */
  #probabilities;
  /** @type {number[] | undefined} */
  #strengths;
  /** @type {[number[], number[]] | null | undefined} */
  #bounds;
  /** @type {Target[] | undefined} */
  #targets;
  /** @type {string[] | undefined} */
  #names;
  /** @type {number | undefined} */
  layoutId;

  /**
   * @param {DataView<ArrayBuffer>} view
   * @param {number} at the offset of its row in bytes
   * @param {Source} source
   */
  constructor(view, at, source) {
    this.#view = view;
    this.#at = at;
    this.#source = source;
    // Filters and orders read these fields of every sample.
    const flags = view.getUint16(at + AT.flags, true);
    this.step = view.getFloat64(at + AT.step, true);
    this.wall_time = view.getFloat64(at + AT.wallTime, true);
    this.probe = (flags & PROBE) !== 0;
    /** @type {number | null} */
    this.label = flags & HAS_LABEL ? view.getFloat64(at + AT.label, true) : null;
    this.session = source.session;
  }

  get run() {
    return this.#source.run;
  }

  get tag() {
    return this.#source.tag;
  }

  get key() {
    return (this.#key ??= `${this.run}|${this.tag}|${this.address}`);
  }

  get address() {
    const capture = this.#view.getBigInt64(this.#at + AT.capture, true);
    return `${this.session.session}.${capture}.${this.index}`;
  }

  get index() {
    return this.#integer(AT.index);
  }

  get capture() {
    return Number(this.#view.getBigInt64(this.#at + AT.capture, true));
  }

  get margin() {
    return this.#number(AT.margin);
  }

  get entropy() {
    return this.#number(AT.entropy);
  }

  get loss() {
    return this.#flag(HAS_LOSS) ? this.#number(AT.loss) : null;
  }

  get every() {
    return this.#number(AT.every) || null;
  }

  get version() {
    return this.#view.getUint16(this.#at + AT.version, true);
  }

  /** @returns {Sample["payload"]} */
  get payload() {
    const start = this.#idAt + this.#integer(AT.idBytes) + this.#integer(AT.namesBytes);
    const count = 1 + targetArrayCount(this);
    return {
      bytes: this.#integer(AT.payloadBytes),
      crc32c: this.#integer(AT.payloadChecksum),
      codecs: [...new Uint8Array(this.#view.buffer, this.#view.byteOffset + start, count)],
    };
  }

  /** @returns {Sample["shape"]} */
  get shape() {
    return sharedShapeAt(this.#view, this.#at + AT.shape);
  }

  get id() {
    if (this.#id === undefined) this.#id = this.#flag(HAS_ID) ? this.#readId() : null;
    return this.#id;
  }

  get classes() {
    return (this.#classes ??= this.#integers(this.#integersAt, this.#integer(AT.classes)));
  }

  get probabilities() {
    return (this.#probabilities ??= this.#numbers(AT.numbers, this.#integer(AT.classes)));
  }

  get strengths() {
    return (this.#strengths ??= sharedNumbersAt(this.#view, this.#at + this.#strengthsAt, this.#integer(AT.strengths)));
  }

  get bounds() {
    if (this.#bounds === undefined) {
      const [channels] = this.shape;
      const [low, high] = [0, channels].map((first) => this.#numbers(this.#boundsAt + 8 * first, channels));
      this.#bounds = this.#flag(HAS_BOUNDS) ? [low, high] : null;
    }
    return this.#bounds;
  }

  get targets() {
    if (!this.#targets) {
      const strengths = this.#integer(AT.strengths);
      const names = () => this.#readNames();
      let numbers = this.#at + this.#boundsAt + (this.#flag(HAS_BOUNDS) ? 16 * this.shape[0] : 0);
      let integers = this.#at + this.#integersAt + 4 * this.#integer(AT.classes);
      this.#targets = Array.from({ length: this.#integer(AT.targets) }, () => {
        const target = new RowTarget(this.#view, numbers, integers, strengths, names);
        numbers = target.numbersEnd;
        integers = target.integersEnd;
        return target;
      });
      if (this.#flag(HAS_SPREAD)) {
        for (const { morphs } of this.#targets) {
          for (const morph of morphs) {
            morph.spread = spreadAt(this.#view, numbers);
            numbers += SPREAD;
          }
        }
      }
    }
    return this.#targets;
  }

  get #strengthsAt() {
    return AT.numbers + 8 * this.#integer(AT.classes);
  }

  get #boundsAt() {
    return this.#strengthsAt + 8 * this.#integer(AT.strengths);
  }

  get #integersAt() {
    return AT.numbers + 8 * this.#integer(AT.numberCount);
  }

  /** The offset of the id, after the integers of all targets. */
  get #idAt() {
    const strengths = this.#integer(AT.strengths);
    let at = this.#at + this.#integersAt + 4 * this.#integer(AT.classes);
    for (let target = this.#integer(AT.targets); target > 0; target--) {
      const morphs = this.#view.getUint32(at + 8, true);
      at += TARGET.integers;
      for (let morph = 0; morph < morphs; morph++) at = integersAfterMorph(this.#view, at, strengths);
    }
    return at;
  }

  #readId() {
    return textAt(this.#view, this.#idAt, this.#integer(AT.idBytes));
  }

  #readNames() {
    const start = this.#idAt + this.#integer(AT.idBytes);
    return (this.#names ??= sharedNames(textAt(this.#view, start, this.#integer(AT.namesBytes))));
  }

  /** @param {number} flag */
  #flag(flag) {
    return (this.#view.getUint16(this.#at + AT.flags, true) & flag) !== 0;
  }

  /** @param {number} at */
  #integer(at) {
    return this.#view.getUint32(this.#at + at, true);
  }

  /** @param {number} at */
  #number(at) {
    return this.#view.getFloat64(this.#at + at, true);
  }

  /**
   * @param {number} at
   * @param {number} count
   */
  #integers(at, count) {
    return integersAt(this.#view, this.#at + at, count);
  }

  /**
   * @param {number} at
   * @param {number} count
   */
  #numbers(at, count) {
    return numbersAt(this.#view, this.#at + at, count);
  }
}

/**
 * @param {DataView} view
 * @param {number} at the offset of a morph's integers
 * @param {number} strengths
 */
function integersAfterMorph(view, at, strengths) {
  const judges = view.getUint32(at + 20, true);
  return at + MORPH.integers + 4 * strengths + 4 * judges * (1 + strengths);
}

/** @implements {Target} */
class RowTarget {
  #view;
  #numbers;
  #integers;
  /** @type {Morph[]} */
  morphs;
  numbersEnd;
  integersEnd;

  /**
   * @param {DataView<ArrayBuffer>} view
   * @param {number} numbers the offset of its float64 values in bytes
   * @param {number} integers the offset of its uint32 values in bytes
   * @param {number} strengths
   * @param {() => string[]} names the names in the row
   */
  constructor(view, numbers, integers, strengths, names) {
    this.#view = view;
    this.#numbers = numbers;
    this.#integers = integers;
    this.numbersEnd = numbers + TARGET.numbers;
    this.integersEnd = integers + TARGET.integers;
    this.morphs = Array.from({ length: view.getUint32(integers + 8, true) }, () => {
      const start = this.integersEnd;
      const morph = new RowMorph(view, this.numbersEnd, start, strengths, names, this.index);
      const judges = view.getUint32(start + 20, true);
      this.numbersEnd += MORPH.numbers + 16 * strengths * (1 + judges);
      this.integersEnd = integersAfterMorph(view, start, strengths);
      return morph;
    });
  }

  get index() {
    return this.#view.getUint32(this.#integers, true);
  }

  /** @returns {1 | -1} */
  get direction() {
    return this.#view.getUint32(this.#integers + 4, true) ? 1 : -1;
  }

  get gradient_norm() {
    return this.#view.getFloat64(this.#numbers, true);
  }

  get gradient_p99() {
    return knownAt(this.#view, this.#numbers + 8);
  }
}

/** @implements {Response} */
class RowResponse {
  #view;
  #numbers;
  #predictionsAt;
  #nameAt;
  #strengths;
  #names;
  /** @type {number[] | undefined} */
  #probabilities;
  /** @type {number[] | undefined} */
  #originals;
  /** @type {number[] | undefined} */
  #predictions;

  /**
   * @param {DataView<ArrayBuffer>} view
   * @param {number} numbers the offset of its probabilities in bytes
   * @param {number} predictionsAt
   * @param {number} nameAt the offset of the index of its name
   * @param {number} strengths
   * @param {() => string[]} names the names in the row
   */
  constructor(view, numbers, predictionsAt, nameAt, strengths, names) {
    this.#view = view;
    this.#numbers = numbers;
    this.#predictionsAt = predictionsAt;
    this.#nameAt = nameAt;
    this.#strengths = strengths;
    this.#names = names;
  }

  get name() {
    return this.#names()[this.#view.getUint32(this.#nameAt, true)];
  }

  get probabilities() {
    return (this.#probabilities ??= numbersAt(this.#view, this.#numbers, this.#strengths));
  }

  get original_probabilities() {
    const start = this.#numbers + 8 * this.#strengths;
    return (this.#originals ??= numbersAt(this.#view, start, this.#strengths));
  }

  get predictions() {
    return (this.#predictions ??= integersAt(this.#view, this.#predictionsAt, this.#strengths));
  }
}

/** @implements {Morph} */
class RowMorph extends RowResponse {
  #view;
  #numbers;
  #integers;
  #strengths;
  #names;
  #target;
  /** @type {Response[] | undefined} */
  #judges;
  /** @type {[number, number] | null} */
  spread = null;

  /**
   * @param {DataView<ArrayBuffer>} view
   * @param {number} numbers the offset of its float64 values in bytes
   * @param {number} integers the offset of its uint32 values in bytes
   * @param {number} strengths
   * @param {() => string[]} names the names in the row
   * @param {number} target the class
   */
  constructor(view, numbers, integers, strengths, names, target) {
    super(view, numbers + MORPH.numbers, integers + MORPH.integers, integers, strengths, names);
    this.#view = view;
    this.#numbers = numbers;
    this.#integers = integers;
    this.#strengths = strengths;
    this.#names = names;
    this.#target = target;
  }

  get steps() {
    return this.#view.getUint32(this.#integers + 4, true);
  }

  get stopped() {
    return STOPPED[this.#view.getUint32(this.#integers + 8, true)];
  }

  get survived() {
    const checks = this.#view.getUint32(this.#integers + 12, true);
    const bits = this.#view.getUint32(this.#integers + 16, true);
    return Array.from({ length: checks }, (_, check) => ((bits >>> check) & 1) === 1);
  }

  get judges() {
    if (!this.#judges) {
      const strengths = this.#strengths;
      const numbers = this.#numbers + MORPH.numbers + 16 * strengths;
      const integers = this.#integers + MORPH.integers + 4 * strengths;
      this.#judges = Array.from({ length: this.#view.getUint32(this.#integers + 20, true) }, (_, judge) => {
        const nameAt = integers + 4 * judge * (1 + strengths);
        const start = numbers + 16 * judge * strengths;
        return new RowResponse(this.#view, start, nameAt + 4, nameAt, strengths, this.#names);
      });
    }
    return this.#judges;
  }

  get delta_norm() {
    return this.#view.getFloat64(this.#numbers, true);
  }

  get largest_change() {
    return knownAt(this.#view, this.#numbers + 8);
  }

  get mean_change() {
    return knownAt(this.#view, this.#numbers + 16);
  }

  get flip_position() {
    const start = this.#integers + MORPH.integers;
    for (let position = 0; position < this.#strengths; position++) {
      if (this.#view.getUint32(start + 4 * position, true) === this.#target) return position;
    }
    return -1;
  }
}

/**
 * @param {DataView} view
 * @param {number} at
 * @returns {number | null} `null` for NaN, which stands for an unknown number
 */
function knownAt(view, at) {
  const value = view.getFloat64(at, true);
  return Number.isNaN(value) ? null : value;
}

/**
 * @param {DataView} view
 * @param {number} at
 * @returns {[number, number] | null}
 */
function spreadAt(view, at) {
  const low = knownAt(view, at);
  return low === null ? null : [low, view.getFloat64(at + 8, true)];
}

/** @type {{text: string, names: string[]}} */
let latestNames = { text: "", names: [] };

/**
 * The names of morphs and judges. Nearly all rows have the same names, which then are one array.
 * @param {string} text
 */
function sharedNames(text) {
  if (text !== latestNames.text) latestNames = { text, names: text.split("\n") };
  return latestNames.names;
}

/**
 * Nearly all ids are short and ASCII. For these, TextDecoder would take several times as long.
 * @param {DataView<ArrayBuffer>} view
 * @param {number} at
 * @param {number} length in bytes
 */
function textAt(view, at, length) {
  const codes = [];
  for (let position = 0; position < length; position++) {
    const code = view.getUint8(at + position);
    if (code > LAST_ASCII) return TEXT.decode(new Uint8Array(view.buffer, at, length));
    codes.push(code);
  }
  return String.fromCharCode(...codes);
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} count
 */
function integersAt(view, at, count) {
  const values = [];
  for (let position = 0; position < count; position++) values.push(view.getUint32(at + 4 * position, true));
  return values;
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} count
 */
function numbersAt(view, at, count) {
  const values = [];
  for (let position = 0; position < count; position++) values.push(view.getFloat64(at + 8 * position, true));
  return values;
}

/** @type {[number, number, number] | [number, number]} */
let latestShape = [0, 0];

/**
 * Reads a shape. If it equals the shape that was read before, it returns the same array.
 * @param {DataView} view
 * @param {number} at
 */
function sharedShapeAt(view, at) {
  const channels = view.getUint32(at, true);
  const height = view.getUint32(at + 4, true);
  const width = view.getUint32(at + 8, true);
  const [ofChannels, ofHeight, ofWidth = 0] = latestShape;
  if (channels !== ofChannels || height !== ofHeight || width !== ofWidth) {
    latestShape = width ? [channels, height, width] : [channels, height];
  }
  return latestShape;
}

/** @type {number[]} */
let latestNumbers = [];

/**
 * Reads numbers. If they equal those that were read before, it returns the same array: nearly all samples have the
 * same strengths.
 * @param {DataView} view
 * @param {number} at
 * @param {number} count
 */
function sharedNumbersAt(view, at, count) {
  let same = count === latestNumbers.length;
  for (let position = 0; same && position < count; position++) {
    same = view.getFloat64(at + 8 * position, true) === latestNumbers[position];
  }
  if (!same) latestNumbers = numbersAt(view, at, count);
  return latestNumbers;
}
