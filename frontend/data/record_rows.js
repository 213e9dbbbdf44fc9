/**
 * Samples from the binary rows of the route `records`, see `tb_gradascent/plugin/http_api.md`. A field of a row is
 * read only when it is used, so that a hundred thousand samples cost little time and memory. Pure.
 */

/** @import {Sample, Session, Stopped, Target} from "../types.js" */

const PROBE = 1;
const HAS_ID = 2;
const HAS_LABEL = 4;
const HAS_LOSS = 8;
const HAS_DELTA = 1;

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
  numbers: 120,
};

/** @type {Stopped[]} */
const STOPPED = ["confidence", "max_steps", "stalled", "nonfinite", "none"];

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
  /** @type {Target[] | undefined} */
  #targets;

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
    return (this.#key ??= `${this.run}|${this.address}`);
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

  get payload() {
    return { bytes: this.#integer(AT.payloadBytes), crc32c: this.#integer(AT.payloadChecksum) };
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

  get targets() {
    if (!this.#targets) {
      const strengths = this.#integer(AT.strengths);
      const numbers = this.#at + this.#strengthsAt + 8 * strengths;
      const integers = this.#at + this.#integersAt + 4 * this.#integer(AT.classes);
      this.#targets = Array.from(
        { length: this.#integer(AT.targets) },
        (_, position) =>
          new RowTarget(
            this.#view,
            numbers + 8 * position * (2 + 2 * strengths),
            integers + 4 * position * (4 + strengths),
            strengths,
          ),
      );
    }
    return this.#targets;
  }

  get #strengthsAt() {
    return AT.numbers + 8 * this.#integer(AT.classes);
  }

  get #integersAt() {
    const strengths = this.#integer(AT.strengths);
    return this.#strengthsAt + 8 * (strengths + this.#integer(AT.targets) * (2 + 2 * strengths));
  }

  #readId() {
    const { classes, strengths, targets } = AT;
    const integers = this.#integer(classes) + this.#integer(targets) * (4 + this.#integer(strengths));
    const start = this.#at + this.#integersAt + 4 * integers;
    return textAt(this.#view, start, this.#integer(AT.idBytes));
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

/** @implements {Target} */
class RowTarget {
  #view;
  #numbers;
  #integers;
  #strengths;
  /** @type {number[] | undefined} */
  #probabilities;
  /** @type {number[] | undefined} */
  #originals;
  /** @type {number[] | undefined} */
  #predictions;

  /**
   * @param {DataView<ArrayBuffer>} view
   * @param {number} numbers the offset of its float64 values in bytes
   * @param {number} integers the offset of its uint32 values in bytes
   * @param {number} strengths
   */
  constructor(view, numbers, integers, strengths) {
    this.#view = view;
    this.#numbers = numbers;
    this.#integers = integers;
    this.#strengths = strengths;
  }

  get index() {
    return this.#view.getUint32(this.#integers, true);
  }

  get steps() {
    return this.#view.getUint32(this.#integers + 4, true);
  }

  get stopped() {
    return STOPPED[this.#view.getUint32(this.#integers + 8, true)];
  }

  get gradient_norm() {
    return this.#view.getFloat64(this.#numbers, true);
  }

  get delta_norm() {
    const there = this.#view.getUint32(this.#integers + 12, true) & HAS_DELTA;
    return there ? this.#view.getFloat64(this.#numbers + 8, true) : null;
  }

  get probabilities() {
    return (this.#probabilities ??= numbersAt(this.#view, this.#numbers + 16, this.#strengths));
  }

  get original_probabilities() {
    const start = this.#numbers + 16 + 8 * this.#strengths;
    return (this.#originals ??= numbersAt(this.#view, start, this.#strengths));
  }

  get flip_position() {
    const { index } = this;
    for (let position = 0; position < this.#strengths; position++) {
      if (this.#view.getUint32(this.#integers + 16 + 4 * position, true) === index) return position;
    }
    return -1;
  }

  get predictions() {
    return (this.#predictions ??= integersAt(this.#view, this.#integers + 16, this.#strengths));
  }
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
let latest = [];

/**
 * Reads numbers. If they equal those that were read before, it returns the same array: nearly all samples have the
 * same strengths.
 * @param {DataView} view
 * @param {number} at
 * @param {number} count
 */
function sharedNumbersAt(view, at, count) {
  let same = count === latest.length;
  for (let position = 0; same && position < count; position++) {
    same = view.getFloat64(at + 8 * position, true) === latest[position];
  }
  if (!same) latest = numbersAt(view, at, count);
  return latest;
}
