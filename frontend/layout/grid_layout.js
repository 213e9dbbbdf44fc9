/**
 * The layout of the grid: the panels on the canvas of a card, and the cards in the grid. Pure. The layout is computed
 * before anything is drawn, so that only the visible rows have to exist.
 */

import { changeCaption, className, endedEarly } from "../samples/captions.js";
import { rowsBetween } from "./places.js";
import { LARGEST_CANVAS_SIDE } from "../drawing/pixels.js";
import { elementsIn, targetArrayCount } from "../samples/sample_arrays.js";
import { isPredicted } from "../samples/morphs.js";
import { chipsOf, rowsOf } from "../samples/target_choice.js";

/** @import {Places} from "./places.js" */
/** @import {ShownTargets, TargetChoice} from "../samples/target_choice.js" */
/** @import {MeasureText, Panels, Raster, Sample, Target} from "../types.js" */

/** Distances in CSS pixels. The views pass those that the style sheets need to them. */
const CARD_EDGE = 13;
export const LINE = 20;
export const HEADING = 20;
const META_LINE = 16;
const META_GAP = 2;
/** Step, margin, id, run, and the mark of a probe. */
const MOST_META = 5;
export const LEAST_COLUMN = 84;
const LEAST_TEXT = 124;
/** Pictures become larger only if the text keeps this width. It is wide enough for every line. */
const COMFORTABLE_TEXT = 170;
const MOST_TEXT = 360;
const LEAST_ROW = 92;
/** A line of the caption below the panels of a morph, and of the text about its end, its survival and its judges. */
export const CAPTION = 16;
/** The caption of a change that needs the most space. */
const LONGEST_CHANGE = changeCaption({ largest: 0.0012, mean: 0.00012 }, [1, 1, 1]).short;
export const PANEL_GAP = 8;
const TEXT_GAP = 14;
const ROW_GAP = 8;
/** Between two targets that stand side by side. */
const TARGET_GAP = 16;
const TITLE_GAP = 8;
const GRID_GAP = 16;
/** Titles whose widths differ by less share a layout, so that the layouts of many samples stay few. */
const TITLE_UNIT = 8;
const CHIP_LINE = 26;
/** The line of the title, if the chips stand in it. */
const SHARED_LINE = 22;
/** Between the title and the chips in its line. */
const CHIPS_GAP = 16;
const CHIP_GAP = 4;
/** The padding and the border of a chip. */
const CHIP_EDGE = 18;
const LEAST_CHIP = 26;
/** The caption before the chips. */
export const CHIPS_LABEL = "targets";
/** With more lines, the chips scroll. */
const MOST_CHIP_LINES = 4;

/** Pixels. Browsers refuse a larger canvas, or they need gigabytes for the cards on one screen. */
const LARGEST_CANVAS = 1 << 24;
/** Numbers in the arrays of one sample. More would need seconds and hundreds of megabytes to decode. */
const LARGEST_SAMPLE = 1 << 25;

/** The zooms that the user can choose. */
export const ZOOMS = [0.125, 0.25, 0.5, 1, 2, 3, 4, 5, 6];
/** The automatic zoom makes the longer side of an image at least the first length, and at most the second. */
const COMFORTABLE = 60;
const LARGE = 170;
/** The lengths of the longer side of a reduced image, and the widths of a signal, for the automatic zoom. */
const REDUCED = [96, 104, 112, 120, 128, 144, 160, 176, 192, 208, 224];
const SIGNAL_WIDTHS = [120, 160, 200, 240, 280, 320];
const LARGEST_SIGNAL = 1200;

/**
 * The zooms that the automatic zoom can use, the smallest first.
 * @param {Sample["shape"]} shape
 * @returns {number[]}
 */
export function comfortableZooms(shape) {
  if (shape.length === 2) return SIGNAL_WIDTHS.map((width) => width / shape[1]);
  const side = Math.max(shape[1], shape[2]);
  if (side > LARGE) return REDUCED.filter((reduced) => reduced <= side).map((reduced) => reduced / side);
  const least = ZOOMS.findIndex((zoom) => zoom * side >= COMFORTABLE);
  if (least < 0) return ZOOMS.slice(-1);
  return ZOOMS.filter((zoom, position) => position === least || (position > least && zoom * side <= LARGE));
}

/**
 * The size of a panel in canvas pixels, and the size of a canvas pixel in CSS pixels. Each pixel of an enlarged image
 * covers a whole number of screen pixels, the same for all. A reduced image and a signal are drawn at the resolution
 * of the screen.
 * @param {Sample["shape"]} shape
 * @param {number} zoom CSS pixels per pixel of the image, or per value of the signal
 * @param {number} ratio screen pixels per CSS pixel
 * @returns {{raster: Raster, scale: number}}
 */
export function rasterOf(shape, zoom, ratio) {
  const whole = (/** @type {number} */ length) => Math.max(1, Math.round(length * ratio));
  if (shape.length === 2) {
    const [channels, length] = shape;
    const width = Math.min(Math.max(zoom * length, LEAST_COLUMN), LARGEST_SIGNAL);
    return { raster: { width: whole(width), height: whole(channels * channelHeight(channels)) }, scale: 1 / ratio };
  }
  const [, height, width] = shape;
  const pixels = zoom * ratio;
  if (pixels >= 0.75) return { raster: { width, height }, scale: Math.max(1, Math.round(pixels)) / ratio };
  return { raster: { width: whole(width * zoom), height: whole(height * zoom) }, scale: 1 / ratio };
}

/** @param {number} channels */
function channelHeight(channels) {
  return Math.max(5, Math.min(12 + 72 / channels, 320 / channels));
}

/**
 * @typedef {object} CardLayout
 * @property {number} width the width of the card, in CSS pixels
 * @property {number} height
 * @property {number} titleLines
 * @property {number} chipLines
 * @property {boolean} chipsBeside whether the chips stand beside the title, in its line
 * @property {number} bodyWidth the width of everything in the card, in CSS pixels
 * @property {number} textWidth the width of the text beside a row, in CSS pixels
 * @property {number} rowWidth the width of a row with its text, in CSS pixels
 * @property {number[]} rowHeights of each row, in CSS pixels
 * @property {number} captionLines the lines of the caption below the panels of a morph
 * @property {number} scale CSS pixels per canvas pixel
 * @property {Raster} raster the size of a panel
 * @property {Raster} canvas
 * @property {boolean} drawable whether a browser can hold the arrays and the canvas
 * @property {number[]} rows the targets that have a row, as positions in the sample
 * @property {TargetChoice | undefined} choice
 * @property {boolean} metaBelowOriginal whether step, margin, id and run stand below the original, in lines of their own
 * @property {Panels} panels
 */

/**
 * The options of a card's layout.
 * @typedef {object} CardOptions
 * @property {MeasureText} measure
 * @property {number} zoom
 * @property {number} ratio
 * @property {number[]} rows
 * @property {TargetChoice | undefined} [choice]
 * @property {number} [text] the least width of the text beside a row, in CSS pixels
 * @property {number} [across] how many rows stand side by side; the default is 1
 * @property {number} [width] the width of the card, in CSS pixels; the default is as narrow as possible
 * @property {boolean} [original] whether the card shows the original; a card without rows always does
 */

/**
 * The layout of a card: the image at the left, and a row for each target with its gradient, its morph, the change and
 * a text. In a wide card two rows stand side by side.
 * @param {Sample} sample
 * @param {CardOptions} options
 * @returns {CardLayout}
 */
export function cardLayout(
  sample,
  { measure, zoom, ratio, rows, choice, text = LEAST_TEXT, across = 1, width: cardWidth = 0, original = true },
) {
  const hasOriginal = original || !rows.length;
  const { raster, scale } = rasterOf(sample.shape, zoom, ratio);
  const { width, height } = raster;
  const hasResponse = sample.strengths.length > 0;
  const gap = Math.ceil(PANEL_GAP / scale);
  const gradientLeft = hasOriginal ? Math.max(width, Math.ceil(LEAST_COLUMN / scale)) + gap : 0;
  const ofRows = rows.map((position) => sample.targets[position]);
  const hasMorphs = ofRows.some(({ morphs }) => morphs.length);
  const rowPanels = hasMorphs ? 3 * width + 2 * gap : width;
  const captionLines = wrappedLines(LONGEST_CHANGE, rowPanels * scale, measure);
  const rowHeights = ofRows.map((target) =>
    target.morphs.length
      ? Math.max(
          height + Math.ceil((captionLines * CAPTION) / scale),
          hasResponse ? Math.ceil((LEAST_ROW + extraLines(target) * CAPTION) / scale) : 0,
        )
      : height,
  );
  const columns = Math.max(Math.min(across, rows.length), 1);
  const textGap = hasResponse ? TEXT_GAP : 0;
  const fixedWidth =
    Math.max((rows.length ? gradientLeft + columns * rowPanels : width) * scale, LEAST_COLUMN) +
    columns * textGap +
    (columns - 1) * TARGET_GAP;
  const bodyWidth = Math.max(cardWidth - 2 * CARD_EDGE, fixedWidth + (hasResponse ? columns * text : 0));
  const textWidth = Math.min(Math.floor((bodyWidth - fixedWidth) / columns), MOST_TEXT);
  const rowWidth = rowPanels * scale + textGap + textWidth;
  const between = Math.ceil((HEADING + ROW_GAP) / scale);
  let top = 0;
  let rowsHeight = 0;
  const targets = ofRows.map(({ index, morphs }, row) => {
    const column = row % columns;
    if (row && !column) top = rowsHeight + between;
    rowsHeight = Math.max(rowsHeight, top + rowHeights[row]);
    const left = gradientLeft + column * Math.ceil((rowWidth + TARGET_GAP) / scale);
    const panel = (/** @type {number} */ position) => rectangle(left + position * (width + gap), top, raster);
    const [morph, change] = morphs.length ? [panel(1), panel(2)] : [null, null];
    return { target: index, gradient: panel(0), morph, change };
  });
  const drawn = targets.flatMap(({ gradient, change }) => (change ? [gradient, change] : [gradient]));
  const canvas = {
    width: drawn.reduce((most, [left]) => Math.max(most, left + width), width),
    height: drawn.reduce((most, [, panelTop]) => Math.max(most, panelTop + height), height),
  };
  // Beside several rows there is room below the original.
  const isStacked = rows.length > columns;
  const metaBelowOriginal = hasOriginal && isStacked && (rowsHeight - height) * scale >= META_GAP + MOST_META * META_LINE;
  const meta = metaBelowOriginal ? 0 : META_GAP + META_LINE;
  const bodyHeight = HEADING + Math.max(rowsHeight, height) * scale + meta;
  const titleWidth = titleWidthOf(sample, measure);
  const titleLines = titleWidth > bodyWidth ? 2 : 1;
  const label = measure(CHIPS_LABEL, "chip") + CHIP_GAP;
  const chips = chipWidths(sample, choice, measure);
  const chipLines = linesOfChips(chips, label, choice, bodyWidth);
  const lineWidth = titleWidth + CHIPS_GAP + label + chips.reduce((sum, chip) => sum + chip, 0);
  const chipsBeside = chipLines === 1 && choice !== "more" && lineWidth <= bodyWidth;
  const head = chipsBeside ? SHARED_LINE : titleLines * LINE + chipLines * CHIP_LINE;
  return {
    width: Math.ceil(2 * CARD_EDGE + bodyWidth),
    height: Math.ceil(2 * CARD_EDGE + head + TITLE_GAP + bodyHeight),
    titleLines,
    chipLines,
    chipsBeside,
    bodyWidth,
    textWidth,
    rowWidth,
    rowHeights: rowHeights.map((rowHeight) => rowHeight * scale),
    captionLines,
    scale,
    raster,
    canvas,
    drawable:
      Math.max(canvas.width, canvas.height) <= LARGEST_CANVAS_SIDE &&
      canvas.width * canvas.height <= LARGEST_CANVAS &&
      valuesOf(sample) <= LARGEST_SAMPLE,
    rows,
    choice,
    metaBelowOriginal,
    panels: { image: hasOriginal ? rectangle(0, 0, raster) : null, targets },
  };
}

/**
 * @param {number} x
 * @param {number} y
 * @param {Raster} raster
 * @returns {import("../types.js").Rectangle}
 */
function rectangle(x, y, { width, height }) {
  return [x, y, width, height];
}

/**
 * How many lines a caption needs if it is wrapped between its words.
 * @param {string} words
 * @param {number} width in CSS pixels
 * @param {MeasureText} measure
 */
export function wrappedLines(words, width, measure) {
  const space = measure(" ", "small");
  let lines = 1;
  let used = 0;
  for (const word of words.split(" ")) {
    const length = measure(word, "small");
    if (used && used + space + length > width) {
      lines++;
      used = length;
    } else {
      used += (used ? space : 0) + length;
    }
  }
  return lines;
}

/**
 * How many lines of text stand below the flip: one if the ascent ended early, one for the spread, one for the survival,
 * and one for each judge. A switch to another kind of morph does not change the layout, so the morph with the most
 * lines counts.
 * @param {Target} target
 */
function extraLines({ morphs }) {
  return morphs.reduce((most, morph) => {
    const { spread, survived, judges } = morph;
    const lines = [endedEarly(morph), spread, survived.length].filter(Boolean).length + judges.length;
    return Math.max(most, lines);
  }, 0);
}

/**
 * How many numbers the arrays of a sample hold.
 * @param {Sample} sample
 */
function valuesOf(sample) {
  return (1 + targetArrayCount(sample)) * elementsIn(sample.shape);
}

/** The percentages, and everything around the names in a title. */
const TITLE_WORDS = " 00 % ·  00 %, labelled  ✗";

/**
 * The width of a card's title in one line, rounded up, in CSS pixels.
 * @param {Sample} sample
 * @param {MeasureText} measure
 */
function titleWidthOf({ classes, label, session }, measure) {
  const nameWidth = (/** @type {number} */ index) => measure(className(session.class_names, index), "title");
  let width = measure(TITLE_WORDS, "title") + (label === null ? 0 : nameWidth(label));
  for (let position = 0; position < 2 && position < classes.length; position++) width += nameWidth(classes[position]);
  return TITLE_UNIT * Math.ceil(width / TITLE_UNIT);
}

/**
 * The widths of a card's chips with the gaps between them, in CSS pixels; empty if it has none.
 * @param {Sample} sample
 * @param {TargetChoice | undefined} choice
 * @param {MeasureText} measure
 */
function chipWidths(sample, choice, measure) {
  const { positions, others } = chipsOf(sample, choice);
  if (!positions.length) return [];
  const names = positions.map((position) => className(sample.session.class_names, sample.targets[position].index));
  const more = others || choice === "more" ? [`+${others} more`] : [];
  return [...names, ...more].map((name) => Math.max(measure(name, "chip") + CHIP_EDGE, LEAST_CHIP) + CHIP_GAP);
}

/**
 * @param {number[]} chips from `chipWidths`
 * @param {number} label the width of the caption before them
 * @param {TargetChoice | undefined} choice
 * @param {number} width
 */
function linesOfChips(chips, label, choice, width) {
  if (!chips.length) return 0;
  let lines = 1;
  let left = label;
  for (const chip of chips) {
    if (left + chip > width && left > 0) {
      lines++;
      left = 0;
    }
    left += chip;
  }
  return Math.min(lines, choice === "more" ? MOST_CHIP_LINES : 1);
}

/**
 * @typedef {object} GridLayout
 * @property {CardLayout[]} cards one for each sample
 * @property {number} columns
 * @property {number} columnWidth
 * @property {number} lead how many cells before the first sample are empty
 * @property {number[]} tops the top of each row, and then the bottom of the grid
 */

/**
 * The options of the grid's layout.
 * @typedef {object} GridOptions
 * @property {MeasureText} measure
 * @property {number} width the width of the grid, in CSS pixels
 * @property {number} [height] the visible height of the grid; without it the height does not limit the pictures
 * @property {number} ratio screen pixels per CSS pixel
 * @property {number | null} zoom `null`: automatic
 * @property {ShownTargets} targets which targets all cards show
 * @property {ReadonlyMap<string, TargetChoice>} choices by the sample's key
 * @property {ReadonlySet<Sample>} [partners] samples whose originals are shown on another card
 */

/**
 * Whether a card with one layout is the same as a card with the other.
 * @param {CardLayout} one
 * @param {CardLayout} other
 */
export function sameLayout(one, other) {
  return (
    one.scale === other.scale &&
    one.width === other.width &&
    one.height === other.height &&
    one.rowHeights.join() === other.rowHeights.join() &&
    one.raster.width === other.raster.width &&
    one.choice === other.choice &&
    (one.panels.image === null) === (other.panels.image === null) &&
    one.rows.join() === other.rows.join()
  );
}

/**
 * Cards of one width, in as many columns as fit. If only one column fits, two targets stand side by side where there is
 * room. The remaining width first makes the pictures larger, and then the texts wider. Pictures become larger only if
 * two rows of cards still fit in the visible height; or one row, if two do not fit with the smallest pictures.
 * @param {Sample[]} samples
 * @param {GridOptions} options
 * @returns {GridLayout}
 */
export function gridLayout(samples, options) {
  const { kinds, kindOfEach } = kindsOf(samples, options);
  const widths = [...new Map(kinds.map((kind) => [widthKind(kind), kind])).values()];
  const heights = [...new Map(kinds.map((kind) => [heightKind(kind), kind])).values()];
  const widest = (/** @type {number} */ growth, /** @type {number} */ across) =>
    widths.reduce(
      (most, kind) => Math.max(most, cardLayout(kind.sample, { ...cardOptions(kind, options, growth), across }).width),
      0,
    );
  const columns = Math.max(1, Math.floor((options.width - GRID_GAP) / (widest(0, 1) + GRID_GAP)));
  const room = Math.floor((options.width - GRID_GAP) / columns) - GRID_GAP;
  const across = columns === 1 && widest(0, 2) <= room ? 2 : 1;
  const visibleRows = (/** @type {number} */ growth) => {
    const highest = heights.reduce((most, kind) => {
      const { height } = cardLayout(kind.sample, { ...cardOptions(kind, options, growth), across, width: room });
      return Math.max(most, height);
    }, 0);
    return Math.min(Math.floor(((options.height ?? Infinity) - GRID_GAP) / (highest + GRID_GAP)), WANTED_ROWS);
  };
  const least = visibleRows(0);
  let growth = 0;
  while (growth < MOST_GROWTH && widest(growth + 1, across) <= room && visibleRows(growth + 1) >= least) growth++;
  const columnWidth = Math.max(widest(growth, across), room);
  const layouts = kinds.map((kind) =>
    cardLayout(kind.sample, { ...cardOptions(kind, options, growth), across, width: columnWidth }),
  );
  const cards = kindOfEach.map((kind) => layouts[kind]);
  return withLead({ cards, columns, columnWidth, lead: 0, tops: [] }, 0);
}

/** How many rows of cards should be visible at once. */
const WANTED_ROWS = 2;
const MOST_GROWTH = Math.max(ZOOMS.length, REDUCED.length, SIGNAL_WIDTHS.length);

/**
 * Samples with the same card layout, represented by one of them.
 * @typedef {{sample: Sample, rows: number[], choice: TargetChoice | undefined, original: boolean}} CardKind
 */

/**
 * @param {CardKind} kind
 * @param {GridOptions} options
 * @param {number} growth how many steps the pictures are larger than the smallest automatic zoom
 * @returns {CardOptions}
 */
function cardOptions({ sample, rows, choice, original }, { measure, zoom, ratio }, growth) {
  const zooms = zoom === null ? comfortableZooms(sample.shape) : [zoom];
  const text = growth ? COMFORTABLE_TEXT : LEAST_TEXT;
  return { measure, zoom: zooms[Math.min(growth, zooms.length - 1)], ratio, rows, choice, text, original };
}

/**
 * A text that is the same for cards of the same width.
 * @param {CardKind} kind
 */
function widthKind({ sample: { shape, strengths, targets }, rows, original }) {
  const morphs = rows.some((position) => targets[position].morphs.length > 0);
  return `${shape} ${rows.length} ${morphs} ${strengths.length > 0} ${original}`;
}

/**
 * A text that is the same for cards of nearly the same height.
 * @param {CardKind} kind
 */
function heightKind(kind) {
  const { sample, rows } = kind;
  const ofRows = rows.map((position) => sample.targets[position]);
  return `${widthKind(kind)} ${ofRows.map((target) => (target.morphs.length ? extraLines(target) : -1))}`;
}

/**
 * @param {Sample[]} samples
 * @param {GridOptions} options
 */
function kindsOf(samples, { measure, targets, choices, partners }) {
  /** @type {CardKind[]} */
  const kinds = [];
  /** @type {number[]} positions in `kinds`, by layout id */
  const known = [];
  const kindOfEach = samples.map((sample) => {
    const choice = choices.size ? choices.get(sample.key) : undefined;
    const original = !partners?.has(sample);
    const add = () => kinds.push({ sample, rows: rowsOf(sample, targets, choice), choice, original }) - 1;
    return choice === undefined ? (known[2 * layoutId(sample, measure) + (original ? 1 : 0)] ??= add()) : add();
  });
  return { kinds, kindOfEach };
}

/** @type {Map<string, number>} */
const numbers = new Map();

/** @type {WeakMap<Sample["shape"], string>} */
const texts = new WeakMap();

/**
 * A shape as text. It is computed once, because nearly all samples share one shape object.
 * @param {Sample["shape"]} shape
 */
function textOf(shape) {
  let text = texts.get(shape);
  if (text === undefined) texts.set(shape, (text = shape.join()));
  return text;
}

/**
 * A number that is the same for samples with the same card layout. Each sample keeps its own: to look up 300,000 of them
 * in a map takes longer than the rest of the layout.
 * @param {Sample} sample
 * @param {MeasureText} measure
 */
function layoutId(sample, measure) {
  if (sample.layoutId === undefined) {
    const text = layoutText(sample, measure);
    sample.layoutId = numbers.get(text) ?? numbers.size;
    numbers.set(text, sample.layoutId);
  }
  return sample.layoutId;
}

/**
 * @param {Sample} sample
 * @param {MeasureText} measure
 */
function layoutText(sample, measure) {
  const { shape, targets, strengths, classes, session } = sample;
  // Class names, and so the widths of chips, can differ between sessions.
  const chips = targets.reduce((sum, { index }) => sum + measure(className(session.class_names, index), "chip"), 0);
  let text = `${textOf(shape)} ${strengths.length > 0} ${titleWidthOf(sample, measure)} ${Math.round(chips)}`;
  for (const target of targets) {
    text += target.morphs.length ? ` ${target.index}+${extraLines(target)}` : ` ${target.index}`;
    if (isPredicted(sample, target)) text += "!";
  }
  return targets.length > 2 ? `${text}: ${classes}` : text;
}

/**
 * The layout with empty cells before the first sample. With them, a visible sample keeps its column when new samples
 * appear before it.
 * @param {GridLayout} layout
 * @param {number} lead
 * @returns {GridLayout}
 */
export function withLead(layout, lead) {
  const { cards, columns } = layout;
  const tops = [GRID_GAP];
  for (let first = -lead; first < cards.length; first += columns) {
    const row = cards.slice(Math.max(first, 0), first + columns);
    const height = row.reduce((most, card) => Math.max(most, card.height), 0);
    tops.push(tops[tops.length - 1] + height + GRID_GAP);
  }
  return { ...layout, lead, tops };
}

/**
 * The places of the cards. A card is as wide as its column.
 * @param {GridLayout} layout
 * @returns {Places}
 */
export function placesOf({ cards, columns, columnWidth, lead, tops }) {
  const left = (/** @type {number} */ column) => GRID_GAP + column * (columnWidth + GRID_GAP);
  return {
    size: { width: left(columns), height: tops[tops.length - 1] },
    boxOf: (position) => ({
      left: left((position + lead) % columns),
      top: tops[Math.floor((position + lead) / columns)],
      width: columnWidth,
      height: cards[position].height,
    }),
    between: (top, bottom) => {
      const rows = rowsBetween(tops, top, bottom);
      return {
        first: Math.max(rows.first * columns - lead, 0),
        end: Math.min(Math.max(rows.end * columns - lead, 0), cards.length),
      };
    },
  };
}
